"""Apply to a folder: a support set marked in the scene, files on disk, and a process of its own."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.errors import DependencyError

PANEL = Path(__file__).resolve().parents[2] / "UniverSegSlicer" / "UniverSegSlicerLib" / "panel"
#: Of the volumes in the folder.
SIZE = (14, 40, 44)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with three small volumes and one that is cut off."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for seed, name in enumerate(("anna", "ben", "carl", "dora")):
        write(folder / f"{name}.nii.gz", seed)
    whole = (folder / "carl.nii.gz").read_bytes()
    (folder / "carl.nii.gz").write_bytes(whole[: len(whole) // 2])
    return folder


def write(path: Path, seed: int) -> None:
    """A bright body in noise."""
    k, j, i = np.indices(SIZE)
    body = ((k - 7) / 5) ** 2 + ((j - 20) / 12) ** 2 + ((i - 20 - seed) / 11) ** 2 < 1
    array = (90 * body + np.random.default_rng(seed).normal(60, 4, SIZE)).astype(np.float32)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((2.0, 2.0, 4.0))
    sitk.WriteImage(image, str(path))


@pytest.fixture
def marked(desk: Any, tiny_model_path: Path, scans: Path, tmp_path: Path) -> Any:
    """The panel with marks, a network that is quick, and both folders chosen."""
    desk.sample()
    desk.parameters.model = str(tiny_model_path)
    desk.ui.qualityComboBox.setCurrentIndex(0)
    desk.ui.deviceComboBox.setCurrentIndex(3)
    desk.ui.folderInputPathLineEdit.setCurrentPath(str(scans))
    desk.ui.folderOutputPathLineEdit.setCurrentPath(str(tmp_path / "out"))
    return desk


def said(desk: Any) -> str:
    """What the section says."""
    return str(desk.ui.folderLabel.text())


def finish(desk: Any) -> None:
    """Wait for the process to end."""
    desk.wait(lambda: not desk.panel.folder.running, 250)


@pytest.mark.timeout(600)
def test_a_folder_with_a_damaged_volume(marked: Any, scans: Path, tmp_path: Path) -> None:
    desk = marked
    assert not desk.enabled("folderStopButton") and not desk.enabled("folderReportButton")
    desk.press("folderStartButton")
    assert said(desk) == "Reading the volumes..."
    assert not desk.enabled("folderStartButton") and not desk.enabled("folderInputPathLineEdit")
    assert desk.enabled("segmentButton"), "Slicer can be used meanwhile"
    bar = desk.ui.folderProgressBar
    desk.ui.folderSection.setProperty("collapsed", False)
    assert bar.isVisibleTo(desk.ui.folderSection)
    seen: list[tuple[int, str]] = []

    def over() -> bool:
        if not seen or seen[-1] != (bar.value(), said(desk)):
            seen.append((bar.value(), said(desk)))
        return not desk.panel.folder.running

    desk.wait(over, 250)
    assert (bar.maximum(), bar.value()) == (4, 4)
    assert any("1 of 4 done. Last: anna." in text for _, text in seen), seen
    assert [count for count, _ in seen] == sorted(count for count, _ in seen)
    assert "3 of 4 volumes have a label map" in said(desk) and "1 failed" in said(desk)
    assert desk.ui.folderLabel.font().bold()
    problems = desk.ui.folderProblems.toPlainText()
    assert problems.startswith("carl: ") and "carl.nii.gz" in problems and "\n" not in problems
    assert desk.ui.folderProblems.isVisibleTo(desk.ui.folderSection)
    for name in ("anna", "ben", "dora"):
        labels = sitk.ReadImage(str(tmp_path / "out" / f"{name}.nii.gz"))
        assert labels.GetSize() == SIZE[::-1]
    desk.press("folderReportButton")
    assert desk.folders.opened == [tmp_path / "out" / "report.html"]
    assert "anna" in desk.folders.opened[0].read_text(encoding="utf-8")

    write(scans / "carl.nii.gz", 9)
    desk.press("folderStartButton")
    finish(desk)
    assert said(desk) == "Done: 4 of 4 volumes have a label map. 3 were there already."
    assert not desk.ui.folderLabel.font().bold()
    assert not desk.ui.folderProblems.isVisibleTo(desk.ui.folderSection)


@pytest.mark.timeout(600)
def test_stopped_in_the_middle_and_gone_on(marked: Any, scans: Path, tmp_path: Path) -> None:
    desk = marked
    for number in range(20):
        write(scans / f"more-{number:02}.nii.gz", number)
    write(scans / "carl.nii.gz", 3)
    desk.press("folderStartButton")
    desk.wait(lambda: desk.ui.folderProgressBar.value() >= 1, 250)
    desk.press("folderStopButton")
    assert said(desk) == "Stopping..."
    finish(desk)
    assert said(desk) == "Stopped. What is done stays; start again to go on from there."
    done = len(list((tmp_path / "out").glob("*.nii.gz")))
    assert 1 <= done < 24
    # What the next run does is seen as well with five more.
    for path in sorted(scans.glob("*.nii.gz"))[done + 5 :]:
        path.unlink()
    cases = len(list(scans.glob("*.nii.gz")))
    desk.press("folderStartButton")
    finish(desk)
    assert said(desk) == f"Done: {cases} of {cases} volumes have a label map. {done} were there already."


def test_what_was_not_chosen_is_named(marked: Any) -> None:
    desk = marked
    desk.ui.folderOutputPathLineEdit.setCurrentPath("")
    desk.press("folderStartButton")
    assert said(desk) == desk.message == "Choose a folder for the label maps and the report."
    desk.ui.folderInputPathLineEdit.setCurrentPath("")
    desk.press("folderStartButton")
    assert said(desk).startswith("Choose a folder of volumes")
    assert not desk.panel.folder.running


def test_no_example_no_start(desk: Any) -> None:
    assert not desk.enabled("folderStartButton")
    desk.sample()
    assert desk.enabled("folderStartButton")


@pytest.mark.timeout(600)
def test_a_folder_that_is_not_there(marked: Any, scans: Path) -> None:
    desk = marked
    desk.ui.folderInputPathLineEdit.setCurrentPath(str(scans / "elsewhere"))
    desk.press("folderStartButton")
    finish(desk)
    assert "elsewhere does not exist" in said(desk)
    assert desk.ui.folderLabel.font().bold() and desk.enabled("folderStartButton")


@pytest.mark.timeout(600)
def test_a_table(marked: Any, scans: Path, tmp_path: Path) -> None:
    desk = marked
    table = tmp_path / "list.csv"
    table.write_text("case,volume\nfirst,scans/anna.nii.gz\n")
    desk.dialogs.path = str(table)
    desk.press("folderTableButton")
    assert desk.ui.folderInputPathLineEdit.text() == str(table)
    desk.press("folderStartButton")
    finish(desk)
    assert said(desk) == "Done: 1 of 1 volumes have a label map."
    assert (tmp_path / "out" / "first.nii.gz").is_file()


def test_missing_packages_are_installed_after_one_question(marked: Any) -> None:
    desk = marked
    desk.folders.versions = {"pyarrow": None, "joblib": "0.9"}
    desk.dialogs.agree = False
    desk.press("folderStartButton")
    assert desk.dialogs.questions == [
        "2 Python packages are missing for this (joblib, pyarrow). Install them into Slicer's Python now?"
    ]
    assert "were not installed" in said(desk) and 'pip_install("joblib>=1.3 pyarrow>=15")' in said(desk)
    assert desk.folders.installed == [] and not desk.panel.folder.running
    desk.dialogs.agree = True
    desk.press("folderStartButton")
    assert desk.folders.installed == [["joblib>=1.3", "pyarrow>=15"]]
    assert desk.panel.folder.running
    assert len(desk.dialogs.questions) == 2
    desk.panel.folder.stop()
    finish(desk)


@pytest.mark.parametrize("problem", [RuntimeError("no network"), None])
def test_an_installation_that_fails_is_said(marked: Any, problem: Exception | None) -> None:
    desk = marked
    desk.folders.versions = {"pyarrow": None}
    desk.folders.install_problem = problem
    if problem is None:
        desk.folders._install = lambda requirements: None
        desk.folders.provide_packages = lambda: _ensure_with(desk)
    desk.press("folderStartButton")
    assert (
        "could not be installed (no network)" if problem else "Still missing after the installation: pyarrow>=15"
    ) in (said(desk))
    assert not desk.panel.folder.running and desk.enabled("folderStartButton")


def _ensure_with(desk: Any) -> None:
    from UniverSegSlicerLib.panel.background.packages import ensure_packages

    ensure_packages(["pyarrow>=15"], desk.dialogs.ask, lambda _: None, desk.folders._version)


def test_a_python_that_cannot_be_started(marked: Any, tmp_path: Path) -> None:
    marked.folders.python = str(tmp_path / "PythonSlicer")
    marked.press("folderStartButton")
    assert "PythonSlicer) cannot be started" in said(marked)


def test_a_process_that_dies_without_a_word(marked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from UniverSegSlicerLib.panel.background import process

    monkeypatch.setattr(process, "MODULE", "this.is.no.module")
    marked.press("folderStartButton")
    finish(marked)
    # Importing "this" prints a poem, which arrives after the error: the error is the reason all the same.
    assert "ended unexpectedly (exit code 1: " in said(marked) and "No module named" in said(marked)


def test_a_process_that_says_something_else(marked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from UniverSegSlicerLib.panel.background import process

    monkeypatch.setattr(process, "MODULE", "this")
    marked.press("folderStartButton")
    finish(marked)
    assert "ended unexpectedly (exit code 0: Namespaces are one honking great idea" in said(marked)


def test_missing_torch(marked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from UniverSegSlicerLib.panel.sections import run
    from UniverSegSlicerLib.scene.running.dependencies import TorchStatus

    monkeypatch.setattr(run, "torch_status", lambda: TorchStatus(False, "missing", "advice"))
    marked.torch_problem = DependencyError("PyTorch was not installed.")
    marked.press("folderStartButton")
    assert said(marked) == "PyTorch was not installed."


def test_settings_carry_over(marked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from UniverSegSlicerLib.panel.sections import folder

    desk, asked = marked, []

    class Recorded:
        stopping = False

        def __init__(self, interpreter: Any, scratch: Path, request: dict[str, Any]) -> None:
            asked.append(request | {"held": Path(request["support"]).is_file()})

        def poll(self) -> list[dict[str, Any]]:
            return [{"event": "stopped"}]

        def close(self) -> None:
            return None

    monkeypatch.setattr(folder, "CohortProcess", Recorded)
    for index in range(3):
        desk.ui.qualityComboBox.setCurrentIndex(index)
        desk.ui.folderKindLineEdit.setText(" T1w " if index else "")
        desk.press("folderStartButton")
        finish(desk)
    fast, balanced, best = asked
    assert {each["device"] for each in asked} == {"cpu"} and all(each["held"] for each in asked)
    assert [each["draws"] for each in asked] == [0, 1, 1]
    assert [each["suffix"] for each in asked] == [None, "T1w", "T1w"]
    assert [each["propagation"]["ensemble"] for each in asked] == [1, 1, 4]
    assert fast["propagation"]["support_size"] < balanced["propagation"]["support_size"]
    assert best["model"] == desk.parameters.model


def test_quitting_lets_go_of_the_process(marked: Any) -> None:
    marked.press("folderStartButton")
    process = marked.panel.folder._process._process
    marked.panel.folder.close()
    process.wait(60)
    assert not marked.panel.folder.running


def test_the_panel_imports_none_of_the_packages() -> None:
    heavy = {"cohort", "nibabel", "joblib", "pyarrow", "jinja2", "pydicom", "PIL"}
    for file in PANEL.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not heavy & {part for name in names for part in name.split(".")}, file
