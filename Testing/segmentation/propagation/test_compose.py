"""Several labels on one grid."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.imaging import Box, SliceFrame
from UniverSegSlicerLib.segmentation.propagation.compose import LabelResult, compose
from UniverSegSlicerLib.segmentation.propagation.task import LabelLogits

SHAPE = (3, 20, 30)


def composed(*results: LabelResult) -> tuple[np.ndarray, np.ndarray]:
    labels, confidence = np.zeros(SHAPE, np.uint16), np.ones(SHAPE, np.float32)
    compose(results, np.arange(SHAPE[0]), labels, confidence)
    return labels, confidence


def even(value: int, logit: float, box: Box | None = None, spread: float | None = None) -> LabelResult:
    frame = SliceFrame.fit(SHAPE[1:], (1.0, 1.0), box, 32)
    planes = np.full((SHAPE[0], 32, 32), logit, np.float32)
    return LabelResult(value, frame, LabelLogits(planes, None if spread is None else planes * 0 + spread))


def test_the_highest_logit_wins_and_background_has_zero() -> None:
    assert (composed(even(5, -0.1), even(9, -3.0))[0] == 0).all()
    assert (composed(even(5, 0.1), even(9, -3.0))[0] == 5).all()
    assert (composed(even(5, 1.0), even(9, 3.0))[0] == 9).all()
    assert (composed(even(9, 3.0), even(5, 1.0))[0] == 9).all()


@pytest.mark.parametrize("logit", [-3.0, -0.2, 0.5, 4.0])
def test_confidence_of_one_label_is_its_distance_from_a_half(logit: float) -> None:
    _, confidence = composed(even(1, logit))
    expected = abs(2 / (1 + np.exp(-logit)) - 1)
    np.testing.assert_allclose(confidence, expected, rtol=1e-4)


def test_confidence_is_the_margin_over_the_runner_up() -> None:
    np.testing.assert_allclose(composed(even(1, 4.0), even(2, 3.0))[1], np.tanh(0.5), rtol=1e-4)
    np.testing.assert_allclose(composed(even(1, 4.0), even(2, -3.0))[1], np.tanh(2.0), rtol=1e-4)
    np.testing.assert_allclose(composed(even(1, -4.0), even(2, -1.0))[1], np.tanh(0.5), rtol=1e-4)


def test_disagreement_lowers_confidence() -> None:
    np.testing.assert_allclose(composed(even(1, 4.0, spread=0.25))[1], 0.5 * np.tanh(2.0), rtol=1e-4)
    assert (composed(even(1, 4.0, spread=0.5))[1] < 1e-6).all()


def test_labels_with_different_regions() -> None:
    labels, confidence = composed(even(1, 2.0, Box(0, 10, 0, 10)), even(2, 3.0, Box(5, 15, 5, 15)))
    expected = np.zeros(SHAPE[1:], int)
    expected[0:10, 0:10] = 1
    expected[5:15, 5:15] = 2
    np.testing.assert_array_equal(labels[1], expected)
    assert (confidence[:, 16:, 16:] == 1).all()


def test_only_the_asked_slices_are_filled_whatever_the_layout() -> None:
    labels = np.zeros(SHAPE[::-1], np.uint16).T
    confidence = np.ones(SHAPE, np.float32)
    compose([even(4, 1.0)], np.array([0, 2]), labels, confidence)
    assert (labels[[0, 2]] == 4).all() and not labels[1].any()
    assert (confidence[1] == 1).all() and (confidence[[0, 2]] < 1).all()
    compose([even(9, 1.0)], np.array([1]), labels, None)
    assert (labels[1] == 9).all()
