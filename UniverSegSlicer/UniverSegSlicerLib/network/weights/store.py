"""The models at hand: listed, found, verified and removed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import ModelError, OutputError
from .cache import cached_file, check_hash, expected_hash, file_hash
from .catalogue import CatalogueEntry, read_catalogue, resource_folder
from .download import find_entry

_MODEL_FILES = (".safetensors", ".pt", ".pth")


@dataclass(frozen=True)
class ModelStatus:
    """A model of the catalogue on this machine.

    Args:
        entry: What the catalogue says.
        state: ``"bundled"`` (comes with the program), ``"downloaded"``, ``"downloadable"``, or ``"absent"`` (should
            have come with the program).
        path: Its file, where it is or would be.
    """

    entry: CatalogueEntry
    state: Literal["bundled", "downloaded", "downloadable", "absent"]
    path: Path

    @property
    def ready(self) -> bool:
        """Whether it can be loaded at once."""
        return self.state in ("bundled", "downloaded")


def list_models(catalogue: dict[str, CatalogueEntry] | None = None) -> list[ModelStatus]:
    """All models of the catalogue and whether they are at hand.

    Raises:
        ModelError: The catalogue is damaged.
    """
    entries = read_catalogue() if catalogue is None else catalogue
    return [_status(entry) for entry in entries.values()]


def locate_model(name_or_path: str | Path, catalogue: dict[str, CatalogueEntry] | None = None) -> Path:
    """The checked file of a model.

    Args:
        name_or_path: A name of the catalogue, or a file ending in ``.safetensors`` or ``.pt``.
        catalogue: Models by name; by default those of the program.

    Raises:
        ModelError: No such model or file, not downloaded yet, or its hash is wrong.
    """
    try:
        path = Path(name_or_path).expanduser()
    except RuntimeError as error:
        raise ModelError(f"{name_or_path}: there is no such home directory.") from error
    if path.suffix in _MODEL_FILES or path.is_file():
        if not path.is_file():
            raise ModelError(f"{path}: no such model file.")
        return path
    status = _status(find_entry(str(name_or_path), catalogue))
    if status.state == "downloadable":
        raise ModelError(
            f"Model {status.entry.name} is not on this machine yet; `universeg-slicer models download "
            f"{status.entry.name}` fetches it."
        )
    if status.state == "absent":
        raise ModelError(f"Model {status.entry.name} is missing from this installation: there is no {status.path}.")
    _check(status)
    return status.path


def verify_model(name_or_path: str | Path, catalogue: dict[str, CatalogueEntry] | None = None) -> Path:
    """Check a model's hash and that its tensors make the network that they should.

    Returns:
        Its file.

    Raises:
        ModelError: Something is wrong with it, or it is not there.
    """
    from .files import read_network

    path = locate_model(name_or_path, catalogue)
    network = read_network(path)
    entries = read_catalogue() if catalogue is None else catalogue
    entry = entries.get(str(name_or_path))
    if entry is not None and entry.architecture is not None and network.architecture != entry.architecture:
        raise ModelError(f"{path}: its architecture is {network.architecture}, expected {entry.architecture}.")
    return path


def remove_model(name: str, catalogue: dict[str, CatalogueEntry] | None = None) -> Path:
    """Delete a downloaded model; the record of its hash stays, so that the same file is expected next time.

    Returns:
        The file that was deleted.

    Raises:
        ModelError: Unknown, not downloaded, or part of the installation.
        OutputError: It cannot be deleted.
    """
    status = _status(find_entry(name, catalogue))
    if status.entry.url is None:
        raise ModelError(f"Model {name} is part of the installation and cannot be removed.")
    try:
        status.path.unlink()
    except FileNotFoundError:
        raise ModelError(f"Model {name} is not on this machine; there is nothing to remove.") from None
    except OSError as error:
        raise OutputError(f"{status.path}: cannot be deleted: {error.strerror or error}.") from error
    return status.path


def _status(entry: CatalogueEntry) -> ModelStatus:
    if entry.file is not None:
        path = resource_folder() / entry.file
        return ModelStatus(entry, "bundled" if path.is_file() else "absent", path)
    try:
        path = cached_file(entry)
    except ModelError:  # nowhere to keep it; a download says so
        return ModelStatus(entry, "downloadable", Path(f"{entry.name}{entry.suffix}"))
    return ModelStatus(entry, "downloaded" if path.is_file() else "downloadable", path)


def _check(status: ModelStatus) -> None:
    expected = expected_hash(status.entry)
    if status.entry.url is not None and expected is None:
        raise ModelError(f"{status.path}: no hash is known of it; remove it and download it again.")
    if expected is not None:
        check_hash(status.entry.name, file_hash(status.path), expected)
