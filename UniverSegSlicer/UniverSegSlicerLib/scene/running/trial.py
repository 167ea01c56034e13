"""What segments would hold after a change under the Segment Editor's masks, tried on a copy."""

from __future__ import annotations

from typing import Any

from ..interface import Selection
from ..mrml.creation import copied
from ..mrml.editing import Change, SegmentWriter
from ..mrml.grid import Part
from ..mrml.preview import remove_node
from ..mrml.segments import read_part


def tried(
    scene: Any, writer: SegmentWriter, changes: list[Change], selection: Selection, rules: Any
) -> dict[str, Part | None]:
    """Segment id to what it would hold on the volume's grid; the segmentation and its undo stay as they are."""
    copy = copied(scene, selection.segmentation, selection.volume)
    try:
        writer.apply(changes, copy, selection.volume, rules, undoable=False)
        return {change.segment_id: read_part(copy, change.segment_id, selection.volume) for change in changes}
    finally:
        remove_node(scene, copy)


def rules_of(scene: Any, selection: Selection) -> Any | None:
    """The Segment Editor's node, while it is there."""
    editor = selection.editor
    return editor if editor is not None and scene.IsNodePresent(editor) else None
