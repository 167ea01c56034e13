"""What the panel, the Segment Editor effect and scripts call."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .clicks import ClickState
from .examples import SavedSupport, SupportTable
from .files import ExportOptions, ExportReport
from .runs import Axis, RunOptions, Selection, State


class Logic(Protocol):
    """What the panel calls. :class:`~UniverSegSlicerLib.scene.logic.UniverSegLogic` is the real one."""

    @property
    def state(self) -> State:
        """The state now."""

    def poll(self) -> State:
        """Take in what the worker finished, and let it work; call from a timer every 20 ms. Never raises."""

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

    def remove(self, selection: Selection, *keys: str) -> None:
        """Take rows out: marked slices count as predictions from then on, other rows are dropped from the scene.

        One undo makes marks of the slices again.
        """

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
