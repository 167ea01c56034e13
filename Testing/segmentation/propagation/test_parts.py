"""What touches no mark is removed, and what was removed is said."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.segmentation import PropagationSettings, propagate
from UniverSegSlicerLib.segmentation.propagation.parts import detached, remove_detached

EVERYWHERE = np.arange(12)


def _stack(*boxes: tuple[slice, slice, slice]) -> np.ndarray:
    found = np.zeros((12, 20, 20), bool)
    for box in boxes:
        found[box] = True
    return found


def _marks(found: np.ndarray, *indices: int) -> dict[int, np.ndarray]:
    return {n: found[n] for n in indices}


ORGAN = (slice(2, 6), slice(3, 8), slice(3, 8))
BLOB = (slice(8, 10), slice(4, 7), slice(4, 7))


def test_a_part_beyond_an_empty_slice_is_detached() -> None:
    parts = detached(_stack(ORGAN, BLOB), _marks(_stack(ORGAN), 4), EVERYWHERE)
    assert parts is not None and np.array_equal(parts, _stack(BLOB))


def test_a_chain_of_slices_holds_even_by_a_corner() -> None:
    link = (slice(6, 8), slice(8, 9), slice(8, 9))
    far = (slice(8, 10), slice(9, 12), slice(9, 12))
    assert detached(_stack(ORGAN, link, far), _marks(_stack(ORGAN), 4), EVERYWHERE) is None


def test_several_parts_in_one_marked_slice_may_have_more_beside_them() -> None:
    """Two kidneys on a mark; a third part may be one too."""
    other = (slice(3, 6), slice(12, 16), slice(12, 16))
    assert detached(_stack(ORGAN, other, BLOB), _marks(_stack(ORGAN, other), 4), EVERYWHERE) is None


def test_two_parts_in_a_slice_that_are_one_body_count_as_one() -> None:
    """A horseshoe shows two parts on a mark, and a blob beside it is detached all the same."""
    other = (slice(2, 6), slice(12, 16), slice(3, 8))
    bridge = (slice(2, 3), slice(3, 16), slice(3, 8))
    shoe = _stack(ORGAN, other, bridge)
    parts = detached(shoe | _stack(BLOB), _marks(shoe, 4), EVERYWHERE)
    assert parts is not None and np.array_equal(parts, _stack(BLOB))


def test_what_lies_between_marks_of_a_torn_result_stays() -> None:
    """A thin vessel with gaps, marked at both ends; what lies beyond them goes."""
    near, middle, far = [(slice(n, n + 1), slice(n, n + 2), slice(5, 7)) for n in (2, 5, 8)]
    beyond = (slice(10, 11), slice(5, 8), slice(5, 8))
    found = _stack(near, middle, far, beyond)
    parts = detached(found, _marks(found, 2, 8), EVERYWHERE)
    assert parts is not None and np.array_equal(parts, _stack(beyond))


def test_slices_that_were_not_looked_at_may_hold_the_link() -> None:
    """Only slices 8 and 9 were asked for, and the mark is on slice 4."""
    assert detached(_stack(BLOB), {4: _stack(ORGAN)[4]}, np.array([8, 9])) is None
    # Where all slices between were looked at, there is no link.
    parts = detached(_stack(BLOB), {4: _stack(ORGAN)[4]}, np.arange(3, 12))
    assert parts is not None and np.array_equal(parts, _stack(BLOB))


@pytest.mark.parametrize("marks", [{}, {4: np.zeros((20, 20), bool)}], ids=["no mark", "an empty mark"])
def test_without_a_marked_shape_nothing_is_detached(marks: dict[int, np.ndarray]) -> None:
    assert detached(_stack(ORGAN, BLOB), marks, EVERYWHERE) is None


def test_labels_are_looked_at_one_by_one_and_confidence_is_gone_where_they_are() -> None:
    """A neighbour of another label holds nothing."""
    labels = np.zeros((12, 20, 20), np.uint16)
    labels[_stack(ORGAN)], labels[_stack(BLOB)] = 3, 3
    labels[6:8, 4:7, 4:7] = 7
    sure = np.ones(labels.shape, np.float32)
    marks = {3: _marks(_stack(ORGAN), 4), 7: {6: labels[6] == 7}}
    assert remove_detached(labels, sure, marks, EVERYWHERE) == {3: 18}
    assert set(np.unique(labels)) == {0, 3, 7} and not labels[_stack(BLOB)].any()
    assert (sure[_stack(BLOB)] == 0).all() and (sure[~_stack(BLOB)] == 1).all()


def _organ_and_its_double(phantom_of) -> tuple[Volume, np.ndarray, np.ndarray]:
    """A ball that is marked, and another as bright behind a dark gap."""
    k, j, i = np.indices((30, 48, 48))
    organ = (k - 8) ** 2 + ((j - 24) / 2) ** 2 + ((i - 24) / 2) ** 2 < 30
    double = (k - 21) ** 2 + ((j - 24) / 2) ** 2 + ((i - 24) / 2) ** 2 < 30
    image = 200 + 400 * (organ | double) + np.random.default_rng(0).normal(0, 10, organ.shape)
    return Volume(image.astype(np.float32), Geometry((48, 48, 30))), organ, double


@pytest.mark.parametrize("strategy", ["guided", "cascade"])
def test_a_bright_neighbour_is_left_out_unless_it_is_asked_for(phantom_of, model, overlap, strategy: str) -> None:
    volume, organ, double = _organ_and_its_double(phantom_of)
    marks = np.zeros(organ.shape, np.uint16)
    marks[[6, 8, 10]] = organ[[6, 8, 10]]
    kept = propagate(volume, marks, model=model, settings=PropagationSettings(strategy=strategy, keep_detached=True))
    found = propagate(volume, marks, model=model, settings=PropagationSettings(strategy=strategy))
    assert not (found.labels[double] == 1).any() and overlap(found.labels == 1, organ) > 0.85
    gone = np.count_nonzero((kept.labels == 1) & (found.labels == 0))
    assert found.removed == ({1: gone} if gone else {}) and kept.removed == {}
    if strategy == "cascade":
        assert gone > 0.5 * np.count_nonzero(double), "the stand-in finds what is as bright"
        assert found.confidence[(kept.labels == 1) & (found.labels == 0)].max() == 0
