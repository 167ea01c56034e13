"""The façade that panel, Segment Editor effect and Python console drive; MRML on the calling thread only."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Cancelled
from .clicking import ClickControl
from .interface import (
    Axis,
    ClickState,
    ExportOptions,
    ExportReport,
    RunOptions,
    RunReport,
    SavedSupport,
    Selection,
    State,
    SupportTable,
)
from .mrml.creation import DEFAULT_SEGMENT, new_segmentation
from .mrml.editing import SegmentWriter
from .mrml.export import export_nifti
from .mrml.segments import check_segmentation
from .mrml.volumes import centre_of_slice, check_volume
from .running import RunControl, Session
from .running.finished import without_preview
from .running.models import Loader, ModelCache, load_from_catalogue
from .support import SupportList
from .support.sources import add_file, add_pair
from .support.windows import Windows


class UniverSegLogic:
    """In-context segmentation in a MRML scene. See :class:`~UniverSegSlicerLib.scene.interface.Logic`.

    Args:
        scene: The MRML scene.
        loader: How a model is loaded (name or path, device); on the worker thread.

    Attributes:
        writer: Writes into segments; set ``writer.save_state`` to an embedded editor's ``saveStateForUndo``.

    Example:
        >>> logic = UniverSegLogic(slicer.mrmlScene)  # doctest: +SKIP
        >>> logic.propagate(volume_node, segmentation_node)  # doctest: +SKIP
    """

    def __init__(self, scene: Any, loader: Loader = load_from_catalogue) -> None:
        self._scene = scene
        self._windows = Windows()
        self.writer = SegmentWriter(scene)
        session = Session(scene, ModelCache(loader), self.writer)
        self._holder, self._worker, self._stored = session.holder, session.worker, session.stored
        self._support = SupportList(scene, self._stored, self._windows.of)
        self._runs = RunControl(session)
        self._clicks = ClickControl(session)

    @property
    def state(self) -> State:
        """The state now."""
        return self._holder.state

    @property
    def clicks(self) -> ClickState | None:
        """The click session, None outside one."""
        return self._clicks.clicks

    def poll(self) -> State:
        """Take in what the worker finished, and let it work; call from a timer. Never raises."""
        try:
            self._worker.lend_interpreter()
            self._worker.poll()
            self._runs.notice_deleted_nodes()
            self._runs.follow_rules()
            self._clicks.notice_deleted_nodes()
        except Exception as error:
            logging.exception("UniverSeg")
            self._holder.set(
                phase="idle", error=f"Something went wrong ({type(error).__name__}: {error}); see the log."
            )
        self._holder.set(busy=self._worker.busy)
        return self.state

    # --- marking and support set ---

    def new_segmentation(self, volume: Any, segment_name: str = DEFAULT_SEGMENT) -> Any:
        """Make a segmentation node for a volume with one empty segment; returns the node."""
        check_volume(volume)
        node = new_segmentation(self._scene, volume, f"{volume.GetName()} segmentation")
        node.GetSegmentation().AddEmptySegment("", segment_name)
        return node

    def support(self, selection: Selection, axis: Axis = "auto") -> SupportTable:
        """The table of examples."""
        return self._support.table(selection, axis, self._runs.agreement)

    def thumbnail(self, selection: Selection, key: str, size: int = 64) -> np.ndarray:
        """A picture of a row: uint8 (size, size, 3) RGB."""
        return self._support.picture(selection, key, size)

    def slice_position(self, volume: Any, axis: str, index: int) -> tuple[float, float, float]:
        """World position (RAS, mm) to jump to for a slice."""
        return centre_of_slice(volume, axis, index)

    def set_used(self, selection: Selection, key: str, used: bool) -> None:
        """Switch an example on or off."""
        self._support.set_used(selection, key, used)

    def remove(self, selection: Selection, *keys: str) -> None:
        """Take rows out of the support table; one undo makes marks of the marked slices among them again."""
        if any(self._support.is_mark(key) for key in keys):
            self.writer.begin_step(selection.segmentation, selection.volume)
        for key in keys:
            self._support.remove(selection, key)

    def add_pair(self, volume: Any, segmentation: Any) -> None:
        """Use the marked slices of another volume and segmentation of the scene."""
        check_volume(volume)
        check_segmentation(segmentation)
        add_pair(self._scene, volume, segmentation)

    def add_file(self, path: str | Path) -> None:
        """Use a saved support set; it is stored in the scene."""
        add_file(self._scene, path)

    def save_support(
        self, selection: Selection, path: str | Path, axis: Axis = "auto", *, slices_only: bool = False
    ) -> SavedSupport:
        """Write every example in use to a file, with the whole scan where a segmentation is complete."""
        return self._support.save(selection, path, axis, slices_only=slices_only)

    # --- runs ---

    def propagate(
        self,
        volume: Any,
        segmentation: Any,
        segment_ids: Iterable[str] | None = None,
        *,
        editor: Any = None,
        **options: Any,
    ) -> RunReport:
        """Segment, wait, and write the result as one step of undo: for the Python console and scripts.

        Args:
            volume: The scalar volume node.
            segmentation: The segmentation node with a few marked slices.
            segment_ids: Which segments; None for every visible one with marks.
            editor: A ``vtkMRMLSegmentEditorNode`` whose masks and overwrite rules are to be obeyed; none by default,
                and then other segments are never overwritten.
            **options: Fields of :class:`~UniverSegSlicerLib.scene.interface.RunOptions`.

        Raises:
            UniverSegError: What went wrong, in one sentence; nothing was changed.
        """
        chosen = None if segment_ids is None else tuple(segment_ids)
        self.start(Selection(volume, segmentation, chosen, editor), RunOptions(**options))
        try:
            while self.state.phase == "running":
                self._worker.wait(0.05)
                self.poll()
        except BaseException:
            self.cancel()
            raise
        if self._runs.failure is not None:
            raise self._runs.failure
        if self._runs.finished is None:
            raise Cancelled()
        report = self._runs.finished.report
        self.apply()
        return without_preview(report)

    def start(self, selection: Selection, options: RunOptions | None = None) -> None:
        """Segment in the background; the result comes as a preview.

        Raises:
            InputError: A run is in progress, or the nodes cannot be used; nothing was started.
            DependencyError: torch is missing.
        """
        self._clicks.end()
        self._runs.start(selection, options or RunOptions())

    def use_support(self, selection: Selection, options: RunOptions | None = None) -> None:
        """Segment everything that the examples from elsewhere name, in segments of these names.

        Raises:
            InputError: There is nothing from elsewhere; else as :meth:`start`.
            DependencyError: torch is missing.
        """
        self.start(self._support.named_from_elsewhere(selection), options)

    def cancel(self) -> None:
        """Stop the run; the segmentation stays as it was."""
        self._runs.cancel()

    def apply(self) -> int:
        """Write the preview into the segmentation as one step of undo; returns the number of voxels that changed.

        Raises:
            InputError: There is no result, or its nodes were deleted.
        """
        return self._runs.apply()

    def discard(self) -> None:
        """Throw the preview away."""
        self._runs.discard()

    def show_surface(self, visible: bool) -> None:
        """Make the surface of the preview in the background, or remove it."""
        self._runs.show_surface(visible)

    def show_confidence(self, visible: bool) -> None:
        """Make the confidence volume of the last run for the slice views, or remove it."""
        self._runs.show_confidence(visible)

    # --- click to segment ---

    def begin_clicks(self, selection: Selection, axis: str, index: int, options: RunOptions | None = None) -> None:
        """Start clicking on one slice for the chosen, else the selected, else the first segment.

        Raises:
            InputError: A run is in progress or a result waits, or the nodes cannot be used.
            DependencyError: torch is missing.
        """
        self._clicks.begin(selection, axis, index, options or RunOptions())

    def click(self, ras: tuple[float, float, float], include: bool = True) -> bool:
        """Add a point at a world position; False when it is not on the slice."""
        return self._clicks.click(ras, include)

    def click_on(
        self,
        selection: Selection,
        axis: str,
        index: int,
        ras: tuple[float, float, float],
        include: bool = True,
        options: RunOptions | None = None,
    ) -> None:
        """Add a point on whichever slice it is; clicking begins there where it has not.

        Raises:
            InputError: Clicks on another slice wait to be accepted; else as :meth:`begin_clicks`.
            DependencyError: torch is missing.
        """
        self._clicks.click_on(selection, axis, index, ras, include, options or RunOptions())

    def take_back_click(self) -> bool:
        """Remove the last point; False when there is none."""
        return self._clicks.take_back()

    def accept_clicks(self) -> int:
        """Write the slice into the segment (one undo); it becomes a marked slice. Returns the changed voxels.

        Raises:
            InputError: No click, or its answer is still being computed.
        """
        return self._clicks.accept()

    def end_clicks(self) -> None:
        """Leave click mode without writing."""
        self._clicks.end()

    # --- export, life cycle ---

    def export(self, volume: Any, segmentation: Any, options: ExportOptions) -> ExportReport:
        """Write NIfTI label map and names file."""
        return export_nifti(
            volume,
            segmentation,
            options.folder,
            name=options.name,
            chosen=options.segment_ids,
            single_files=options.single_files,
            names_file=options.names_file,
        )

    def scene_closing(self) -> None:
        """Cancel and let go of all nodes; call on the scene's StartCloseEvent."""
        self._worker.cancel()
        self._clicks.end()
        self._runs.release()
        self._windows.clear()
        self._stored.clear()
        self.writer.release()

    def shutdown(self) -> None:
        """Cancel, end the worker thread, let go of all nodes; a later start makes a new thread."""
        self.scene_closing()
        self._worker.shutdown()
