"""What a segment looked like when a result was applied, as text for a tag of the segment."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass

import numpy as np

from ..imaging import AXES, array_axis
from .grid import Part

#: Tag of a segment that holds the record.
RECORD_TAG = "UniverSeg.Result"


@dataclass(frozen=True)
class Record:
    """What a segment looked like when a result was applied.

    Attributes:
        axis: Axis of the run.
        grid: Checksum of the grid that the slices belong to.
        marked: The marked slices along ``axis`` at that time.
        digests: Per axis, slice index to checksum of its content; slices that are not named were empty.
    """

    axis: str
    grid: int
    marked: tuple[int, ...]
    digests: dict[str, dict[int, int]]

    def to_text(self) -> str:
        """One line without the separators of segment tags."""
        fields = [self.axis, str(self.grid), ",".join(map(str, self.marked))]
        for axis in AXES:
            items = sorted(self.digests[axis].items())
            fields.append(base64.b64encode(np.array(items, "<u4").tobytes()).decode())
        return ";".join(fields)

    @classmethod
    def from_text(cls, text: str) -> Record | None:
        """The record of a tag; None where the text is not one (hand-edited, or of a later version)."""
        try:
            axis, grid, marked, *packed = text.split(";")
            tables = [np.frombuffer(base64.b64decode(part, validate=True), "<u4").reshape(-1, 2) for part in packed]
            digests = {
                name: {int(index): int(digest) for index, digest in table}
                for name, table in zip(AXES, tables, strict=True)
            }
            numbers = tuple(int(number) for number in marked.split(",") if number)
            return cls(axis, int(grid), numbers, digests) if axis in AXES else None
        except ValueError:
            return None


def slice_digests(part: Part | None, axis: str) -> dict[int, int]:
    """Slice index along ``axis`` to a checksum of where its voxels are, for every slice that is not empty."""
    if part is None:
        return {}
    number = AXES.index(axis)
    rows_axis, cols_axis = (name for name in reversed(range(3)) if name != number)
    row_start, col_start = part.extent[2 * rows_axis], part.extent[2 * cols_axis]
    result = {}
    for position, pixels in enumerate(np.moveaxis(part.array, array_axis(axis), 0) != 0):
        rows, cols = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        if rows.size == 0:
            continue
        box = np.array([rows[0] + row_start, rows[-1] + row_start, cols[0] + col_start, cols[-1] + col_start], "<i4")
        tight = pixels[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        result[part.extent[2 * number] + position] = zlib.crc32(np.packbits(tight).tobytes(), zlib.crc32(box.tobytes()))
    return result
