"""Files as streams of bytes, unpacked where they are packed, whatever their names say."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import InputError
from .promises import LARGEST_RATIO, check_room

_GZIP, _BZIP2 = b"\x1f\x8b", b"BZh"
_CHUNK = 1 << 20
_PIECE = 16 << 20
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
            check_room(self.path, length, present * LARGEST_RATIO)
            self.file.seek(offset)
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

    def read_header(self, lengths: Sequence[int]) -> bytes:
        """The first bytes, as many as the longest of these lengths, rising, that is there."""
        data = b""
        for length in lengths:
            try:
                data += self.file.read(length - len(data))
            except (OSError, EOFError):
                if not data:
                    raise
                break  # what is behind a short stream matters no more here than it does behind the voxels
        return data

    def check_end(self) -> None:
        """Read a packed stream to its end: only so it is known to be whole. What lies behind it does not matter."""
        if not self.packed:
            return
        try:
            left = _LONGEST_TAIL
            while left > 0 and (chunk := self.file.read(_CHUNK)):
                left -= len(chunk)
        except gzip.BadGzipFile as error:
            if "Not a gzipped file" not in str(error):
                raise
        except OSError as error:
            if not _is_damage(error):
                raise

    def _cut(self, found: int, length: int) -> InputError:
        return InputError(f"{self.path} is cut off: {found} of {length} bytes of voxels are there.")


@contextlib.contextmanager
def opened(path: Path, packing: str | None = None, start: int = 0) -> Iterator[Stream]:
    """Open a file for reading.

    Args:
        path: The file.
        packing: "gzip", "bzip2" or "raw"; None looks at the first bytes.
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
            if packing == "gzip":
                yield Stream(path, gzip.GzipFile(fileobj=raw), start, True)  # type: ignore[arg-type]
            elif packing == "bzip2":
                yield Stream(path, bz2.BZ2File(raw), start, True)
            else:
                yield Stream(path, raw, start, False)
        except EOFError as error:
            raise InputError(f"{path} is cut off: its compressed data end too early.") from error
        except (zlib.error, OSError) as error:
            if isinstance(error, OSError) and not _is_damage(error):
                raise
            raise InputError(f"{path} is damaged: its compressed data are cut off or corrupt.") from error


def _packing(start: bytes) -> str:
    if start[:2] == _GZIP:
        return "gzip"
    return "bzip2" if start == _BZIP2 else "raw"


def _is_damage(error: OSError) -> bool:
    # What gzip and bz2 raise carries no number of the operating system.
    return error.errno is None


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes of a file as they stand there."""
    with path.open("rb") as file:
        return file.read(count)


def is_packed(path: Path) -> bool:
    """Whether a file begins as gzip or bzip2 do."""
    return _packing(first_bytes(path, 3)) != "raw"


def first_unpacked(path: Path, lengths: Sequence[int]) -> bytes:
    """The first bytes of a file, unpacked, of the longest of these lengths that is there; none where it is damaged."""
    with contextlib.suppress(InputError), opened(path) as stream:
        return stream.read_header(lengths)
    return b""
