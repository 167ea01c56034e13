"""The panel over real MRML (slicer-core), the real scene logic and its thread, and a tiny seeded network."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
HERE = Path(__file__).resolve().parent
RESOURCES = HERE.parents[1] / "UniverSegSlicer" / "Resources"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs slicer-core and PySide6."""
    for item in items:
        if HERE in Path(item.path).parents:
            item.add_marker(pytest.mark.mrml)
            item.add_marker(pytest.mark.qt)


@pytest.fixture(scope="session")
def application() -> Any:
    """The Qt application, with the stand-ins where the panel imports them from."""
    sys.path.insert(0, str(HERE))
    import standin

    return standin.install()


class Answers:
    """Dialogs that answer by themselves and remember what was asked."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.agree = True
        self.path = ""

    def ask(self, question: str) -> bool:
        self.questions.append(question)
        return self.agree

    def open_file(self, _title: str, _pattern: str) -> str:
        return self.path

    def save_file(self, _title: str, _pattern: str, _suggestion: str) -> str:
        return self.path

    def wait_for(self, _title: str, work: Callable[..., None]) -> None:
        from UniverSegSlicerLib.progress import CancelToken

        work(lambda _fraction, _message: None, CancelToken())


class RecordedViews:
    """Slice views that remember what they were asked to show, and hand over clicks that a test makes."""

    def __init__(self) -> None:
        self.jumps: list[tuple[float, float, float]] = []
        self.shown: Any = None
        self.over: tuple[Any, float] = (None, 0.0)
        self.current: tuple[str, int] | None = ("k", 0)
        self.asked_for = ""
        self.clicked: Callable[..., None] | None = None

    def jump_to(self, ras: tuple[float, float, float]) -> None:
        self.jumps.append(ras)

    def current_slice(self, _volume: Any, axis: str = "") -> tuple[str, int] | None:
        self.asked_for = axis
        return self.current

    def listen(self, clicked: Callable[..., None], _volume: Any) -> None:
        self.clicked = clicked

    def stop_listening(self) -> None:
        self.clicked = None

    def show_volume(self, volume: Any) -> None:
        self.shown = volume

    def overlay(self, volume: Any, opacity: float) -> None:
        self.over = (volume, opacity)


class Folders:
    """The application as working on a folder sees it: its Python is the one that runs the tests."""

    def __init__(self, dialogs: Answers) -> None:
        self._dialogs = dialogs
        self.python = sys.executable
        #: Installed versions that are not the real ones; None for a package that is missing.
        self.versions: dict[str, str | None] = {}
        self.installed: list[list[str]] = []
        self.install_problem: Exception | None = None
        self.opened: list[Path] = []

    def provide_packages(self) -> None:
        from UniverSegSlicerLib.panel.background.packages import ensure_packages, read_requirements

        ensure_packages(
            read_requirements(RESOURCES / "cohort-requirements.txt"), self._dialogs.ask, self._install, self._version
        )

    def _version(self, name: str) -> str:
        version = self.versions.get(name, "") or ("" if name in self.versions else metadata.version(name))
        if not version:
            raise metadata.PackageNotFoundError(name)
        return version

    def _install(self, requirements: list[str]) -> None:
        self.installed.append(requirements)
        if self.install_problem is not None:
            raise self.install_problem
        self.versions.clear()

    def interpreter(self) -> Any:
        from UniverSegSlicerLib.panel.background.process import Interpreter

        return Interpreter(self.python)

    def open(self, file: Path) -> None:
        self.opened.append(file)


class Settings(dict[str, Any]):
    """The user's settings."""

    def value(self, key: str) -> Any:
        return self.get(key)

    def setValue(self, key: str, value: Any) -> None:
        self[key] = value


