"""Which files are NIfTI or Analyze, and which two belong together: a header (.hdr) and its voxels (.img)."""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError
from ..streams import first_unpacked

#: Bytes of a header by what its first four bytes say.
HEADER_BYTES = {348: 348, 540: 540}
_SINGLE = (".nii", ".nii.gz", ".nii.bz2")
_PACKING = ("", ".gz", ".bz2")
_LONGEST = max(HEADER_BYTES.values())


def is_nifti_name(path: Path) -> bool:
    """Whether a name is that of a NIfTI file in one piece, which is what we write."""
    return path.name.lower().endswith(_SINGLE)


def is_nifti(path: Path) -> bool:
    """Whether a file is NIfTI or Analyze by its name, or by its header whatever its name is."""
    name = path.name.lower()
    if name.endswith(_SINGLE):
        return True
    start = first_unpacked(path, _LONGEST)
    if name.endswith(tuple(f".hdr{packing}" for packing in _PACKING)):
        return byte_order(start) is not None
    if name.endswith(tuple(f".img{packing}" for packing in _PACKING)):
        return True  # with its header, or without it, which is then said to be missing
    return byte_order(start) is not None and magic(start) != ""


def byte_order(header: bytes) -> str | None:
    """ "<" or ">" where the first number of a header is a length that it can have; None: it is no such header."""
    if len(header) < min(HEADER_BYTES.values()):
        return None
    for order, name in (("<", "little"), (">", "big")):
        length = int.from_bytes(header[:4], name)  # type: ignore[arg-type]
        if HEADER_BYTES.get(length, _LONGEST + 1) <= len(header):
            return order
    return None


def magic(header: bytes) -> str:
    """ "n+1", "ni1", "n+2" or "ni2"; "" for Analyze, which has none."""
    first, second = header[344:347], header[4:7]
    for mark, found in ((first, (b"n+1", b"ni1")), (second, (b"n+2", b"ni2"))):
        if mark in found:
            return mark.decode("ascii")
    return ""


def pair_of(path: Path) -> tuple[Path, Path]:
    """Header and voxels: the file itself twice, or the two files of a pair, of which ``path`` may be either.

    Raises:
        InputError: The other one is missing.
    """
    start = first_unpacked(path, _LONGEST)
    if byte_order(start) is not None and magic(start) in ("n+1", "n+2"):
        return path, path
    ending = _ending(path)
    if ending == ".img":
        header = partner(path, ".hdr")
        if header is None:
            raise InputError(f"{path} has no header: {_other_name(path, '.hdr')} is missing.")
        return header, path
    if byte_order(start) is None:
        raise InputError(f"{path} is not a NIfTI file, or its header is damaged or cut off.")
    voxels = partner(path, ".img")
    if voxels is None:
        raise InputError(f"{path} is a header only: its data file {_other_name(path, '.img')} is missing.")
    return path, voxels


def partner(path: Path, ending: str) -> Path | None:
    """The other file of a pair, in whatever letters and packing; beside the name, or beside the file it links to."""
    for place in (path, path.resolve()):
        stem = _stem(place)
        wanted = [f"{stem}{ending}{packing}" for packing in _PACKING]
        names = {each.name: each for each in place.parent.iterdir()}
        exact = next((names[name] for name in wanted if name in names), None)
        lower = {name.lower(): each for name, each in names.items() if name.startswith(stem)}
        found = exact or next((lower[name.lower()] for name in wanted if name.lower() in lower), None)
        if found is not None:
            return found
    return None


def _ending(path: Path) -> str:
    name = path.name.lower()
    for packing in _PACKING[1:]:
        name = name.removesuffix(packing)
    return Path(name).suffix


def _stem(path: Path) -> str:
    name = path.name
    for packing in _PACKING[1:]:
        if name.lower().endswith(packing):
            name = name[: -len(packing)]
    return Path(name).stem


def _other_name(path: Path, ending: str) -> str:
    return f"{_stem(path)}{ending}"
