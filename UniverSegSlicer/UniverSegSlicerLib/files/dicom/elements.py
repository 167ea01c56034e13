"""Whether the elements of a DICOM file fit into it.

GDCM reserves and clears as many bytes as an element says that it has, before it looks whether the file has them: one
damaged length of four bytes would cost gigabytes. Source: DICOM PS3.5, sections 7.1 (elements), 7.5 (nesting).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from ...errors import InputError

_HARMLESS = 64 << 20
_PREAMBLE = 132
_TRANSFER_SYNTAX, _PIXEL_DATA = (0x0002, 0x0010), (0x7FE0, 0x0010)
_META_GROUP, _ITEM_GROUP = 0x0002, 0xFFFE
_UNDEFINED = 0xFFFFFFFF
_IMPLICIT, _BIG_ENDIAN, _DEFLATED = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.1.99"
_NO_KIND = (b"??", b"  ", b"\0\0", b"")
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")


def is_dicom(path: Path) -> bool:
    """Whether a file carries the DICOM mark (``DICM`` at byte 128)."""
    with path.open("rb") as file:
        file.seek(128)
        return file.read(4) == b"DICM"


def check_elements(path: Path) -> None:
    """Walk through the elements of a file that carries the DICOM mark, up to the voxels.

    Raises:
        InputError: An element of more than 64 MB ends beyond the end of the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(_PREAMBLE)
        syntax = b""
        while (tag := _tag(file, syntax)) is not None:
            length = _length(file, tag, syntax)
            # Sequences and items are entered: what follows their head is the head of an element again.
            if length is None:
                return
            if length > _HARMLESS and file.tell() + length > size:
                raise InputError(f"{path} is damaged or cut off: {length} bytes of one element are not in the file.")
            if tag == _TRANSFER_SYNTAX:
                syntax = file.read(length).strip(b" \0")
                if syntax == _DEFLATED:
                    return
            else:
                file.seek(length, 1)


def _tag(file: BinaryIO, syntax: bytes) -> tuple[int, int] | None:
    data = file.read(4)
    if len(data) < 4:
        return None
    group, element = struct.unpack("<HH", data)
    if syntax == _BIG_ENDIAN and group != _META_GROUP:
        group, element = struct.unpack(">HH", data)
    return group, element


def _length(file: BinaryIO, tag: tuple[int, int], syntax: bytes) -> int | None:
    """Bytes of the element to skip, 0 to enter it; None where the walk ends."""
    meta = tag[0] == _META_GROUP
    order = ">" if syntax == _BIG_ENDIAN and not meta else "<"
    if tag[0] == _ITEM_GROUP:
        return None if _number(file, f"{order}I") is None else 0
    if syntax == _IMPLICIT and not meta:
        return _skip(tag, b"", _number(file, f"{order}I"))
    kind = file.read(2)
    if kind in _NO_KIND:
        return None
    if not (kind.isalpha() and kind.isupper()):
        # GDCM takes it for an element of the implicit syntax, whose length starts here.
        file.seek(-2, 1)
        length = _number(file, f"{order}I")
        return None if length == _UNDEFINED else length
    if kind not in _LONG:
        return _number(file, f"{order}H")
    file.read(2)
    return _skip(tag, kind, _number(file, f"{order}I"))


def _skip(tag: tuple[int, int], kind: bytes, length: int | None) -> int | None:
    if kind == b"SQ" and length is not None:
        return 0
    if length == _UNDEFINED:
        # What is inside an unknown element is written in another syntax; voxels in pieces are the end.
        return None if tag == _PIXEL_DATA or kind == b"UN" else 0
    return length


def _number(file: BinaryIO, code: str) -> int | None:
    data = file.read(struct.calcsize(code))
    return int(struct.unpack(code, data)[0]) if len(data) == struct.calcsize(code) else None
