"""A finished run: what it shows and what it writes, given what the scene holds by then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import InputError
from ...imaging import array_axis
from ..interface import RunReport, Selection, Suggestion
from ..mrml.editing import Change, SegmentWriter, restricts
from ..mrml.grid import Part, bounding_extent, box_slices, on_box, shifted, union
from ..mrml.segments import read_part
from ..mrml.volumes import centre_of_slice, grid_size, voxel_mm3
from ..support.applied_results import slice_digests
from ..support.marks import remember_result
from .computing import RunResult
from .plan import RunPlan
from .trial import rules_of, tried


@dataclass(frozen=True)
class Snapshot:
    """The segments as they were when the run started.

    Attributes:
        selection: The nodes.
        plan: The run.
        digests: Segment id to the content of its slices along the run's axis.
    """

    selection: Selection
    plan: RunPlan
    digests: dict[str, dict[int, int]]

    @classmethod
    def take(cls, selection: Selection, plan: RunPlan) -> Snapshot:
        """Read the segments of the plan."""
        digests = {}
        for segment_id in plan.names:
            part = read_part(selection.segmentation, segment_id, selection.volume)
            digests[segment_id] = slice_digests(part, plan.axis)
        return cls(selection, plan, digests)


@dataclass(frozen=True)
class FinishedRun:
    """A result that waits for Apply or Discard.

    Attributes:
        snapshot: How it started.
        result: What came out.
        report: What the panel shows of it.
    """

    snapshot: Snapshot
    result: RunResult
    report: RunReport

    def outcome(self, scene: Any, writer: SegmentWriter) -> dict[str, Part | None]:
        """Segment id to what the segment will hold; segments that were deleted meanwhile are left out.

        Where the Segment Editor's masks or its intensity range leave voxels out, the result is written into a copy of
        the segmentation and read there, so that the preview is what Apply will make.
        """
        changes = self._changes()
        if not changes or not restricts(self.rules(scene)):
            return {change.segment_id: _after(change, present) for change, present in changes}
        return tried(scene, writer, [change for change, _ in changes], self.snapshot.selection, self.rules(scene))

    def rules(self, scene: Any) -> Any | None:
        """The Segment Editor's node, while it is there."""
        return rules_of(scene, self.snapshot.selection)

    def write(self, scene: Any, writer: SegmentWriter) -> int:
        """Write into the segmentation and remember which slices are predictions; returns the changed voxels.

        Raises:
            InputError: A node or every segment was deleted.
        """
        selection, plan = self.snapshot.selection, self.snapshot.plan
        check_present(scene, selection)
        changes = self._changes()
        if not changes:
            raise InputError("Every segment of the run was deleted; there is nothing to write into.")
        marked = {change.segment_id: plan.marked_by(change.segment_id) for change, _ in changes}
        for change, _ in changes:
            marked[change.segment_id] |= self._touched(change.segment_id)
        voxels = writer.apply(
            [change for change, _ in changes], selection.segmentation, selection.volume, self.rules(scene)
        )
        for segment_id, indices in marked.items():
            remember_result(selection.segmentation, [segment_id], selection.volume, plan.axis, indices)
        return voxels

    def _changes(self) -> list[tuple[Change, np.ndarray]]:
        """A change per segment that is still there, with what the segment holds in its box now."""
        segmentation, plan = self.snapshot.selection.segmentation, self.snapshot.plan
        found = []
        for segment_id, predicted in self.result.parts.items():
            if segmentation.GetSegmentation().GetSegment(segment_id) is None:
                continue
            present = read_part(segmentation, segment_id, self.snapshot.selection.volume)
            box = union(present.extent if present else None, predicted.extent if predicted else None)
            if box is None:
                box = (0, 0, 0, 0, 0, 0)
            editable = plan.editable(segment_id)
            editable[sorted(self._touched(segment_id))] = False
            wanted, now = on_box(predicted, box), on_box(present, box)
            number = 2 - array_axis(plan.axis)
            along = editable[box[2 * number] : box[2 * number + 1] + 1]
            shape = [1, 1, 1]
            shape[array_axis(plan.axis)] = len(along)
            mask = np.broadcast_to(along.reshape(shape), wanted.shape)
            found.append((Change(segment_id, wanted, box, mask, plan.axis), now))
        return found

    def _touched(self, segment_id: str) -> set[int]:
        """Slices on which the user worked since the run started: they are the user's."""
        selection = self.snapshot.selection
        part = read_part(selection.segmentation, segment_id, selection.volume)
        now, then = slice_digests(part, self.snapshot.plan.axis), self.snapshot.digests[segment_id]
        return {index for index in now.keys() | then.keys() if now.get(index) != then.get(index)}


def report_of(snapshot: Snapshot, result: RunResult) -> RunReport:
    """What the panel shows of a result."""
    plan, volume = snapshot.plan, snapshot.selection.volume
    lost = [name for segment_id, name in plan.names.items() if _is_gone(snapshot, segment_id)]
    warnings = result.warnings
    if lost:
        warnings = (*warnings, f"Deleted during the run and left out: {', '.join(lost)}.")
    voxels = {key: int(np.count_nonzero(part.array)) if part else 0 for key, part in result.parts.items()}
    return RunReport(
        axis=plan.axis,
        segment_ids=tuple(result.parts),
        examples=result.examples,
        names={key: plan.names[key] for key in result.parts},
        voxels=voxels,
        millilitres={key: count * voxel_mm3(volume) / 1000 for key, count in voxels.items()},
        seconds=result.seconds,
        device=result.device,
        model=result.model,
        warnings=warnings,
        suggestions=tuple(
            Suggestion(plan.axis, index, centre_of_slice(volume, plan.axis, index), score)
            for index, score in result.suggestions
        ),
    )


def check_present(scene: Any, selection: Selection) -> None:
    """Refuse, in words, to go on with nodes that were deleted (InputError)."""
    for node, what in ((selection.volume, "volume"), (selection.segmentation, "segmentation")):
        if not scene.IsNodePresent(node):
            raise InputError(f"The {what} '{node.GetName()}' was deleted; nothing was changed.")
    if grid_size(selection.volume) == (0, 0, 0):
        raise InputError(f"The volume '{selection.volume.GetName()}' has lost its image data; nothing was changed.")


def describe(voxels: int, report: RunReport) -> str:
    """One sentence after Apply."""
    if not voxels:
        return "Applied; there was nothing to change."
    segments = "1 segment" if len(report.segment_ids) == 1 else f"{len(report.segment_ids)} segments"
    return f"Applied: {voxels:,} voxels of {segments} changed. One undo takes it back."


def without_preview(report: RunReport) -> RunReport:
    """The report once its preview is gone."""
    return replace(report, preview=None)


def _is_gone(snapshot: Snapshot, segment_id: str) -> bool:
    return snapshot.selection.segmentation.GetSegmentation().GetSegment(segment_id) is None


def _after(change: Change, present: np.ndarray) -> Part | None:
    after = np.where(change.editable, change.wanted, present)
    tight = bounding_extent(after)
    if tight is None:
        return None
    return Part(shifted(tight, (change.box[0], change.box[2], change.box[4])), after[box_slices(tight)])
