"""What leads on beyond the marks: brightness where it is plain to see, and what was found on the way from one mark."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.segmentation import PropagationSettings, propagate
from UniverSegSlicerLib.segmentation.propagation.guided import following, stepping
from UniverSegSlicerLib.segmentation.propagation.guided.contrast import contrasts_of, plainness
from UniverSegSlicerLib.segmentation.propagation.guided.ending import Ending
from UniverSegSlicerLib.segmentation.propagation.guided.fields import Span
from UniverSegSlicerLib.segmentation.propagation.guided.fusion import Trust

from .made_shapes import Silent, disc, mark_of, marked, textured, volume_of

PLAIN, FAINT = (0.2, 0.9), (0.45, 0.46)
GUIDED = PropagationSettings(strategy="guided")


def found_of(truth: np.ndarray, slices: list[int], **looks: float) -> np.ndarray:
    """What comes out of marks on some slices, (K, J, I) boolean."""
    marks = marked(truth, slices)
    return propagate(volume_of(truth, **looks), marks, model=Silent(), axis="k", settings=GUIDED).labels == 1


def rod(length: int, rest: int, radius: float = 10) -> np.ndarray:
    """A rod along the slices, and slices without it behind."""
    return np.stack([disc(radius)] * length + [disc(radius) & False] * rest)


def bone() -> np.ndarray:
    """From a tip to where it is wide, and on for as long again."""
    radii = [0.0] * 6 + [float(r) for r in np.linspace(4, 10, 24)] + [10.0] * 34 + [0.0] * 8
    return np.stack([disc(radius) & (radius > 0) for radius in radii])


@pytest.mark.parametrize("slices", [[8, 13, 18, 23, 28], [8, 9, 10, 11, 12, 13], [20]])
def test_what_is_plain_to_see_is_followed_from_marks_at_one_end(slices: list[int], overlap) -> None:
    """Bright bone, marked every so many slices, on every slice, and once."""
    truth = bone()
    assert overlap(found_of(truth, slices, low=0.2, high=0.9), truth) > 0.95


@pytest.mark.parametrize(("slices", "end"), [([8, 13, 18, 23, 28], 40), ([20], 52)])
def test_it_is_followed_because_it_is_plain(slices: list[int], end: int, monkeypatch) -> None:
    monkeypatch.setattr(following, "plainness", lambda *_: 0.0)
    assert not found_of(bone(), slices, low=0.2, high=0.9)[end:].any(), "where it is less plain, it ends with the marks"


def test_a_faint_structure_is_not_looked_for_beyond_twice_its_width() -> None:
    found = found_of(rod(100, 0), [50], low=0.45, high=0.46)
    assert found[48:53].any(axis=(1, 2)).all() and not found[:19].any() and not found[82:].any()


def test_brightness_does_not_lead_through_a_neck(overlap) -> None:
    """Two bright balls, one behind the other, with a thread between them; the first is marked at one end."""
    ball = [max(0.0, 12**2 - (n - 12) ** 2) ** 0.5 for n in range(25)]
    radii = [*ball, *([1.0] * 4), *ball]
    truth = np.stack([disc(radius) & (radius > 0) for radius in radii])
    first = truth & (np.arange(len(truth)) < 25)[:, None, None]
    for slices in ([8], [6, 7, 8], [4, 6, 8]):
        marks = marked(truth, slices)
        found = propagate(volume_of(truth, *PLAIN), marks, model=Silent(), axis="k", settings=GUIDED).labels == 1
        assert not found[29:].any() and overlap(found, first) > 0.9, slices


def test_evenly_marked_structures_end_beyond_their_marks_however_plain() -> None:
    """Two bright levels that touch: five even marks on one do not lead into the other."""
    truth = rod(30, 40, 12)
    image = volume_of(rod(70, 0, 12), *PLAIN)
    found = propagate(image, marked(truth, [3, 9, 15, 21, 27]), model=Silent(), settings=GUIDED).labels == 1
    assert found[:29].any(axis=(1, 2)).all() and not found[36:].any()


def test_an_empty_mark_ends_what_is_plain_to_see(overlap) -> None:
    """Its end is told, so brightness does not lead through it."""
    shown = rod(60, 0)
    truth = rod(40, 20)
    drawn = marked(truth, [20])
    found = propagate(
        volume_of(shown, *PLAIN), drawn, model=Silent(), settings=GUIDED, axis="k", marked_indices=[20, 45]
    ).labels
    assert not found[45:].any() and overlap(found[:40] == 1, truth[:40]) > 0.8


def test_what_was_found_leads_on_from_a_single_mark(monkeypatch, overlap) -> None:
    """A faint rod that leans and grows: far from the mark its shape says little."""
    truth = np.stack([disc(7 + 0.3 * n, 30 + 0.2 * n, 48, 96) for n in range(40)])
    image, drawn = volume_of(truth, 0.45, 0.48), marked(truth, [4])
    stones = propagate(image, drawn, model=Silent(), settings=GUIDED).labels == 1
    monkeypatch.setattr(stepping.SteppingStone, "step_on", lambda *_: None)
    alone = propagate(image, drawn, model=Silent(), settings=GUIDED).labels == 1
    assert overlap(stones, truth) > overlap(alone, truth) + 0.02


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_stone_is_the_farthest_slice_if_something_was_found_there(side: str) -> None:
    mark = mark_of(20, 8)
    direction = 1 if side == "left" else -1
    rows = np.sort(20 + direction * np.arange(1, 7))
    ending = Ending.expected_beyond([mark], mark, 1.0)
    span = Span(mark if side == "left" else None, mark if side == "right" else None, rows, ending)
    stone = stepping.SteppingStone.at(span, 1.0)
    assert stone.mark is None and stone.ending == ending
    shapes = np.stack([disc(8)] * 6)
    stone.step_on(textured(shapes), np.where(shapes, 5.0, -5.0), rows)
    assert stone.mark is not None and stone.mark.index == 20 + 6 * direction
    assert (stone.mark.ratio == mark.ratio).all() and 0 < stone.mark.weight < 1
    assert stone.ending.expected > ending.expected, "it has not narrowed, so it goes on"
    further = rows + 6 * direction
    gone = shapes & (np.abs(further - 20) < 10)[:, None, None]
    stone.step_on(textured(gone), np.where(gone, 5.0, -5.0), further)
    assert stone.mark is None


def test_sections_found_on_the_way_tell_the_end_of_a_ball() -> None:
    """An ellipsoid of half-length 30 around a mark that lets expect 15 slices: found as far as slice 20, half of the
    change to where it ends."""
    mark = mark_of(0, 10)
    alone = Ending.expected_beyond([mark], mark, 1.0)
    areas = {n: mark.area * (1 - (n / 30) ** 2) for n in range(0, 21, 5)}
    assert alone.as_found(areas, 0, 1.0).expected == pytest.approx((alone.expected * 30) ** 0.5, rel=0.03)
    narrowing = {n: mark.area * max(0.01, 1 - (n / 6) ** 2) for n in range(6)}
    assert alone.as_found(narrowing, 0, 1.0).expected < alone.expected
    for areas in ({0: mark.area, 9: mark.area}, {0: mark.area, -200: mark.area}):
        assert alone.as_found(areas, 0, 1.0).expected <= alone.expected * 2**0.5 + 1e-6


def test_plainness_is_the_contrast_from_mark_to_mark() -> None:
    plain = {n: mark_of(n, 10, *PLAIN) for n in (0, 5, 10)}
    faint = {n: mark_of(n, 10, *FAINT) for n in (0, 5, 10)}
    assert plainness(contrasts_of(plain), False) == 1 and plainness(contrasts_of(faint), False) < 0.2
    assert len(contrasts_of(plain)) == 4 and len(contrasts_of({0: plain[0]})) == 1 and contrasts_of({}) == []
    assert plainness([], False) == plainness([], True) == 0
    assert plainness([3.3], False) == 1 and 0 < plainness([3.3], True) < 0.5, "a mark judged by itself is flattered"


def test_trust_in_brightness_where_nothing_lies_between_the_marks() -> None:
    """Marks on neighbouring slices say that brightness shows the structure; that it does not, only distant ones can."""
    assert Trust.of([], [3.4, 3.6]) == Trust(brightness=3.5) and Trust.of([], [0.4]) == Trust()
    assert Trust.of([], []) == Trust() and Trust.of([0.9], [0.4]) == Trust(0.9, 0.4)


def test_which_marks_let_brightness_lead_on() -> None:
    def led_on(places: list[int], radii: list[float], plain: float = 1.0) -> float:
        marks = [mark_of(n, radius) for n, radius in zip(places, radii, strict=True)]
        return Ending.expected_beyond(marks, marks[-1], 1.0, plain).led_on

    assert led_on([5], [8]) == 1 and led_on([5], [8], 0.4) == 0.4 and led_on([5], [8], 0.0) == 0
    assert led_on([5, 6, 7], [8, 8, 8]) == 1, "every slice is marked"
    assert led_on([0, 3, 6, 9], [4, 8, 11, 12]) == 1, "from a tip inwards"
    assert led_on([0, 12, 24, 36], [8, 8, 8, 8]) == 0, "from end to end"
    assert led_on([0, 24, 48], [4, 8, 12]) == 0, "a cone, from end to end"
