"""The real catalogue, and what the panel reads of the running Slicer that needs no window."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from UniverSegSlicerLib.errors import DependencyError


def test_catalogue_names_the_default_and_the_published_model(application: Any) -> None:
    from UniverSegSlicerLib.panel.catalogue import CatalogueStore

    choices = {choice.name: choice for choice in CatalogueStore().choices()}
    assert next(iter(choices)) == "default"
    assert "research" in choices["universeg-v1"].terms


def test_slice_under_a_click(desk: Any) -> None:
    import slicer

    from UniverSegSlicerLib.panel.host import slice_at
    from UniverSegSlicerLib.panel.views.slice_clicks import to_ras

    volume, _ = desk.sample()
    view = desk.scene.AddNode(slicer.vtkMRMLSliceNode())
    view.SetOrientationToAxial()
    view.SetDimensions(200, 200, 1)
    view.SetFieldOfView(200, 200, 1)
    view.SetSliceOffset(desk.logic.slice_position(volume, "k", 30)[2])
    view.UpdateMatrices()
    assert slice_at(view, volume, to_ras(view, 100, 100)) == ("k", 30)
    centre = desk.logic.slice_position(volume, "j", 50)
    view.SetSliceToRASByNTP(0, 1, 0, -1, 0, 0, *centre, 0)
    view.UpdateMatrices()
    assert slice_at(view, volume, to_ras(view, 100, 100)) == ("j", 50)
    assert slice_at(view, volume, (9999.0, 0.0, 0.0)) is None


def test_packages_are_installed_by_the_newer_way_where_there_is_one(
    application: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slicer 5.12 has slicer.packaging; 5.10 has pip_install alone."""
    import slicer.util

    from UniverSegSlicerLib.panel.host import install_packages

    asked: list[Any] = []
    monkeypatch.setattr(slicer.util, "pip_install", lambda what: asked.append(("older", what)), raising=False)
    install_packages(["joblib>=1.3"])
    newer = types.ModuleType("slicer.packaging")
    newer.pip_ensure = lambda what, **how: asked.append(("newer", [str(each) for each in what], how))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "slicer.packaging", newer)
    install_packages(["joblib>=1.3"])
    assert asked[0] == ("older", ["joblib>=1.3"])
    assert asked[1][:2] == ("newer", ["joblib>=1.3"]) and asked[1][2]["prompt_install"] is False, "asked once already"


def test_slicers_own_python(application: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer.util

    from UniverSegSlicerLib.panel.host import SlicerFolders

    from . import conftest

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: {"PATH": "as before"}, raising=False)
    folders = SlicerFolders(conftest.RESOURCES / "cohort-requirements.txt")
    folders.provide_packages()
    with pytest.raises(DependencyError, match="PythonSlicer"):
        folders.interpreter()
    python = tmp_path / ("PythonSlicer.exe" if os.name == "nt" else "PythonSlicer")
    python.write_text("")
    python.chmod(0o755)
    assert folders.interpreter().python == str(python)
    assert folders.interpreter().environment == {"PATH": "as before"}


def test_the_packages_are_those_of_the_extra(repository: Path) -> None:
    tomllib = pytest.importorskip("tomllib")  # Python 3.11 and later
    from UniverSegSlicerLib.panel.background.packages import read_requirements

    extras = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    #: What only the command line, pictures of results and DICOM SEG need.
    not_needed = {"typer", "rich", "platformdirs", "highdicom", "matplotlib", "universegslicer[cli]"}
    wanted = {each for each in [*extras["cli"], *extras["cohort"]] if each.split(">")[0] not in not_needed}
    assert set(read_requirements(repository / "UniverSegSlicer/Resources/cohort-requirements.txt")) == wanted
