"""Files as streams of bytes, unpacked where they are packed, whatever their names say."""

from __future__ import annotations

import bz2
import contextlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import InputError

# Deflate, the compression of NIfTI, NRRD and MetaImage, makes at most 1,032 bytes of one.
_LARGEST_RATIO = 1100
# Below this nothing can go wrong, and blank pictures compress better than any scan.
_HARMLESS = 64 << 20
_GZIP, _BZIP2 = b"\x1f\x8b", b"BZh"
_CHUNK = 1 << 20
_PIECE = 16 << 20
# What zlib takes: gzip only, or gzip and zlib.
_GZIP_ONLY, _GZIP_OR_ZLIB = zlib.MAX_WBITS | 16, zlib.MAX_WBITS | 32
# Behind the voxels a gzip stream is read on to its end, which tells whether it is whole; nobody has more there.
_LONGEST_TAIL = 64 << 20


@dataclass(frozen=True)
class Stream:
    """An open file.

    Attributes:
        path: Its name.
        file: Its bytes from ``start`` on, unpacked.
        start: Bytes of the file that are left out.
        packed: Whether they had to be unpacked.
    """

    path: Path
    file: IO[bytes]
    start: int
    packed: bool

    def read_voxels(self, offset: int, length: int) -> np.ndarray:
        """``length`` bytes from byte ``offset`` of the stream on, as a writable array of bytes.

        Raises:
            InputError: They are not there; nothing is reserved for bytes that cannot be there.
        """
        present = self.path.stat().st_size
        if self.packed:
            if length > max(_HARMLESS, present * _LARGEST_RATIO):
                raise InputError(
                    f"{self.path} is damaged or cut off: its header tells of {length} bytes of voxels, which a file of "
                    f"{present} bytes cannot hold."
                )
            while offset > 0 and (skipped := self.file.read(min(offset, _CHUNK))):
                offset -= len(skipped)
        else:
            room = max(0, present - self.start - offset)
            if room < length:
                raise self._cut(room, length)
            self.file.seek(self.start + offset)
        buffer = np.empty(length, np.uint8)
        view, found = memoryview(buffer), 0
        while found < length:
            count = self.file.readinto(view[found : found + _PIECE])  # type: ignore[attr-defined]
            if not count:
                raise self._cut(found, length)
            found += count
        return buffer

    def check_end(self) -> None:
        """Read a packed stream to its end: only so it is known to be whole. What lies behind it does not matter."""
        if not self.packed:
            return
        left = _LONGEST_TAIL
        while left > 0 and (chunk := self.file.read(_CHUNK)):
            left -= len(chunk)

    def _cut(self, found: int, length: int) -> InputError:
        return InputError(f"{self.path} is cut off: {found} of {length} bytes of voxels are there.")


class _Deflated(io.RawIOBase):
    """The content of a gzip file or zlib stream, checked by zlib; what follows its streams is left alone.

    :mod:`gzip` unpacks 8 kB at a time, copies each piece twice, and takes what follows for damage.
    """

    def __init__(self, raw: IO[bytes], kinds: int) -> None:
        self._raw = raw
        self._packed = b""
        self._inflate = zlib.decompressobj(kinds)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._inflate.eof:
                self._packed = self._inflate.unused_data or self._raw.read(_CHUNK)
                if not self._packed.startswith(_GZIP):
                    return 0
                self._inflate = zlib.decompressobj(_GZIP_ONLY)
            packed = self._packed or self._raw.read(_CHUNK)
            data = self._inflate.decompress(packed, min(len(buffer), _CHUNK))
            self._packed = self._inflate.unconsumed_tail
            if data:
                buffer[: len(data)] = data
                return len(data)
            if not packed:
                raise EOFError


@contextlib.contextmanager
def opened(path: Path, packing: str | None = None, start: int = 0) -> Iterator[Stream]:
    """Open a file for reading.

    Args:
        path: The file.
        packing: "gzip", "zlib" (which gzip may take the place of), "bzip2" or "raw"; None looks at the first bytes.
        start: Bytes before what is to be read, which are not packed.

    Raises:
        InputError: Within the block, what is packed turns out to be cut off or damaged.
    """
    with path.open("rb") as raw:
        raw.seek(start)
        if packing is None:
            packing = _packing(raw.read(3))
            raw.seek(start)
        try:
            if packing in ("gzip", "zlib"):
                kinds = _GZIP_ONLY if packing == "gzip" else _GZIP_OR_ZLIB
                yield Stream(path, io.BufferedReader(_Deflated(raw, kinds), _CHUNK), start, True)
            elif packing == "bzip2":
                yield Stream(path, bz2.BZ2File(raw), start, True)
            else:
                yield Stream(path, raw, start, False)
        except EOFError as error:
            raise InputError(f"{path} is cut off: its compressed data end too early.") from error
        except (zlib.error, OSError) as error:
            # What bz2 raises about damage carries no number of the operating system.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise InputError(f"{path} is damaged: its compressed data are cut off or corrupt.") from error


def _packing(start: bytes) -> str:
    if start[:2] == _GZIP:
        return "gzip"
    return "bzip2" if start == _BZIP2 else "raw"


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes of a file as they stand there."""
    with path.open("rb") as file:
        return file.read(count)


def is_packed(path: Path) -> bool:
    """Whether a file begins as gzip or bzip2 do."""
    return _packing(first_bytes(path, 3)) != "raw"


def first_unpacked(path: Path, count: int) -> bytes:
    """The first bytes of a file, unpacked; none where it is damaged."""
    with contextlib.suppress(InputError), opened(path) as stream:
        return stream.file.read(count)
    return b""
