"""What a segment looked like when a result was applied, as text for a tag of the segment."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass

import numpy as np

from ...imaging import AXES, array_axis
from ..mrml.grid import Part

#: Tag of a segment that holds the record.
RECORD_TAG = "UniverSeg.Result"

# So many predicted slices may be emptied by somebody who says of each that nothing is there.
_EMPTIED_ONE_BY_ONE = 3


@dataclass(frozen=True)
class Record:
    """What a segment looked like when a result was applied.

    Attributes:
        axis: Axis of the run.
        grid: Checksum of the grid that the slices belong to.
        marked: The marked slices along ``axis`` at that time.
        digests: Per axis, slice index to checksum of its content; slices that are not named were empty.
        settled: Every mark took part in a result; False where marks were changed by hand in the table since.
    """

    axis: str
    grid: int
    marked: tuple[int, ...]
    digests: dict[str, dict[int, int]]
    settled: bool = True

    def to_text(self) -> str:
        """One line without the separators of segment tags."""
        fields = [self.axis, str(int(self.settled)), str(self.grid), ",".join(map(str, self.marked))]
        for axis in AXES:
            items = sorted(self.digests[axis].items())
            fields.append(base64.b64encode(np.array(items, "<u4").tobytes()).decode())
        return ";".join(fields)

    @classmethod
    def from_text(cls, text: str) -> Record | None:
        """The record of a tag; None where the text is not one (hand-edited, or of a later version)."""
        try:
            axis, settled, grid, marked, *packed = text.split(";")
            tables = [np.frombuffer(base64.b64decode(part, validate=True), "<u4").reshape(-1, 2) for part in packed]
            digests = {
                name: {int(index): int(digest) for index, digest in table}
                for name, table in zip(AXES, tables, strict=True)
            }
            numbers = tuple(int(number) for number in marked.split(",") if number)
            return cls(axis, int(grid), numbers, digests, settled == "1") if axis in AXES else None
        except ValueError:
            return None


def begins_anew(record: Record, part: Part) -> bool:
    """Whether a segment was emptied and painted anew since the record, so that the record says nothing of it.

    Slices that were emptied one by one say that the structure is not there; so do all that were emptied beyond what is
    left, where a result had run over. A segment of whose prediction nothing is left, and that was emptied between what
    it holds now, or of which no slice is as it was, is another piece of work.
    """
    now, then = slice_digests(part, record.axis), record.digests[record.axis]
    gone = then.keys() - now.keys()
    kept = {index for index in then.keys() & now.keys() if then[index] == now[index]}
    if not gone or kept - set(record.marked):
        return False
    if not kept and (len(gone) > _EMPTIED_ONE_BY_ONE or gone & set(record.marked)):
        return True
    return len(gone) > 1 and any(min(now) < index < max(now) for index in gone)


def slice_digests(part: Part | None, axis: str) -> dict[int, int]:
    """Slice index along ``axis`` to a checksum of where its voxels are, for every slice that is not empty.

    The checksum is of the slice's bits in a layout that does not depend on the extent of ``part``.
    """
    if part is None:
        return {}
    number = AXES.index(axis)
    cols_axis, rows_axis = (other for other in range(3) if other != number)
    stack = np.moveaxis(part.array, array_axis(axis), 0) != 0
    filled = np.flatnonzero(stack.any(axis=(1, 2)))
    rows, cols = part.extent[2 * rows_axis], part.extent[2 * cols_axis]
    # Eight columns to a byte, aligned to column 0; rows and bytes before the part are zeros and need not be hashed, for
    # where the rest stands goes into the checksum as its start.
    aligned = np.zeros((len(stack), stack.shape[1], cols % 8 + stack.shape[2]), bool)
    aligned[..., cols % 8 :] = stack
    bits = np.packbits(aligned, axis=2)
    result = {}
    for position in filled:
        there = bits[position]
        lines, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
        tight = there[lines[0] : lines[-1] + 1, columns[0] : columns[-1] + 1]
        start = np.array([lines[0] + rows, lines[-1] + rows, columns[0] + cols // 8], "<i4")
        result[part.extent[2 * number] + int(position)] = zlib.crc32(tight.tobytes(), zlib.crc32(start.tobytes()))
    return result
