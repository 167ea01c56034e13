"""Boxes around marks."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.imaging import Box


def test_the_box_is_tight_over_a_stack() -> None:
    stack = np.zeros((3, 10, 12), np.uint8)
    stack[0, 2, 3] = 1
    stack[2, 5, 9] = 4
    box = Box.around(stack)
    assert box == Box(2, 6, 3, 10)
    assert stack[(slice(None), *box.slices)].sum() == stack.sum()
    assert Box.around(stack[1]) is None


def test_margins_are_in_millimetres_and_stay_in_the_slice() -> None:
    box = Box(10, 12, 10, 12)
    assert box.grown(3.0, (1.0, 2.0), (100, 100)) == Box(7, 15, 8, 14)
    assert box.grown(50.0, (1.0, 1.0), (20, 100)) == Box(0, 20, 0, 62)
    assert box.grown(5.0, (1e-300, 1.0), (20, 20)) == Box(0, 20, 5, 17)
    with pytest.raises(InputError, match="margin_mm is -1"):
        box.grown(-1, (1, 1), (20, 20))


def test_union_holds_both() -> None:
    a, b = Box(0, 2, 5, 6), Box(4, 5, 0, 1)
    assert a.union(b) == Box(0, 5, 0, 6)
    assert a.union(b).holds(a) and a.union(b).holds(b)
    assert not a.holds(b)


def test_empty_boxes_are_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        Box(3, 3, 0, 1)
    with pytest.raises(InputError, match="outside"):
        Box(-1, 3, 0, 1)
