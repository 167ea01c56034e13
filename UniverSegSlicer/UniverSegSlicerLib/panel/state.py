"""Which buttons can be pressed in which state, and what the panel says there. No widgets in here."""

from __future__ import annotations

from dataclasses import dataclass, fields

from slicer.i18n import tr as _


@dataclass(frozen=True)
class Situation:
    """What is true of the panel at this moment.

    Attributes:
        problem: why the chosen volume cannot be used, in words; empty when it can.
        marks_problem: why the marks cannot be used as they are, in words; empty when they can.
        marks: slices of this volume in the support set and in use.
        elsewhere: support examples from other volumes or files.
        running: a run is under way.
        preview: a result waits for Apply or Discard.
        clicking: click-to-segment is on.
        clicks: clicks made on the current slice.
        suggestions: the last run named slices to mark next.
        confidence: the last run left a confidence volume.
        segments: segments with something in them.
        folder: a folder is worked on.
        report: the last folder has a report.
    """

    volume: bool = False
    problem: str = ""
    marks_problem: str = ""
    marks: int = 0
    elsewhere: int = 0
    running: bool = False
    preview: bool = False
    clicking: bool = False
    clicks: int = 0
    suggestions: bool = False
    confidence: bool = False
    segments: int = 0
    folder: bool = False
    report: bool = False


@dataclass(frozen=True)
class Controls:
    """Enabled (True) or greyed out (False), by the names of the widgets in the ``.ui`` file."""

    segmentButton: bool
    cancelButton: bool
    applyButton: bool
    discardButton: bool
    nextSliceButton: bool
    confidenceCheckBox: bool
    confidenceSlider: bool
    clickButton: bool
    acceptClickButton: bool
    undoClickButton: bool
    leaveClickButton: bool
    useSupportButton: bool
    saveSupportButton: bool
    clearSupportButton: bool
    exportButton: bool
    folderInputPathLineEdit: bool
    folderTableButton: bool
    folderKindLineEdit: bool
    folderOutputPathLineEdit: bool
    folderStartButton: bool
    folderStopButton: bool
    folderReportButton: bool
    volumeSelector: bool
    segmentationSelector: bool

    def items(self) -> list[tuple[str, bool]]:
        """(widget name, enabled) of each."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


def controls(now: Situation) -> Controls:
    """What can be pressed in a situation."""
    usable = now.volume and not now.problem
    idle = usable and not now.running
    # Marks that cannot be used do not stand in the way of support from elsewhere.
    support = now.elsewhere > 0 or (now.marks > 0 and not now.marks_problem)
    return Controls(
        segmentButton=idle and support and not now.clicking,
        cancelButton=now.running,
        applyButton=now.preview and not now.running and not now.clicking,
        discardButton=now.preview and not now.running and not now.clicking,
        nextSliceButton=now.suggestions and not now.running,
        confidenceCheckBox=now.confidence,
        confidenceSlider=now.confidence,
        clickButton=now.clicking or (idle and not now.preview),
        acceptClickButton=now.clicking and now.clicks > 0,
        undoClickButton=now.clicking and now.clicks > 0,
        leaveClickButton=now.clicking,
        useSupportButton=idle and now.elsewhere > 0 and not now.clicking,
        # A segmentation that is complete goes in whole, marks or not.
        saveSupportButton=idle and (support or now.segments > 0),
        clearSupportButton=now.elsewhere > 0 and not now.running,
        exportButton=idle and now.segments > 0,
        folderInputPathLineEdit=not now.folder,
        folderTableButton=not now.folder,
        folderKindLineEdit=not now.folder,
        folderOutputPathLineEdit=not now.folder,
        folderStartButton=idle and (support or now.segments > 0) and not now.folder,
        folderStopButton=now.folder,
        folderReportButton=now.report and not now.folder,
        volumeSelector=not now.running and not now.clicking,
        segmentationSelector=not now.running and not now.clicking,
    )


def hint(now: Situation) -> str:
    """One sentence: what to do next."""
    marks_stand_in_the_way = bool(now.marks_problem and not now.elsewhere)
    # The first case that is true speaks.
    cases = (
        (not now.volume, _("Choose a volume to begin.")),
        (bool(now.problem), now.problem),
        (now.running, _("Segmenting...")),
        (now.clicking, _("Click on the structure in a slice view; Ctrl+click excludes. Return accepts, Esc leaves.")),
        (now.preview, _("This is a preview. Apply it, discard it, or mark one more slice and segment again.")),
        (marks_stand_in_the_way, now.marks_problem),
        (
            now.marks + now.elsewhere == 0,
            _("Mark the structure on three to five slices of one orientation, or load a support set."),
        ),
        (True, _("Ready: press Segment.")),
    )
    return next(sentence for true, sentence in cases if true)
