"""The panel's view of the running Slicer: dialogs, slice views, torch, the model catalogue."""

from __future__ import annotations

import importlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..errors import DependencyError
from ..progress import CancelToken, ProgressCallback
from ..scene.mrml.volumes import axis_facing, voxel_at
from ..scene.running.dependencies import ensure_torch
from .background.packages import ensure_packages, read_requirements
from .background.process import Interpreter
from .views.slice_clicks import SliceClicks


class SlicerDialogs:
    """Questions in Slicer's own windows."""

    def ask(self, question: str) -> bool:
        """Whether the user agrees."""
        return bool(slicer.util.confirmOkCancelDisplay(question, windowTitle="UniverSeg"))

    def open_file(self, title: str, pattern: str) -> str:
        """An existing file, "" when the user changed their mind."""
        return str(qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", pattern))

    def save_file(self, title: str, pattern: str, suggestion: str) -> str:
        """A file to write, "" when the user changed their mind."""
        return str(qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, suggestion, pattern))

    def wait_for(self, title: str, work: Callable[[ProgressCallback, CancelToken], None]) -> None:
        """Do some work off the main thread behind a progress dialog; raises what the work raises."""
        token, reached, failures = CancelToken(), [0.0], []

        def run() -> None:
            try:
                work(lambda fraction, _message: reached.__setitem__(0, fraction), token)
            except Exception as error:
                failures.append(error)

        dialog = slicer.util.createProgressDialog(labelText=title, maximum=100, windowTitle="UniverSeg")
        thread = threading.Thread(target=run, name="UniverSeg download", daemon=True)
        thread.start()
        while thread.is_alive():
            dialog.setValue(min(99, round(100 * reached[0])))
            slicer.app.processEvents()
            if dialog.wasCanceled:
                token.cancel()
            thread.join(0.03)
        dialog.close()
        if failures:
            raise failures[0]


class SlicerViews:
    """The slice views of the layout."""

    def __init__(self) -> None:
        self._clicks: SliceClicks | None = None

    def jump_to(self, ras: tuple[float, float, float]) -> None:
        """Centre every slice view on a world position (RAS, mm)."""
        node = slicer.vtkMRMLSliceNode
        node.JumpAllSlices(slicer.mrmlScene, *ras, node.CenteredJumpSlice)

    def current_slice(self, volume: Any, axis: str = "") -> tuple[str, int] | None:
        """(axis, 0-based index) of the volume in a slice view along ``axis``, else in any that shows it."""
        manager = slicer.app.layoutManager()
        other = None
        for name in manager.sliceViewNames() if manager is not None and volume is not None else ():
            node = manager.sliceWidget(name).mrmlSliceNode()
            width, height, _depth = node.GetDimensions()
            found = slice_at(node, volume, node.GetXYToRAS().MultiplyPoint((width / 2, height / 2, 0, 1))[:3])
            if found is not None and found[0] == axis:
                return found
            other = other or found
        return other

    def listen(self, clicked: Callable[[str, int, tuple[float, float, float], bool], None], volume: Any) -> None:
        """Call ``clicked(axis, index, RAS, exclude)`` for each left click on the volume."""

        def on_click(node: Any, ras: tuple[float, float, float], exclude: bool) -> None:
            found = slice_at(node, volume, ras)
            if found is not None:
                clicked(found[0], found[1], ras, exclude)

        self.stop_listening()
        self._clicks = SliceClicks(slicer.app.layoutManager(), on_click)
        self._clicks.start()

    def stop_listening(self) -> None:
        """Give the clicks back to the views."""
        if self._clicks is not None:
            self._clicks.stop()
            self._clicks = None

    def show_volume(self, volume: Any) -> None:
        """Show a volume in the background of the slice views, unless it is there already."""
        shown = [node.GetBackgroundVolumeID() for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")]
        if volume.GetID() not in shown:
            slicer.util.setSliceViewerLayers(background=volume, fit=True)

    def overlay(self, volume: Any, opacity: float) -> None:
        """Show a volume (or None) over the background of the slice views."""
        slicer.util.setSliceViewerLayers(foreground=volume, foregroundOpacity=opacity if volume is not None else 0.0)


class SlicerFolders:
    """What working on a folder needs of Slicer.

    Args:
        requirements: The file that names the packages.
    """

    def __init__(self, requirements: Path) -> None:
        self._requirements = requirements

    def provide_packages(self) -> None:
        """Install what is missing after one question; raises DependencyError when it stays missing."""
        ensure_packages(read_requirements(self._requirements), SlicerDialogs().ask, install_packages)

    def interpreter(self) -> Interpreter:
        """PythonSlicer, which Slicer puts on its own path.

        Raises:
            DependencyError: It is not there.
        """
        found = shutil.which("PythonSlicer")
        if found is None:
            raise DependencyError(_("Slicer's Python (PythonSlicer) is missing beside Slicer; install Slicer anew."))
        # As before Slicer's launcher set its own libraries; PythonSlicer sets them again.
        return Interpreter(found, slicer.util.startupEnvironment())

    def open(self, file: Path) -> None:
        """Show a page in the browser."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(file)))


def install_packages(requirements: list[str]) -> None:
    """Install requirements into Slicer's Python, with a progress window where Slicer has one (5.12 and later)."""
    try:
        packaging = importlib.import_module("slicer.packaging")
    except ImportError:
        slicer.util.pip_install(requirements)
        return
    from packaging.requirements import Requirement

    packaging.pip_ensure(
        [Requirement(each) for each in requirements], prompt_install=False, requester="UniverSeg", skip_in_testing=False
    )


def slice_at(slice_node: Any, volume: Any, ras: tuple[float, float, float]) -> tuple[str, int] | None:
    """(axis, index) of the volume's slice that a view shows at a world position; None outside the volume.

    The axis is the one closest to the view's normal, so an oblique scan or a slightly turned view is no special case.
    """
    voxel = voxel_at(volume, ras)
    if voxel is None:
        return None
    matrix = slice_node.GetSliceToRAS()
    axis = axis_facing(volume, (matrix.GetElement(0, 2), matrix.GetElement(1, 2), matrix.GetElement(2, 2)))
    return axis, voxel["ijk".index(axis)]


def provide_torch() -> None:
    """Install torch through the PyTorch extension, after asking; raises DependencyError when it stays missing."""

    def installer() -> Any:
        try:
            import PyTorchUtils
        except ImportError:
            return None
        return PyTorchUtils.PyTorchUtilsLogic()

    def ask(question: str) -> bool:
        return bool(slicer.util.confirmOkCancelDisplay(_(question), windowTitle="UniverSeg"))

    ensure_torch(ask, installer)
