"""A run: what it is asked to do, how it stands, and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

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
