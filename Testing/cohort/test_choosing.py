"""Each case is segmented with the labelled scans that look most like it, and a scan that is added changes no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from Testing.cohort.conftest import GRID, QUICK, Made, body
from UniverSegSlicerLib.cohort import CohortSettings
from UniverSegSlicerLib.cohort.looks import looks_of_whole
from UniverSegSlicerLib.cohort.running.choosing import Choice, only, sources_of
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import write_volume
from UniverSegSlicerLib.imaging import Volume
from UniverSegSlicerLib.network import load_model
from UniverSegSlicerLib.segmentation import SupportSet


def scan(seed: int, source: str, label: int = 1, texture: float = 0.0) -> SupportSet:
    """A whole labelled scan; ``texture`` of stripes makes it look like no other."""
    volume, _ = body(seed)
    k, j, i = np.indices(GRID.shape)
    truth = (((k - 2.5) / 2.9) ** 2 + ((j - 9) / 5) ** 2 + ((i - 9) / 5) ** 2 < 1).astype(np.uint16)
    stripes = texture * ((i // 2) % 2)
    return SupportSet.from_scan(Volume(volume.array + stripes, GRID), label * truth, source=source)


def together(*sets: SupportSet) -> SupportSet:
    whole = SupportSet()
    for one in sets:
        whole = whole.merged(one)
    return whole


@pytest.fixture
def model(made: Made):
    return load_model(made.model, "cpu")


def test_the_nearest_scans_of_each_label(made: Made, model, tmp_path: Path) -> None:
    slices = replace(scan(9, "slices"), scans=())
    support = together(
        scan(0, "smooth a"), scan(1, "striped", texture=300), slices, scan(2, "smooth b"), scan(3, "other", 2)
    )
    assert sources_of(support) == ["smooth a", "striped", "slices", "smooth b", "other"]
    choice = Choice(support, (1, 2), 1, tmp_path / "kept", "model")
    assert choice.needed and not choice.look(None)
    assert choice.look(model)
    striped = looks_of_whole(Volume(body(5)[0].array + 300 * ((np.indices(GRID.shape)[2] // 2) % 2), GRID), "k", model)
    # The nearest one that holds label 1, the only one that holds label 2, and what comes without its scan.
    assert choice.sources(striped) == ["striped", "slices", "other"]
    one, two = (Choice(support, (1,), most, tmp_path / "kept", "model") for most in (2, 0))
    assert one.look(model)
    again = Choice(support, (1, 2), 1, tmp_path / "kept", "model")
    assert again.look(None) and again.sources(striped) == choice.sources(striped), "what scans look like is kept"
    assert not Choice(support, (1, 2), 1, tmp_path / "kept", "another model").look(None)
    smooth = looks_of_whole(body(6)[0], "k", model)
    # A scan that holds none of the labels asked for says nothing, and does no harm.
    assert one.sources(smooth) == ["smooth a", "slices", "smooth b", "other"]
    assert not two.needed and two.sources(smooth) == sources_of(support)
    assert [s.source for s in only(support, ["striped"]).scans] == ["striped"]


def test_an_added_scan_changes_only_the_cases_that_use_it(made: Made) -> None:
    settings = replace(QUICK, nearest=1)
    i = np.indices(GRID.shape)[2]
    write_volume(made.volumes / "c.nii.gz", body(2)[0].array + 300 * ((i // 2) % 2), GRID)
    few = together(scan(4, "smooth"), scan(5, "far", texture=900))
    first = made.run(support=few, settings=settings)
    assert first.redone == 3 and {r.support_scans for r in first.records[:2]} == {("smooth",)}
    more = together(few, scan(6, "striped", texture=300))
    second = made.run(support=more, settings=settings)
    assert second.redone == 1 and [r.support_scans for r in second.records][2] == ("striped",)
    fresh = made.run(support=more, settings=settings, output=made.root / "fresh")
    assert fresh.redone == 3
    for record in fresh.records:
        assert np.array_equal(second.labels(record.case).array, fresh.labels(record.case).array)
        same = next(r for r in second.records if r.case == record.case)
        assert (same.recipe, same.distance, same.support_scans) == (
            record.recipe, record.distance, record.support_scans
        )  # fmt: skip
    # More of the nearest is something else, the order of the support is not.
    assert made.run(support=more, settings=replace(QUICK, nearest=2)).redone == 3
    assert made.run(support=more, settings=replace(QUICK, nearest=2)).redone == 0


def test_a_number_that_cannot_be_meant() -> None:
    with pytest.raises(InputError, match="nearest is -1; give 0 or more"):
        CohortSettings(nearest=-1)
