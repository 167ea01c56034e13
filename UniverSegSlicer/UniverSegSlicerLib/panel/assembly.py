"""Puts the panel together inside a running Slicer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctk
import qt
import slicer

from .background.packages import REQUIREMENTS
from .catalogue import CatalogueStore
from .host import SlicerDialogs, SlicerFolders, SlicerViews, provide_torch
from .views.icons import set_icons
from .widget import PATHS, UniverSegPanel

EDITOR_TAG = "UniverSegSlicer"
#: The tools that marking needs come first; the rest of the Segment Editor's stay in the Segment Editor.
EFFECTS = ["Paint", "Draw", "Erase", "Level tracing", "Threshold", "Scissors", "Islands", "Smoothing"]


def assemble(ui: Any, logic: Any, icons: str) -> UniverSegPanel:
    """The panel over Slicer's own widgets.

    Args:
        ui: The widgets of the ``.ui`` file by name.
        logic: The scene logic.
        icons: The module's folder of icons, with ``light`` and ``dark`` inside; the other resources lie beside it.
    """
    editor = slicer.qMRMLSegmentEditorWidget()
    editor.setMaximumNumberOfUndoStates(10)
    prepare_editor(editor)
    editor.setMRMLScene(slicer.mrmlScene)
    editor.setSegmentationNodeSelectorVisible(False)
    editor.setSourceVolumeNodeSelectorVisible(False)
    editor.setSwitchToSegmentationsButtonVisible(False)
    editor.setEffectNameOrder(EFFECTS)
    editor.setProperty("unorderedEffectsVisible", False)
    editor.setEffectColumnCount(4)
    # As high as what it shows: room that is left over belongs below the last section.
    editor.setSizePolicy(qt.QSizePolicy.Preferred, qt.QSizePolicy.Maximum)
    drop_spacers(editor.layout())
    ui.editorContainer.layout().addWidget(editor)
    # One Ctrl+Z in the panel's editor takes a result back, like a stroke.
    logic.writer.save_state = editor.saveStateForUndo
    set_icons(ui, Path(icons))
    for field in (getattr(ui, name) for name in PATHS):
        # Otherwise their buttons look for files. What is typed may be anything.
        field.filters = ctk.ctkPathLineEdit.Dirs
    return UniverSegPanel(
        ui,
        logic,
        editor,
        SlicerDialogs(),
        SlicerViews(),
        CatalogueStore(),
        provide_torch,
        SlicerFolders(Path(icons).parent / REQUIREMENTS),
        slicer.util.mainWindow(),
        slicer.app.userSettings(),
        prepare_editor=lambda: prepare_editor(editor),
    )


def drop_spacers(layout: Any) -> None:
    """Close the empty bands that a layout and those in it keep; where they stretch, they go on doing so."""
    for index in range(layout.count()):
        item = layout.itemAt(index)
        if item.spacerItem() is not None:
            item.spacerItem().changeSize(0, 0, qt.QSizePolicy.Minimum, qt.QSizePolicy.Expanding)
        elif item.layout() is not None:
            drop_spacers(item.layout())
    layout.invalidate()


def prepare_editor(editor: Any) -> None:
    """Give the embedded Segment Editor its node in the present scene (a closed scene took the last one along)."""
    node = slicer.mrmlScene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetName("UniverSegSlicer")
        node.SetSingletonTag(EDITOR_TAG)
        # A result takes no voxel from another segment, unless the user chooses so in the masking section.
        node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
        node = slicer.mrmlScene.AddNode(node)
    if editor.mrmlSegmentEditorNode() is not node:
        editor.setMRMLSegmentEditorNode(node)