class Desk:
    """A panel on a scene: what a user sees and does."""

    def __init__(self, application: Any, model: Path, settings: Settings | None = None) -> None:
        import slicer

        from UniverSegSlicerLib.network import load_model
        from UniverSegSlicerLib.panel.assembly import drop_spacers
        from UniverSegSlicerLib.panel.parameters import PanelParameters
        from UniverSegSlicerLib.panel.sections.model import ModelChoice
        from UniverSegSlicerLib.panel.widget import UniverSegPanel
        from UniverSegSlicerLib.scene.logic import UniverSegLogic

        self.application = application
        self.scene = slicer.vtkMRMLScene()
        self._keep = slicer.vtkMRMLApplicationLogic()
        self._keep.SetMRMLScene(self.scene)
        self._segmentations = slicer.vtkSlicerSegmentationsModuleLogic()
        self._segmentations.SetMRMLApplicationLogic(self._keep)
        self._segmentations.SetMRMLScene(self.scene)
        self.root = slicer.util.loadUI(str(RESOURCES / "UI" / "UniverSegSlicer.ui"))
        self.ui = slicer.util.childWidgetVariables(self.root)
        self.root.setMRMLScene(self.scene)
        self.before_loading: Callable[[], None] = lambda: None

        def load(_name: str, device: str) -> Any:
            self.before_loading()
            return load_model(model, device)

        class Store:
            downloaded: list[str] = []  # noqa: RUF012 - one desk, one list

            def choices(self) -> list[ModelChoice]:
                return [
                    ModelChoice("default", "Default", True),
                    ModelChoice(
                        "restricted", "Restricted", "restricted" in self.downloaded, "For research only. Agree?"
                    ),
                ]

            def download(self, name: str, _progress: Any, _cancel: Any) -> None:
                self.downloaded.append(name)

        self.store = Store()
        self.logic = UniverSegLogic(self.scene, load)
        self.dialogs = Answers()
        self.views = RecordedViews()
        self.editor = slicer.qMRMLSegmentEditorWidget()
        self.editor_node = self.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode", "UniverSegSlicer")
        self.editor.setMRMLSegmentEditorNode(self.editor_node)
        drop_spacers(self.editor.layout())
        self.ui.editorContainer.layout().addWidget(self.editor)
        self.torch_problem: Exception | None = None

        def provide_torch() -> None:
            if self.torch_problem is not None:
                raise self.torch_problem

        self.folders = Folders(self.dialogs)
        self.panel = UniverSegPanel(
            self.ui, self.logic, self.editor, self.dialogs, self.views, self.store, provide_torch, self.folders,
            self.root, Settings() if settings is None else settings,
        )  # fmt: skip
        node = self.scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "UniverSegSlicer")
        self.parameters = PanelParameters(node)
        self.tag = self.parameters.connectGui(self.ui)
        self.parameters.AddObserver("ModifiedEvent", lambda *_: self.panel.on_parameters_changed())
        self.panel.set_parameters(self.parameters)

    def sample(self, marked: tuple[int, ...] = (20, 30, 40)) -> tuple[Any, Any]:
        """Load the generated scan with some slices marked and choose it in the panel."""
        from UniverSegSlicerLib.scene.mrml.sample import add_sample

        volume, segmentation = add_sample(self.scene, marked)
        if segmentation is not None:
            self.parameters.segmentation = segmentation
        self.parameters.volume = volume
        self.settle()
        return volume, segmentation

    def settle(self, seconds: float = 0.4) -> None:
        """Let timers run for a while."""
        self.wait(lambda: False, seconds, fail=False)

    def wait(self, condition: Callable[[], bool], seconds: float = 200.0, *, fail: bool = True) -> None:
        """Run the event loop until something holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.application.processEvents()
            if condition():
                return
            time.sleep(0.005)
        assert not fail, f"still {self.logic.state} after {seconds} s; panel says: {self.message}"

    def press(self, name: str) -> None:
        """Press a button, which must be enabled."""
        button = getattr(self.ui, name)
        assert button.isEnabled(), f"{name} is greyed out; panel says: {self.message}"
        button.click()
        self.application.processEvents()

    def enabled(self, name: str) -> bool:
        """Whether a widget can be used."""
        return bool(getattr(self.ui, name).isEnabled())

    @property
    def message(self) -> str:
        """The panel's one sentence."""
        return str(self.ui.messageLabel.text())

    @property
    def phase(self) -> str:
        """The phase of the logic."""
        return self.logic.state.phase

    def segment(self) -> None:
        """Press Segment and wait for the preview."""
        self.press("segmentButton")
        self.wait(lambda: self.phase == "preview" and self.enabled("applyButton"))

    def array(self, segment_id: str = "Organ") -> Any:
        """A segment of the chosen segmentation on the volume's grid, (K, J, I)."""
        from UniverSegSlicerLib.scene.mrml.segments import read_segment

        return read_segment(self.parameters.segmentation, segment_id, self.parameters.volume) != 0

    def volume_array(self) -> Any:
        """The voxels (K, J, I) of the chosen volume."""
        from UniverSegSlicerLib.scene.mrml.volumes import array_of

        return array_of(self.parameters.volume)

    def segments(self) -> list[Any]:
        """The segments of the chosen segmentation."""
        held = self.parameters.segmentation.GetSegmentation()
        return [held.GetNthSegment(n) for n in range(held.GetNumberOfSegments())]

    def voxel_ml(self) -> float:
        """The size of a voxel of the chosen volume."""
        i, j, k = self.parameters.volume.GetSpacing()
        return float(i * j * k / 1000)

    def close(self) -> None:
        """Quit."""
        self.parameters.disconnectGui(self.tag)
        self.panel.cleanup()
        self.root.setMRMLScene(None)
        self.root.deleteLater()
        self.application.processEvents()


@pytest.fixture
def desk(application: Any, tiny_model_path: Path) -> Iterator[Desk]:
    """A panel on an empty scene."""
    made = Desk(application, tiny_model_path)
    yield made
    made.close()
