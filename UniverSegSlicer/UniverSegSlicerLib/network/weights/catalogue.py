"""The models that this program knows by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ModelError
from ..families import AnyArchitecture, architecture_from_dict

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FILE = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./-]*\.safetensors")
_URL = re.compile(r"https://\S+\.(safetensors|pt)")
_HASH = re.compile(r"[0-9a-f]{64}")
_VERSION = 1


@dataclass(frozen=True)
class Licence:
    """What one may do with a model.

    Args:
        name: Short name.
        url: Where its text stands.
        terms: What the user must accept before the model is downloaded; None if nothing.
    """

    name: str
    url: str
    terms: str | None


@dataclass(frozen=True)
class CatalogueEntry:
    """One model of the catalogue; either ``file`` or ``url`` is given.

    Args:
        name: What the user calls it.
        title: A line for lists.
        description: What it is for.
        file: A file that comes with the program, below the resource folder.
        url: Where it is downloaded from, https.
        sha256: Hash of the file in hexadecimal; None while it is unknown.
        size: Bytes of the file; None while unknown.
        architecture: What its tensors must make; None where the file itself tells.
        licence: What one may do with it.
        training: What it was trained on.
    """

    name: str
    title: str
    description: str
    file: str | None
    url: str | None
    sha256: str | None
    size: int | None
    architecture: AnyArchitecture | None
    licence: Licence
    training: str

    @property
    def suffix(self) -> str:
        """Ending of its file, with the dot."""
        return Path(self.file or self.url or "").suffix


def resource_folder() -> Path:
    """The folder with ``models.json``: of the source tree, of an extension inside Slicer, or of an installed wheel.

    Raises:
        ModelError: The installation lacks it.
    """
    library = Path(__file__).resolve().parents[2]
    for folder in (library / "bundled", library.parent / "Resources", library.parent.parent / "Resources"):
        if (folder / "models.json").is_file():
            return folder
    raise ModelError(f"models.json is missing beside {library}; install the program again.")


def read_catalogue(path: Path | None = None) -> dict[str, CatalogueEntry]:
    """The models by name, in the catalogue's order.

    Args:
        path: A catalogue; by default the one in :func:`resource_folder`.

    Raises:
        ModelError: It cannot be read, or an entry breaks the rules of ``models.schema.json``; the message names both.
    """
    path = path or resource_folder() / "models.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as a catalogue of models: {error}.") from error
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        raise ModelError(f"{path}: not a catalogue of version {_VERSION}.")
    models = content.get("models")
    if not isinstance(models, list):
        raise ModelError(f"{path}: models must be a list.")
    entries: dict[str, CatalogueEntry] = {}
    for model in models:
        entry = _entry(model, f"{path}: model {len(entries) + 1}")
        if entry.name in entries:
            raise ModelError(f"{path}: model {entry.name} occurs twice.")
        entries[entry.name] = entry
    return entries


def _entry(model: Any, where: str) -> CatalogueEntry:
    if not isinstance(model, Mapping):
        raise ModelError(f"{where} must be an object.")
    licence = model.get("licence")
    if not isinstance(licence, Mapping):
        raise ModelError(f"{where}: licence must be an object.")
    file = _text(model, "file", where, _FILE, optional=True)
    url = _text(model, "url", where, _URL, optional=True)
    if (file is None) == (url is None):
        raise ModelError(f"{where} must have either file or url.")
    architecture = None if model.get("architecture") is None else architecture_from_dict(model["architecture"])
    if url is not None and architecture is None:
        raise ModelError(f"{where}: a model with url must tell its architecture.")
    size = model.get("bytes")
    if size is not None and (type(size) is not int or size < 1):
        raise ModelError(f"{where}: bytes must be a positive integer or null, not {size!r}.")
    return CatalogueEntry(
        name=_text(model, "name", where, _NAME) or "",
        title=_text(model, "title", where) or "",
        description=_text(model, "description", where) or "",
        file=file,
        url=url,
        sha256=_text(model, "sha256", where, _HASH, optional=True),
        size=size,
        architecture=architecture,
        licence=Licence(
            name=_text(licence, "name", where) or "",
            url=_text(licence, "url", where, re.compile("https://.*")) or "",
            terms=_text(licence, "terms", where, optional=True),
        ),
        training=_text(model, "training", where) or "",
    )


def _text(
    values: Mapping[str, Any], key: str, where: str, pattern: re.Pattern[str] | None = None, *, optional: bool = False
) -> str | None:
    value = values.get(key)
    if value is None and optional:
        return None
    if not isinstance(value, str) or not value or (pattern and not pattern.fullmatch(value)):
        raise ModelError(f"{where}: {key} cannot be {value!r}.")
    return value
