"""What the panel, the Segment Editor effect and scripts see of the scene logic: plain values and one Protocol.

Nodes are MRML nodes and typed ``Any``: Slicer gives them no types. Every method is called on the main thread. What the
user got wrong comes as :class:`~UniverSegSlicerLib.errors.UniverSegError` from methods that are called by a button, and
as :attr:`State.error` from work that runs in the background: one sentence in both cases, and nothing is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

Axis = Literal["auto", "i", "j", "k"]
Quality = Literal["fast", "balanced", "best"]
Reach = Literal["volume", "between", "slice", "around"]
Phase = Literal["idle", "running", "preview", "click"]


@dataclass(frozen=True)
class Selection:
    """The nodes that the user works on.

    Attributes:
        volume: The scalar volume node, or None.
        segmentation: The segmentation node, or None.
        segment_ids: The segments to fill; None stands for every visible one with marks, without those that are complete
            already (status completed, filled through and through, or unchanged since their result while another has
            new marks).
        editor: The ``vtkMRMLSegmentEditorNode`` whose masks, intensity range and overwrite mode rule; None for no rules
            (then other segments are never overwritten).
    """

    volume: Any
    segmentation: Any
    segment_ids: tuple[str, ...] | None = None
    editor: Any = None


@dataclass(frozen=True)
class RunOptions:
    """How to segment.

    Attributes:
        axis: Along which slices are taken; "auto" follows the marks.
        reach: The whole volume, only between the outermost marks, one slice, or the slices around a corrected one,
            which are led from the correction to the result as it is a few slices further on.
        current: The slice of ``reach="slice"`` and ``"around"`` (0-based).
        quality: From one pass to several that vote; "best" also tunes the network on the examples for up to a minute.
        model: Name of the catalogue or path of a weight file.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        surface: Show the preview as a surface in the 3D views, too; it is made in the background and comes when ready.
        keep_marked: Marked slices come back bit for bit; False lets the result replace them.
        use_marked: Take the marked slices as examples; False uses only what was added from elsewhere.
    """

    axis: Axis = "auto"
    reach: Reach = "volume"
    current: int | None = None
    quality: Quality = "balanced"
    model: str = "default"
    device: str = "auto"
    surface: bool = False
    keep_marked: bool = True
    use_marked: bool = True


@dataclass(frozen=True)
class SupportRow:
    """One line of the support table.

    Attributes:
        key: Names the row in :meth:`Logic.set_used`, :meth:`Logic.remove` and :meth:`Logic.thumbnail`.
        kind: A slice marked here, another volume with its segmentation, or a support set from a file.
        title: "Axial 42"-like text for a marked slice, otherwise the name of the source.
        axis: Axis of a marked slice, else "".
        index: 0-based slice of a marked slice, else -1.
        area_mm2: Marked area of a marked slice, else 0.
        examples: How many examples the row brings; 0 when the row cannot be used, and then ``note`` tells why.
        used: Whether the next run uses it.
        note: A warning, "" for none.
        agreement: Dice, 0 to 1, of a marked slice with what the other marks made of it in the last run; None where it
            was not asked (the outermost marks), or the slice has changed since.
    """

    key: str
    kind: Literal["marked", "pair", "file"]
    title: str
    axis: str
    index: int
    area_mm2: float
    examples: int
    used: bool
    note: str = ""
    agreement: float | None = None


@dataclass(frozen=True)
class SupportTable:
    """The rows, and one sentence when the marks cannot be used as they are ("" when they can)."""

    rows: tuple[SupportRow, ...] = ()
    message: str = ""


@dataclass(frozen=True)
class SavedSupport:
    """A support set that was written: the file, how many slices are in it, and how many whole scans."""

    path: Path
    slices: int
    scans: int


@dataclass(frozen=True)
class Suggestion:
    """A slice worth marking next: axis, 0-based index, world position (RAS, mm) of its middle, score (larger first)."""

    axis: str
    index: int
    ras: tuple[float, float, float]
    score: float


@dataclass(frozen=True)
class RunReport:
    """What a finished run found.

    Attributes:
        axis: The axis that slices were taken along.
        segment_ids: The segments that were filled.
        examples: Number of support examples.
        names: Segment id to name.
        voxels: Voxels per segment id in the result.
        millilitres: The same in ml.
        seconds: Computing time.
        device: Where it ran.
        model: Its name.
        warnings: One sentence each.
        suggestions: Slices to mark next, most worthwhile first.
        preview: The preview segmentation node, or None once applied or discarded.
        confidence: The confidence volume node (0 to 100 percent), or None.
    """

    axis: str
    segment_ids: tuple[str, ...]
    examples: int
    names: dict[str, str]
    voxels: dict[str, int]
    millilitres: dict[str, float]
    seconds: float
    device: str
    model: str
    warnings: tuple[str, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    preview: Any = None
    confidence: Any = None


@dataclass(frozen=True)
class State:
    """What the panel shows.

    Attributes:
        phase: "idle", "running", "preview" (a result waits for Apply or Discard), or "click".
        fraction: Progress in [0, 1] while running.
        message: What is going on, or how the last step ended ("Cancelled.", "Applied to 2 segments.").
        error: One sentence of the last failure; "" when there was none. Cleared by the next step.
        report: The last finished run, kept after Apply for its suggestions.
        busy: The worker thread is at work (running, or a click is being answered).
        revision: Grows with every change: compare it to know whether to redraw.
    """

    phase: Phase = "idle"
    fraction: float = 0.0
    message: str = ""
    error: str = ""
    report: RunReport | None = None
    busy: bool = False
    revision: int = 0


@dataclass(frozen=True)
class ClickState:
    """Click to segment: where, and with which points ((row, col) of the slice)."""

    axis: str
    index: int
    segment_id: str
    include: tuple[tuple[int, int], ...] = ()
    exclude: tuple[tuple[int, int], ...] = ()


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


class Logic(Protocol):
    """What the panel calls. :class:`~UniverSegSlicerLib.scene.logic.UniverSegLogic` is the real one."""

    @property
    def state(self) -> State:
        """The state now."""

    def poll(self) -> State:
        """Take in what the worker finished; call from a timer every 30 to 50 ms. Never raises."""

    # --- marking ---
    def new_segmentation(self, volume: Any, segment_name: str = ...) -> Any:
        """Make a segmentation node for a volume with one empty segment; returns the node."""

    # --- support set ---
    def support(self, selection: Selection, axis: Axis = ...) -> SupportTable:
        """The table of examples. Cheap enough to call after every stroke."""

    def thumbnail(self, selection: Selection, key: str, size: int = ...) -> np.ndarray:
        """A picture of a row: uint8 (size, size, 3) RGB, the structure outlined in its segment's colour."""

    def slice_position(self, volume: Any, axis: str, index: int) -> tuple[float, float, float]:
        """World position (RAS, mm) to jump to for a slice."""

    def set_used(self, selection: Selection, key: str, used: bool) -> None:
        """Switch an example on or off."""

    def remove(self, selection: Selection, key: str) -> None:
        """Take a row out: a marked slice counts as a prediction from then on, other rows are dropped from the scene."""

    def add_pair(self, volume: Any, segmentation: Any) -> None:
        """Use the marked slices of another volume and segmentation of the scene."""

    def add_file(self, path: str | Path) -> None:
        """Use a saved support set; it is stored in the scene."""

    def save_support(
        self, selection: Selection, path: str | Path, axis: Axis = ..., *, slices_only: bool = ...
    ) -> SavedSupport:
        """Write every example in use to a file, with the whole scan where a segmentation is complete."""

    def use_support(self, selection: Selection, options: RunOptions = ...) -> None:
        """Segment everything that the examples from elsewhere name, in segments of these names; see :meth:`start`."""

    # --- runs ---
    def start(self, selection: Selection, options: RunOptions = ...) -> None:
        """Segment in the background; the result comes as a preview."""

    def cancel(self) -> None:
        """Stop the run; the segmentation stays as it was."""

    def apply(self) -> int:
        """Write the preview into the segmentation as one step of undo; returns the number of voxels that changed."""

    def discard(self) -> None:
        """Throw the preview away."""

    def show_surface(self, visible: bool) -> None:
        """Make the surface of the preview in the background, or remove it."""

    def show_confidence(self, visible: bool) -> None:
        """Make or keep the confidence volume of the last run for the slice views, or remove it."""

    # --- click to segment ---
    @property
    def clicks(self) -> ClickState | None:
        """The click session, None outside one."""

    def begin_clicks(self, selection: Selection, axis: str, index: int, options: RunOptions = ...) -> None:
        """Start clicking on one slice for the first chosen segment."""

    def click(self, ras: tuple[float, float, float], include: bool = ...) -> bool:
        """Add a point at a world position; False when it is not on the slice. The answer shows up in the preview."""

    def click_on(
        self,
        selection: Selection,
        axis: str,
        index: int,
        ras: tuple[float, float, float],
        include: bool = ...,
        options: RunOptions = ...,
    ) -> None:
        """Add a point on whichever slice it is; clicking begins there where it has not."""

    def take_back_click(self) -> bool:
        """Remove the last point; False when there is none."""

    def accept_clicks(self) -> int:
        """Write the slice into the segment (one undo); it becomes a marked slice. Returns the changed voxels."""

    def end_clicks(self) -> None:
        """Leave without writing."""

    # --- export, life cycle ---
    def export(self, volume: Any, segmentation: Any, options: ExportOptions) -> ExportReport:
        """Write NIfTI label map and names file."""

    def scene_closing(self) -> None:
        """Cancel and let go of all nodes; call on the scene's StartCloseEvent."""

    def shutdown(self) -> None:
        """Cancel, end the worker thread, let go of all nodes. The logic cannot be used afterwards."""


__all__ = [
    "Axis",
    "ClickState",
    "ExportOptions",
    "ExportReport",
    "Logic",
    "Phase",
    "Quality",
    "Reach",
    "RunOptions",
    "RunReport",
    "SavedSupport",
    "Selection",
    "State",
    "Suggestion",
    "SupportRow",
    "SupportTable",
]
