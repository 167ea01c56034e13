"""Support sets that hold whole scans: what goes in, what comes back, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from UniverSegSlicerLib.errors import GeometryError, InputError
from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.segmentation import LabelledScan, SupportSet, are_complete, is_complete

from .test_support import refuses_when_rewritten

GRID = Geometry((40, 36, 30), (1.0, 1.0, 2.0), (5.0, -7.0, 11.0), (0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0))


def ball(centre: tuple[int, int, int], radius: float, shape: tuple[int, ...] = GRID.shape) -> np.ndarray:
    """A ball (K, J, I), boolean, ``radius`` in voxels."""
    places = np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))
    return (places**2).sum(axis=0) <= radius**2


@pytest.fixture
def scan() -> tuple[Volume, np.ndarray]:
    labels = ball((15, 18, 14), 6) * 1 + ball((15, 18, 26), 5) * 2
    image = 100.0 * labels + np.random.default_rng(1).normal(size=GRID.shape) * 10
    return Volume(image.astype(np.float32), GRID), labels.astype(np.uint16)


@pytest.fixture
def support(scan) -> SupportSet:
    return SupportSet.from_scan(*scan, source="first", label_names={1: "left"})


def test_a_complete_label_map_keeps_the_scan_around_it(scan, support: SupportSet) -> None:
    (kept,) = support.scans
    assert [e.index for e in support.examples] == list(range(9, 22)) and support.examples[0].axis == "k"
    assert all(e.complete for e in support.examples)
    assert kept.label_values == (1, 2) and kept.image.array.dtype == np.uint16
    assert kept.image.array.size < scan[0].array.size
    # The kept voxels lie where they were in the world.
    place = kept.image.geometry.to_world(np.argwhere(kept.labels == 2)[0][::-1])
    np.testing.assert_allclose(place, GRID.to_world(np.argwhere(scan[1] == 2)[0][::-1]))
    assert (kept.labels == 1).sum() == (scan[1] == 1).sum()


def test_slices_alone_on_request(scan) -> None:
    support = SupportSet.from_scan(*scan, keep_scan=False)
    assert not support.scans and len(support) == 13


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 2.0), (3.0, 1.0, 1.0), (1.0, 1.0, 1.0)])
def test_slices_are_taken_where_they_lie_farthest_apart(scan, spacing: tuple[float, float, float]) -> None:
    volume = Volume(scan[0].array, replace(GRID, spacing=spacing))
    expected = "i" if spacing[0] == 3 else "k"
    assert SupportSet.from_scan(volume, scan[1]).examples[0].axis == expected
    assert SupportSet.from_scan(volume, scan[1], "j").examples[0].axis == "j"


def test_marks_are_not_taken_for_a_whole_structure() -> None:
    whole = ball((15, 18, 14), 9)
    assert is_complete(whole) and is_complete(whole | ball((15, 18, 34), 4))
    some = np.zeros_like(whole)
    for chosen in ([15], [9, 15, 21], [13, 14, 15, 16, 17], range(6, 25, 2)):
        some[:] = False
        some[list(chosen)] = whole[list(chosen)]
        assert not is_complete(some), chosen
    assert not is_complete(np.zeros_like(whole))
    cut = ball((0, 18, 14), 9)
    assert is_complete(cut), "a structure that ends with the scan"
    with pytest.raises(InputError, match="marked slices"):
        SupportSet.from_scan(Volume(np.zeros(GRID.shape), GRID), some)


def _lesions(seed: int, thickness: int = 1) -> np.ndarray:
    """Scattered ellipsoids; with a thickness, drawn on every so many slices and repeated."""
    rng = np.random.default_rng(seed)
    shape = np.array(GRID.shape)
    found = np.zeros(GRID.shape, bool)
    index = np.stack(np.indices(GRID.shape), -1)
    for _ in range(6):
        centre, radii = rng.uniform(4, shape - 5), rng.uniform(2.2, 4.0, 3)
        found |= (((index - centre) / radii) ** 2).sum(axis=-1) <= 1
    return np.repeat(found[::thickness], thickness, axis=0)[: len(found)]


@pytest.mark.parametrize("seed", range(6))
def test_scattered_lesions_are_complete_and_marks_of_them_are_not(seed: int) -> None:
    whole = _lesions(seed)
    assert is_complete(whole) and are_complete(whole.astype(np.uint16))
    filled = np.flatnonzero(whole.any(axis=(1, 2)))
    middle = [n for n in filled if whole[n].sum() > 5]
    for chosen in (middle[::3], middle[::2], middle[len(middle) // 3 : len(middle) // 3 + 2], middle[1::4]):
        some = np.zeros_like(whole)
        some[chosen] = whole[chosen]
        assert not is_complete(some), chosen


def test_what_looks_like_marks_is_complete_where_that_is_said(scan) -> None:
    thick = _lesions(0, thickness=3).astype(np.uint16)
    assert not is_complete(thick)
    with pytest.raises(InputError, match="marked slices"):
        SupportSet.from_scan(scan[0], thick)
    made = SupportSet.from_scan(scan[0], thick, sure=True)
    assert len(made.scans) == 1 and all(example.complete for example in made.examples)
    with pytest.raises(InputError, match="no label"):
        SupportSet.from_scan(scan[0], np.zeros_like(thick), sure=True)


def test_neighbours_bound_each_other() -> None:
    """A structure cut in two by a plane: each half ends abruptly, where the other one goes on."""
    whole = ball((15, 18, 14), 9).astype(np.uint16)
    for axis in range(3):
        halves = whole.copy()
        halves[(slice(None),) * axis + (slice((15, 18, 14)[axis], None),)] *= 2
        assert are_complete(halves) and is_complete(halves)
        assert not are_complete(np.where(halves == 2, halves, 0)), "the neighbour is not there"
    some = whole.copy()
    some[16:] = 0
    some[[17, 20]] = 2 * whole[[17, 20]]
    assert not are_complete(some), "marks of one label beside another that is complete"


def test_a_file_gives_back_the_scans(support: SupportSet, tmp_path: Path) -> None:
    both = replace(support, scans=(*support.scans, replace(support.scans[0], source="second", used=False)))
    both.save(tmp_path / "set.npz")
    back = SupportSet.load(tmp_path / "set.npz")
    assert [(s.source, s.used) for s in back.scans] == [("first", True), ("second", False)]
    for a, b in zip(both.scans, back.scans, strict=True):
        np.testing.assert_array_equal(a.image.array, b.image.array)
        np.testing.assert_array_equal(a.labels, b.labels)
        assert a.image.geometry == b.image.geometry
    assert len(support.merged(back).scans) == 3 and back.label_names == {1: "left"}


def test_a_set_of_slices_is_written_so_that_older_programs_read_it(support: SupportSet, tmp_path: Path) -> None:
    for scans, version in ((support.scans, 2), ((), 1)):
        replace(support, scans=scans).save(tmp_path / "set.npz")
        with np.load(tmp_path / "set.npz") as archive:
            assert json.loads(archive["metadata"].tobytes())["version"] == version


def test_scan_and_label_map_must_fit_each_other(scan) -> None:
    kept = LabelledScan.of(*scan)
    with pytest.raises(GeometryError, match="one grid"):
        replace(kept, labels=kept.labels[1:])
    with pytest.raises(InputError, match="no label"):
        replace(kept, labels=np.zeros_like(kept.labels))
    with pytest.raises(InputError, match="uint16"):
        replace(kept, image=scan[0])


def _grid(**changes: object) -> dict:
    fields = {"spacing": [1, 1, 1], "origin": [0, 0, 0], "direction": np.eye(3).ravel().tolist(), "source": ""}
    return {"metadata": {"scans": [{**fields, "used": True, **changes}]}}


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"scan_0": None}, "KeyError"),
        ({"scan_labels_0": None}, "KeyError"),
        ({"scan_labels_0": np.ones((3, 4, 5), np.uint16)}, "one grid"),
        ({"scan_labels_0": np.zeros((3, 4, 5), np.int16)}, "int16"),
        ({"scan_0": np.zeros((3, 4, 5), np.float32)}, "float32"),
        ({"scan_0": np.zeros((4, 5), np.uint16)}, "dimensions"),
        ({"scan_0": b"no array"}, "no array"),
        (_grid(spacing=[0, 1, 1]), "spacing"),
        (_grid(spacing=[1, 1]), "spacing"),
        (_grid(direction=[1, 0, 0, 0, 1, 0, 0, 0]), "direction"),
        (_grid(direction=[2, 0, 0, 0, 1, 0, 0, 0, 1]), "orthonormal"),
        (_grid(origin=["x", 0, 0]), "ValueError"),
        ({"metadata": {"scans": 3}}, "TypeError"),
        ({"metadata": {"scans": [{}]}}, "KeyError"),
        ({"metadata": {"version": 3}}, "version is 3"),
    ],
)
def test_every_corruption_is_a_sentence(support: SupportSet, tmp_path: Path, members: dict, words: str) -> None:
    refuses_when_rewritten(support, tmp_path / "set.npz", words, members)
