"""Marked shapes that follow the image: registration, the evidence of the marks, and their weighing."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.segmentation import PropagationSettings, propagate
from UniverSegSlicerLib.segmentation.propagation.guided import following, fusion
from UniverSegSlicerLib.segmentation.propagation.guided.contrast import contrast, with_best_blur
from UniverSegSlicerLib.segmentation.propagation.guided.evidence import Mark, gather
from UniverSegSlicerLib.segmentation.propagation.guided.fusion import Ending, Place, Trust, fuse, weights_for
from UniverSegSlicerLib.segmentation.propagation.guided.registration import (
    chained,
    even_contrast,
    fields_to_previous,
    inverse,
    resized,
    warped,
)
from UniverSegSlicerLib.segmentation.shapes import end_of_ellipsoid

from .made_shapes import SIZE, Silent, disc, textured


def test_a_structure_that_wanders_and_grows_is_followed(overlap) -> None:
    """Interpolated between two marks, the shape would be elsewhere half-way: the structure makes a bow."""
    count = 21
    bow = [20 * np.sin(np.pi * n / (count - 1)) for n in range(count)]
    truth = np.stack([disc(10 + n / 4, 48, 30 + shift, 96) for n, shift in enumerate(bow)])
    marks = np.zeros(truth.shape, np.uint8)
    marks[[0, 20]] = truth[[0, 20]]
    model = Silent()
    volume = Volume(textured(truth), Geometry((96, 96, count)))
    found = propagate(volume, marks, model=model, settings=PropagationSettings(strategy="guided")).labels == 1
    prior = propagate(volume, marks, model=model, settings=PropagationSettings(strategy="prior")).labels == 1
    assert overlap(found[1:20], truth[1:20]) > 0.95
    assert overlap(found[10], truth[10]) > overlap(prior[10], truth[10]) + 0.2


def test_a_structure_without_contrast_is_interpolated(overlap) -> None:
    """Where the image shows nothing, the result is between the marks."""
    truth = np.stack([disc(10 + n, 48, 48, 96) for n in range(11)])
    marks = np.zeros(truth.shape, np.uint8)
    marks[[0, 10]] = truth[[0, 10]]
    blank = np.random.default_rng(0).normal(0, 1, truth.shape).astype(np.float32)
    found = propagate(Volume(blank, Geometry((96, 96, 11))), marks, model=Silent()).labels == 1
    assert overlap(found[5], truth[5]) > 0.8


def test_the_structure_ends_with_the_brightness_and_one_mark_is_enough(overlap) -> None:
    truth = np.stack([disc(15 if 6 <= n < 26 else 0.0, 48, 48, 96) for n in range(40)])
    truth[[n for n in range(40) if not 6 <= n < 26]] = False
    marks = np.zeros(truth.shape, np.uint8)
    marks[15] = truth[15]
    found = propagate(Volume(textured(truth), Geometry((96, 96, 40))), marks, model=Silent()).labels == 1
    assert overlap(found, truth) > 0.85
    assert not found[:3].any() and not found[30:].any()


def test_more_pixels_show_finer_detail(overlap) -> None:
    rows, cols = np.indices((512, 512))
    comb = (np.hypot(rows - 256, cols - 256) < 220) & (cols % 24 < 16)
    truth = np.repeat(comb[None], 5, axis=0)
    marks = np.zeros(truth.shape, np.uint8)
    marks[[0, 4]] = truth[[0, 4]]
    volume = Volume(textured(truth), Geometry((512, 512, 5)))
    dices = []
    for detail in (1, 4):
        settings = PropagationSettings(strategy="guided", margin=0.05, detail=detail)
        dices.append(overlap(propagate(volume, marks, model=Silent(), settings=settings).labels[2] == 1, truth[2]))
    assert dices[1] > dices[0] + 0.02


def test_registration_finds_a_shift_and_its_inverse() -> None:
    images = torch.as_tensor(textured(np.stack([disc(14), disc(14, 34, 35)])))[:, None]
    images = torch.nn.functional.avg_pool2d(images, 3, 1, 1)
    fields = fields_to_previous(even_contrast(images))
    assert fields.shape == (1, 2, SIZE, SIZE)
    # From the second slice to the first: 3 columns and 2 rows back, at the border of the disc.
    rim = torch.as_tensor(disc(16, 34, 35) & ~disc(12, 34, 35))
    dx, dy = fields[0, 0][rim].mean().item(), fields[0, 1][rim].mean().item()
    assert dx == pytest.approx(-3, abs=0.8) and dy == pytest.approx(-2, abs=0.8)
    there_and_back = chained(inverse(fields), fields)
    assert there_and_back.abs().mean() < 0.1


def test_fields_are_resized_with_their_lengths_and_chained_in_order() -> None:
    right = torch.zeros(1, 2, 8, 8)
    right[:, 0] = 1.0
    assert torch.allclose(resized(right, 16)[:, 0], torch.tensor(2.0))
    image = torch.arange(64.0).view(1, 1, 8, 8)
    assert warped(image, chained(right, right))[0, 0, 3, 2] == image[0, 0, 3, 4]


def test_one_slice_has_no_neighbours() -> None:
    assert fields_to_previous(torch.zeros(1, 1, 64, 64)).shape == (0, 2, 64, 64)


def test_registration_can_be_stopped() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fields_to_previous(torch.zeros(2, 1, 64, 64), stop)


def test_the_evidence_of_a_mark_on_itself_is_the_mark(overlap) -> None:
    mask = disc(14)
    image = textured(mask[None])[0]
    mark = Mark.of(3, image, mask.astype(np.float32))
    still = torch.zeros(1, 2, 32, 32)
    found = gather(torch.as_tensor(image)[None, None], [(mark, still)], [np.ones(1)])
    for part in (found.shape, found.votes, found.brightness):
        assert overlap((part[0, 0] > 0).numpy(), mask) > 0.93
    assert torch.allclose(found.shape[0, 0], torch.as_tensor(mark.distance))


def test_contrast_tells_whether_brightness_helps() -> None:
    masks = np.stack([disc(12), disc(14)])
    bright, even = (
        [Mark.of(n, image, mask.astype(np.float32)) for n, (image, mask) in enumerate(zip(images, masks, strict=True))]
        for images in (textured(masks), textured(masks, 0.5, 0.5))
    )
    assert contrast(*bright) > 3
    assert abs(contrast(*even)) < 0.5


def test_the_expected_end_follows_from_gaps_or_from_the_width() -> None:
    def marks(places: list[int]) -> list[Mark]:
        return [Mark.of(n, disc(10) * 0.5, disc(10).astype(np.float32)) for n in places]

    def beyond(places: list[int], step: float) -> Ending:
        return Ending.expected_beyond(marks(places), marks(places)[-1], step)

    spread = beyond([0, 20, 40], 1.0)
    assert not spread.guessed and spread.expected == pytest.approx(10) and spread.crowded == 0
    single = beyond([7], 1.0)
    assert single.guessed and single.expected == pytest.approx(15, abs=0.7)
    assert beyond([7], 3.0).expected == pytest.approx(5, abs=0.3)
    assert Ending.before_empty_mark(8).expected == 4 and Ending.before_empty_mark(8).farthest == 8


def test_sections_of_an_ellipsoid_tell_where_it_ends() -> None:
    areas = {n: 100 * (1 - ((n - 50) / 40) ** 2) for n in (20, 35, 50, 65, 80)}
    assert end_of_ellipsoid(areas, 20) == pytest.approx(10) and end_of_ellipsoid(areas, 80) == pytest.approx(10)
    assert end_of_ellipsoid({3: 7.0, 5: 6.0}, 3) == np.inf


def test_marks_in_the_middle_do_not_hide_the_ends() -> None:
    """The doubt at the ends of a ball is about the same with further marks inside it."""
    truth = np.stack([disc(0.6 * max(0.0, 20**2 - (n - 24) ** 2) ** 0.5) for n in range(49)])
    found = []
    for places in ([11, 24, 37], [11, 17, 24, 30, 37]):
        marks = [Mark.of(n, truth[n] * 0.5, truth[n].astype(np.float32)) for n in places]
        found.append(Ending.expected_beyond(marks, marks[-1], 1.0).expected)
    assert 3 < found[1] < found[0] < 8 and found[1] > 0.6 * found[0]


@pytest.mark.parametrize("trust", [None, Trust(0.9, 2.0)])
def test_doubt_grows_with_the_distance_and_the_setting(trust: Trust | None) -> None:
    mask = disc(14)
    image = textured(mask[None])[0]
    mark = Mark.of(0, image, mask.astype(np.float32))
    rows = np.arange(1, 13)
    still = torch.zeros(len(rows), 2, 32, 32)
    images = torch.as_tensor(image).expand(len(rows), 1, -1, -1)
    evidence = gather(images, [(mark, still)], [np.ones(len(rows))])
    place = Place.of(rows, [mark], Ending.expected_beyond([mark], mark, 2.0))
    silent = torch.zeros_like(images)

    def middle(ending: float) -> np.ndarray:
        return fuse(evidence, silent, place, trust, ending)[:, 0, 32, 32].numpy()

    assert (np.diff(middle(1.0)) <= 1e-4).all() and middle(1.0)[-1] < middle(1.0)[0]
    assert middle(0.0)[-1] > middle(1.0)[-1] > middle(3.0)[-1]


def test_a_structure_that_has_narrowed_on_its_last_mark_ends_nearby() -> None:
    """Its end is expected sooner, and beyond it the doubt grows with the area that is gone."""
    wide, narrow = (Mark.of(n, textured(disc(r)[None])[0], disc(r).astype(np.float32)) for n, r in ((0, 14), (20, 7)))
    ends = [Ending.expected_beyond([wide, narrow], mark, 1.0) for mark in (wide, narrow)]
    assert not ends[0].guessed and ends[0].closing == 0
    assert ends[1].closing == pytest.approx(0.75, abs=0.03) and ends[1].open == 0
    assert ends[0].open == ends[0].crowded * ends[1].closing and ends[1].expected < ends[0].expected
    rows = np.array([25, 45])
    images = torch.as_tensor(narrow.image).expand(2, 1, -1, -1)
    evidence = gather(images, [(narrow, torch.zeros(2, 2, 32, 32))], [np.ones(2)])
    silent = torch.zeros_like(images)
    before, beyond = (
        fuse(evidence, silent, Place.of(rows, [narrow], end), Trust())[:, 0, 32, 32].numpy() for end in ends
    )
    assert beyond[0] < before[0] and beyond[1] < before[1] - 2


def test_each_end_is_expected_by_its_own_mark(monkeypatch) -> None:
    """A cone that goes on past all marks: what is known of its narrow mark holds at that end only."""
    count = 61
    truth = np.stack([disc(32 - 0.4 * n, 48, 48, 96) for n in range(count)])
    marks = np.zeros(truth.shape, np.uint8)
    marks[[25, 30, 35, 40]] = truth[[25, 30, 35, 40]]
    volume = Volume(textured(truth), Geometry((96, 96, count), (1, 1, 3)))
    found = []
    for weights in (fusion.BEYOND, dataclasses.replace(fusion.BEYOND, closing=-60.0)):
        monkeypatch.setattr(fusion, "BEYOND", weights)
        labels = propagate(volume, marks, model=Silent(), settings=PropagationSettings(smooth=0)).labels == 1
        found.append(labels)
    assert found[0][41:].sum() > found[1][41:].sum()
    assert (found[0][:25] == found[1][:25]).all() and found[0][:25].any()


def test_the_weights_depend_on_what_is_known() -> None:
    mark = Mark.of(0, disc(9) * 0.5, disc(9).astype(np.float32))
    rows = np.array([2])
    between = Place.of(rows, [mark, mark], None)
    beyond = Place.of(rows, [mark], Ending(4.0, False, 16.0))
    kinds = [weights_for(between, Trust()), weights_for(beyond, Trust()), weights_for(beyond, None)]
    assert len({id(kind) for kind in kinds}) == 3


def test_the_search_goes_on_while_something_is_found_and_ends_after_that() -> None:
    """Marks in the first tenth of a long bright rod: it is followed to its far end, and not beyond a gap."""
    truth = np.stack([disc(16, 48, 48, 96)] * 100)
    truth[70:] = False
    marks = np.zeros(truth.shape, np.uint8)
    marks[[0, 2, 4, 6]] = 1 * truth[[0, 2, 4, 6]]
    image = textured(truth)
    volume = Volume(image, Geometry((96, 96, 100), (1, 1, 1)))
    found = propagate(volume, marks, model=Silent()).labels == 1
    assert (found[8:68].sum(axis=(1, 2)) > 0.8 * truth[8:68].sum(axis=(1, 2))).all()
    assert not found[74:].any()


def _marks(masks: np.ndarray, noise: float) -> dict[int, Mark]:
    images = np.where(masks, 0.8, 0.3) + np.random.default_rng(4).normal(0, noise, masks.shape)
    pairs = zip(images.astype(np.float32), masks, strict=True)
    return {3 * n: Mark.of(3 * n, image, mask.astype(np.float32)) for n, (image, mask) in enumerate(pairs)}


@pytest.mark.parametrize("count", [1, 2, 4])
def test_brightness_is_blurred_against_noise_but_not_where_a_structure_is_thin(count: int) -> None:
    walls = np.stack([disc(20 + n) & ~disc(18.5 + n) for n in range(count)])
    whole = np.stack([disc(20 + n) for n in range(count)])
    assert {mark.blur for mark in with_best_blur(_marks(walls, 0.03)).values()} == {0.0}
    assert {mark.blur for mark in with_best_blur(_marks(whole, 0.15)).values()} == {1.0}
    assert with_best_blur({}) == {}


def test_a_thin_wall_is_found_where_it_lies(overlap) -> None:
    """A shell, whose sections differ too much to be averaged along the slices."""
    rows = [12, 24, 36]
    truth = np.stack([disc(0.8 * n + 8, 48, 48, 96) & ~disc(0.8 * n + 6.5, 48, 48, 96) for n in range(45)])
    image = np.where(truth, 0.8, 0.3) + np.random.default_rng(2).normal(0, 0.03, truth.shape)
    marks = np.zeros(truth.shape, np.uint8)
    marks[rows] = truth[rows]
    found = propagate(Volume(image.astype(np.float32), Geometry((96, 96, 45))), marks, model=Silent()).labels == 1
    between = np.setdiff1d(np.arange(12, 37), rows)
    assert overlap(found[between], truth[between]) > 0.9


def test_thin_structures_bear_less_smoothing_than_compact_ones_of_the_same_area() -> None:
    ball, shell = disc(12), disc(25) & ~disc(22)
    assert abs(int(ball.sum()) - int(shell.sum())) < 60
    shares = [
        following.smoothing_share(SimpleNamespace(marks={3: mask.astype(np.float32)}, step=2.0))
        for mask in (ball, shell)
    ]
    assert shares[0] == pytest.approx(0.6, abs=0.02) and 0 < shares[1] < 0.5 * shares[0]
    assert following.smoothing_share(SimpleNamespace(marks={3: np.zeros((8, 8), np.float32)}, step=2.0)) == 0
