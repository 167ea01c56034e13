"""A labelled scan laid over the next patient's: found where it fits, silent where it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from UniverSegSlicerLib.errors import Cancelled
from UniverSegSlicerLib.imaging import Geometry, Volume, to_sitk
from UniverSegSlicerLib.progress import CancelToken
from UniverSegSlicerLib.segmentation import LabelledScan, SupportSet, propagate
from UniverSegSlicerLib.segmentation.atlas import gather

from ..conftest import BrightnessModel

GRID = Geometry((44, 40, 36))


def head(shift: tuple[float, float, float] = (0, 0, 0), size: float = 1.0, noise: int = 0) -> tuple[Volume, np.ndarray]:
    """A made body part without any symmetry: an ellipsoid with five organs; ``shift`` in mm (I, J, K)."""
    places = np.moveaxis(np.indices(GRID.shape)[::-1], 0, -1).astype(float)
    places = (places - np.array([22, 20, 18]) - shift) / size
    image = 40.0 * (((places / [19, 16, 14]) ** 2).sum(-1) < 1)
    labels = np.zeros(GRID.shape, np.uint16)
    organs = (((-7, 3, 2), (6, 4, 5), 100), ((8, -4, 3), (4, 6, 4), 70), ((2, 8, -5), (7, 3, 4), -30))
    for value, (centre, radii, bright) in enumerate(organs, 1):
        inside = (((places - centre) / radii) ** 2).sum(-1) < 1
        image[inside] += bright
        labels[inside] = value
    image += np.random.default_rng(noise).normal(size=GRID.shape) * 3
    return Volume(image.astype(np.float32), GRID), labels


def dice(found: np.ndarray, truth: np.ndarray, label: int) -> float:
    a, b = found == label, truth == label
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


@pytest.fixture(scope="module")
def support() -> SupportSet:
    return SupportSet.from_scan(*head(), source="first patient")


@pytest.fixture(scope="module")
def next_patient() -> tuple[Volume, np.ndarray]:
    return head((3, -2, 2), 1.12, noise=1)


def test_the_next_patient_needs_no_marks(support: SupportSet, next_patient) -> None:
    result = propagate(next_patient[0], None, model=BrightnessModel(), support=support)
    assert result.warnings == () and result.credibility > 0.7
    for label in (1, 2, 3):
        assert dice(result.labels, next_patient[1], label) > 0.85


def test_the_same_arguments_give_the_same_result(support: SupportSet, next_patient) -> None:
    first, second = (gather(next_patient[0], support.scans) for _ in range(2))
    for label in first.chances:
        np.testing.assert_array_equal(first.chances[label], second.chances[label])


def test_axes_in_another_order_and_another_field_of_view(support: SupportSet, next_patient) -> None:
    volume, truth = next_patient
    labelled = sitk.GetImageFromArray(truth)
    turned = []
    for image in (to_sitk(volume), labelled):
        whole = sitk.ConstantPad(image, (14, 0, 6), (0, 9, 0), 0.0)
        turned.append(sitk.PermuteAxes(whole, (2, 0, 1)))
    image, labels = turned
    grid = Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    other = Volume(sitk.GetArrayFromImage(image), grid)
    result = propagate(other, None, model=BrightnessModel(), support=support)
    found = sitk.GetArrayFromImage(labels)
    assert min(dice(result.labels, found, label) for label in (1, 2, 3)) > 0.8


def _flipped(volume: Volume) -> Volume:
    return Volume(volume.array[:, :, ::-1].copy(), volume.geometry)


def _half(volume: Volume) -> Volume:
    return Volume(volume.array[:, :, :20].copy(), replace(GRID, size=(20, 40, 36)))


def _negative(volume: Volume) -> Volume:
    return Volume(-volume.array, volume.geometry)


def _coarse(volume: Volume) -> Volume:
    part = volume.array[::6, ::6, ::6].copy()
    return Volume(part, Geometry(part.shape[::-1], (6.0, 6.0, 6.0)))


def _noise(volume: Volume) -> Volume:
    return Volume(np.random.default_rng(2).normal(size=volume.array.shape), volume.geometry)


@pytest.mark.parametrize("change", [_flipped, _half, _negative, _coarse, _noise])
def test_what_does_not_fit_is_said_and_nothing_is_found(change, support: SupportSet, next_patient) -> None:
    result = propagate(change(next_patient[0]), None, model=BrightnessModel(), support=support)
    assert not result.labels.any()
    assert "first patient was left out" in result.warnings[0] and "mark a slice" in result.warnings[-1]
    assert result.credibility == 0


def test_a_scan_that_does_not_fit_takes_no_part(support: SupportSet, next_patient) -> None:
    kept = support.scans[0]
    noise = np.random.default_rng(5).integers(0, 65536, kept.image.array.shape).astype(np.uint16)
    stranger = replace(kept, source="stranger", image=Volume(noise, kept.image.geometry))
    both = gather(next_patient[0], (stranger, kept))
    assert len(both.warnings) == 1 and "stranger was left out" in both.warnings[0]
    alone = gather(next_patient[0], (kept,))
    np.testing.assert_array_equal(both.chances[1], alone.chances[1])


def test_several_scans_vote(next_patient) -> None:
    scans = [LabelledScan.of(*head((n, 0, -n), 1 + n / 40, noise=n + 3), source=str(n)) for n in (-2, 0, 2)]
    evidence = gather(next_patient[0], scans)
    assert len(evidence.aligned) == 3 and evidence.agreement(1) > 0.7
    found = evidence.logits_on(1, GRID) > 0
    assert dice(found, next_patient[1] == 1, 1) > 0.85


def test_marks_outweigh_the_scan_near_them(support: SupportSet, next_patient) -> None:
    volume, truth = next_patient
    marks = np.zeros_like(truth)
    # The person draws the organ two pixels farther to one side than the scan would have it.
    marked = np.roll(truth == 1, 2, axis=2)
    middle = int(np.argmax((truth == 1).sum(axis=(1, 2))))
    marks[middle] = marked[middle]
    result = propagate(volume, marks, model=BrightnessModel(), support=support, label_values=[1], axis="k")
    np.testing.assert_array_equal(result.labels[middle], marks[middle])
    without = propagate(volume, None, model=BrightnessModel(), support=support, label_values=[1], axis="k")
    beside = middle + 1
    assert dice(result.labels[beside], marked[beside] * 1, 1) > dice(without.labels[beside], marked[beside] * 1, 1)


def test_marks_alone_are_not_changed_by_a_scan_that_does_not_fit(support: SupportSet, next_patient) -> None:
    volume, truth = _noise(next_patient[0]), next_patient[1]
    marks = np.zeros_like(truth)
    marks[20] = (truth == 1)[20]
    slices = replace(support, scans=())
    results = [
        propagate(volume, marks, model=BrightnessModel(), support=one, label_values=[1], axis="k")
        for one in (support, slices)
    ]
    np.testing.assert_array_equal(results[0].labels, results[1].labels)


def test_progress_and_cancel(support: SupportSet, next_patient) -> None:
    seen: list[float] = []
    token = CancelToken()

    def report(share: float, _: str) -> None:
        seen.append(share)
        if share > 0.1:
            token.cancel()

    with pytest.raises(Cancelled):
        propagate(next_patient[0], None, model=BrightnessModel(), support=support, progress=report, cancel=token)
    assert seen and seen == sorted(seen) and seen[-1] < 0.6
