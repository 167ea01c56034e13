"""Click mode: the newest click wins, the answer is shown in a preview of one slice, Enter writes it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InputError
from ...segmentation import ClickResult
from ..interface import ClickState, RunOptions, Selection
from ..mrml import preview
from ..mrml.editing import Change, restricts
from ..mrml.grid import Part, on_box
from ..running.control import require_torch
from ..running.finished import check_present
from ..running.session import Session
from ..running.trial import rules_of, tried
from ..running.worker import Job
from ..support.marks import add_mark
from .mode import ClickMode, begin


class ClickControl:
    """Clicking on one slice at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._scene = session.scene
        self._holder = session.holder
        self._worker = session.worker
        self._mode: ClickMode | None = None
        self._preview: Any = None

    @property
    def clicks(self) -> ClickState | None:
        """The slice and its points, None while not clicking."""
        return None if self._mode is None else self._mode.state

    def begin(self, selection: Selection, axis: str, index: int, options: RunOptions) -> None:
        """See :meth:`~UniverSegSlicerLib.scene.interface.Logic.begin_clicks`."""
        if self._holder.state.phase in ("running", "preview"):
            raise InputError("Finish the segmentation first: wait for it, then apply or discard it.")
        require_torch()
        self.end()
        mode = begin(self._scene, selection, axis, index, options, self._session.models, self._session.stored)
        self._mode = mode
        self._holder.set(phase="click", message="Click on the structure.", error="")
        self._worker.submit(
            Job(
                "Click preparation", lambda _token, _report: mode.engine.prepare(), lambda _ready: None, self._on_failed
            )
        )

    def click_on(
        self,
        selection: Selection,
        axis: str,
        index: int,
        ras: tuple[float, float, float],
        include: bool,
        options: RunOptions,
    ) -> None:
        """See :meth:`~UniverSegSlicerLib.scene.interface.Logic.click_on`."""
        clicks = self.clicks
        if clicks is not None and (clicks.axis, clicks.index) != (axis, index):
            if clicks.include or clicks.exclude:
                raise InputError("There are clicks on another slice: accept it with Return or take them back first.")
            self.end()
        if self._mode is None:
            self.begin(selection, axis, index, options)
        self.click(ras, include)

    def click(self, ras: tuple[float, float, float], include: bool) -> bool:
        """See :meth:`~UniverSegSlicerLib.scene.interface.Logic.click`."""
        mode = self._active()
        point = mode.point_at(ras)
        if point is None:
            return False
        mode.add(point, include)
        self._ask(mode)
        return True

    def take_back(self) -> bool:
        """See :meth:`~UniverSegSlicerLib.scene.interface.Logic.take_back_click`."""
        mode = self._mode
        if mode is None or not mode.take_back():
            return False
        if mode.order and mode.mask() is None:
            self._ask(mode)
        else:
            self._show(mode)
        return True

    def accept(self) -> int:
        """See :meth:`~UniverSegSlicerLib.scene.interface.Logic.accept_clicks`."""
        mode = self._active()
        if not mode.order:
            raise InputError("There is nothing to accept: click on the structure first.")
        mask = mode.mask()
        if mask is None:
            raise InputError("The answer to the last click is not there yet: wait a moment.")
        state, selection = mode.state, mode.selection
        check_present(self._scene, selection)
        change = Change(state.segment_id, mode.part(mask).array, mode.box())
        voxels = self._session.writer.apply(
            [change], selection.segmentation, selection.volume, rules_of(self._scene, selection)
        )
        add_mark(selection.segmentation, state.segment_id, selection.volume, state.axis, state.index)
        self.end()
        self._holder.set(message=f"Slice {state.index} was added to the examples. One undo takes it back.")
        return voxels

    def end(self) -> None:
        """Leave without writing."""
        if self._mode is None:
            return
        self._mode = None
        self._worker.cancel()
        self._remove_preview()
        self._holder.set(phase="idle", message="", error="")

    def notice_deleted_nodes(self) -> None:
        """Leave when the nodes are gone."""
        if self._mode is None:
            return
        state, selection = self._mode.state, self._mode.selection
        try:
            check_present(self._scene, selection)
            if selection.segmentation.GetSegmentation().GetSegment(state.segment_id) is None:
                raise InputError("The segment that was clicked on was deleted; nothing was changed.")
        except InputError as error:
            self.end()
            self._holder.set(error=str(error))

    def _active(self) -> ClickMode:
        if self._mode is None:
            raise InputError("Click mode is off: start clicking first.")
        return self._mode

    def _ask(self, mode: ClickMode) -> None:
        points, prior, count = mode.state, mode.prior(), len(mode.order)

        def answered(result: ClickResult) -> None:
            if self._mode is mode:
                mode.answers[count] = result
                self._show(mode)

        self._worker.submit_newest(
            Job("Click", lambda token, _report: mode.engine.answer(points, prior, token), answered, self._on_failed)
        )

    def _show(self, mode: ClickMode) -> None:
        mask = mode.mask()
        selection, segment_id = mode.selection, mode.state.segment_id
        part = None if mask is None or not mask.any() else self._allowed(mode, mask)
        if self._preview is None or not self._scene.IsNodePresent(self._preview):
            self._preview = preview.show_preview(
                self._scene, selection.segmentation, selection.volume, {segment_id: part}
            )
        else:
            preview.set_preview(self._preview, selection.volume, segment_id, part)
        message = "Click to correct, Ctrl+click to exclude; Enter accepts the slice."
        if part is None:
            message = "The network finds nothing at these clicks: click again, or mark a slice by painting first."
        self._holder.set(message=message, error="", revision=self._holder.state.revision + 1)

    def _allowed(self, mode: ClickMode, mask: np.ndarray) -> Part | None:
        """What Enter would write of a mask (rows, cols): the Segment Editor's masks are followed in the preview."""
        part, selection = mode.part(mask), mode.selection
        rules = rules_of(self._scene, selection)
        if not restricts(rules):
            return part
        change = Change(mode.state.segment_id, part.array, mode.box())
        held = tried(self._scene, self._session.writer, [change], selection, rules)[mode.state.segment_id]
        shown = on_box(held, mode.box())
        return Part(mode.box(), shown) if shown.any() else None

    def _on_failed(self, sentence: str, _error: BaseException) -> None:
        self.end()
        self._holder.set(error=sentence)

    def _remove_preview(self) -> None:
        if self._preview is not None and self._scene.IsNodePresent(self._preview):
            preview.remove_node(self._scene, self._preview)
        self._preview = None
