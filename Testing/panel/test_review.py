"""What the panel says of results and of support sets that are saved and used on the next volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from UniverSegSlicerLib.segmentation import SupportSet


def test_many_structures_are_summed_up(application: Any) -> None:
    from UniverSegSlicerLib.panel.sections.run import MOST_NAMED, found
    from UniverSegSlicerLib.scene.interface import RunReport

    def report(count: int) -> RunReport:
        keys = tuple(str(n) for n in range(count))
        sizes = dict.fromkeys(keys, 12.34)
        return RunReport("k", keys, 3, {key: f"Rib {key}" for key in keys}, dict.fromkeys(keys, 1), sizes, 1.0, "", "")

    assert found(report(2)) == "Rib 0 12.3 ml, Rib 1 12.3 ml"
    assert found(report(MOST_NAMED + 20)) == f"{MOST_NAMED + 20} structures, 296 ml together"


def test_a_saved_set_on_the_next_volume(desk: Any, tmp_path: Path) -> None:
    """A complete segmentation is saved with its whole scan; the next volume gets every structure by one button."""
    assert "can identify a patient" in desk.ui.saveSupportLabel.text()
    assert not desk.enabled("useSupportButton")
    desk.sample(marked=tuple(range(60)))
    desk.dialogs.path = str(tmp_path / "whole.npz")
    desk.press("saveSupportButton")
    assert "1 whole scan(s), by which a patient can be identified" in desk.message
    whole = SupportSet.load(tmp_path / "whole.npz")
    assert len(whole.scans) == 1
    assert set(whole.label_names.values()) == {"Organ", "Vessel", "Bone"}

    desk.ui.slicesOnlyCheckBox.setChecked(True)
    desk.dialogs.path = str(tmp_path / "slices.npz")
    desk.press("saveSupportButton")
    assert "no whole scan" in desk.message
    assert SupportSet.load(tmp_path / "slices.npz").scans == ()

    desk.scene.RemoveNode(desk.parameters.segmentation)
    desk.settle()
    desk.dialogs.path = str(tmp_path / "whole.npz")
    desk.press("loadSupportButton")
    desk.settle()
    desk.press("useSupportButton")
    assert desk.phase == "running", desk.message
    desk.press("cancelButton")
    assert {segment.GetName() for segment in desk.segments()} == {"Organ", "Vessel", "Bone"}


def test_marks_alone_go_in_as_slices(desk: Any, tmp_path: Path) -> None:
    desk.sample()
    desk.dialogs.path = str(tmp_path / "marks.npz")
    desk.press("saveSupportButton")
    assert "3 slices, no whole scan, for no segmentation is complete" in desk.message
