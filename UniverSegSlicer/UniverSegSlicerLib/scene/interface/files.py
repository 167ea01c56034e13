"""The export: what to write, and what was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExportOptions:
    """What to write.

    Attributes:
        folder: An existing or new folder.
        name: File name without ending; "" takes the segmentation's name.
        segment_ids: Which segments; None for all.
        single_files: Also one 0/1 file per segment.
        names_file: CSV with the label values to use and to extend; None for ``labels.csv`` in the folder.
    """

    folder: Path
    name: str = ""
    segment_ids: tuple[str, ...] | None = None
    single_files: bool = False
    names_file: Path | None = None


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    Attributes:
        label_map: The label map file.
        names_file: The CSV with the values.
        single_files: One file per segment, in the order of ``values``; empty unless asked for.
        values: Segment name to label value in the file.
        overlap_voxels: Voxels that several segments claim; the later segment has them in the label map.
        note: What the user should know about where the files lie, "" for nothing.
    """

    label_map: Path
    names_file: Path
    single_files: tuple[Path, ...]
    values: dict[str, int]
    overlap_voxels: int
    note: str = ""
