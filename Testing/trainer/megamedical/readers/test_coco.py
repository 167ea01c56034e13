"""Run lengths and polygons against the reference implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as reference

from trainer.megamedical.readers.formats.coco import decode_rle, fill_polygons
from UniverSegSlicerLib.errors import InputError


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 1)))
def test_packed_runs_decode_as_in_pycocotools(mask: np.ndarray) -> None:
    packed = reference.encode(np.asfortranarray(mask))
    np.testing.assert_array_equal(decode_rle(packed["counts"], mask.shape), mask == 1)
    np.testing.assert_array_equal(decode_rle(packed["counts"].decode(), mask.shape), mask == 1)


def test_long_runs_and_plain_runs() -> None:
    mask = np.zeros((1000, 1200), np.uint8)
    mask[100:900, 300:1100] = 1
    packed = reference.encode(np.asfortranarray(mask))
    np.testing.assert_array_equal(decode_rle(packed["counts"], mask.shape), mask == 1)
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[2], mask.T.ravel(), [2]]))))
    np.testing.assert_array_equal(decode_rle(runs.tolist(), mask.shape), mask == 1)


@pytest.mark.parametrize("counts", [[3, 3], [1, -1, 4], "5", b"0P"])
def test_runs_that_do_not_fill_the_picture_are_refused(counts: object) -> None:
    with pytest.raises(InputError):
        decode_rle(counts, (2, 2))  # type: ignore[arg-type]


def test_polygons_fill_as_in_pycocotools() -> None:
    polygon = [10.0, 5.0, 60.0, 12.0, 45.0, 50.0, 8.0, 40.0]
    (expected,) = (reference.decode(r) for r in reference.frPyObjects([polygon], 64, 80))
    filled = fill_polygons([polygon], (64, 80))
    # Both rasterise the outline in their own way; the inside is the same.
    assert np.count_nonzero(filled != (expected == 1)) <= 0.02 * expected.sum()
    rectangle = fill_polygons([[2, 3, 7, 3, 7, 9, 2, 9]], (12, 12))
    assert rectangle[3:9, 2:7].all()
    assert rectangle.sum() == 30


def test_a_polygon_needs_three_corners() -> None:
    with pytest.raises(InputError, match="2 corners"):
        fill_polygons([[1, 1, 5, 5]], (8, 8))
