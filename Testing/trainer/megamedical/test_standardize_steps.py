"""Intensity, spacing, slices, resize and splits: what each step promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trainer.megamedical.declaration import IntensityRule, Label
from trainer.megamedical.sample import MaskPart, MultiHot, Sample
from trainer.megamedical.standardize.intensity import to_unit
from trainer.megamedical.standardize.resample import to_isotropic
from trainer.megamedical.standardize.resize import area_of_pixel, frame_of, resize_image, resize_masks
from trainer.megamedical.standardize.slices import choose_slices, take_masks
from trainer.megamedical.standardize.splits import split_subjects

SHAPES = st.tuples(st.integers(3, 90), st.integers(3, 90))


def sample(image: np.ndarray, label: np.ndarray, spacing: tuple[float, ...], count: int = 2) -> Sample:
    labels = tuple(Label(v, str(v), f"label {v}") for v in range(1, count + 1))
    masks = MultiHot(labels, (MaskPart(label, {v: v - 1 for v in range(1, count + 1)}),), label.shape)
    return Sample("d", "g", "n", "s", "MR", image, spacing, masks)


def test_ct_is_clipped_to_its_window() -> None:
    image = np.array([-2000.0, -500.0, 250.0, 1000.0, 3000.0])
    np.testing.assert_allclose(to_unit(image, IntensityRule("ct")), [0, 0, 0.5, 1, 1], atol=1e-6)


def test_mr_is_clipped_to_percentiles_of_what_is_above_zero() -> None:
    rng = np.random.default_rng(0)
    tissue = rng.uniform(100, 200, 10_000)
    image = np.concatenate([np.zeros(5000), tissue, [1e6]])
    unit = to_unit(image, IntensityRule("mr"))
    # Percentiles of the tissue alone: the outlier and the background do not stretch the scale.
    low, high = np.percentile(np.append(tissue, 1e6), [0.5, 99.5])
    np.testing.assert_allclose(unit[5000:-1], (np.clip(tissue, low, high) - low) / (high - low), atol=1e-5)
    assert unit[-1] == 1.0
    assert not unit[:5000].any()


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 6)),
                  elements=st.floats(-1e6, 1e6, width=32) | st.just(float("nan")) | st.just(float("inf"))),
       st.sampled_from(["ct", "mr", "none"]))  # fmt: skip
def test_any_image_becomes_finite_values_from_0_to_1(image: np.ndarray, rule: Any) -> None:
    unit = to_unit(image, IntensityRule(rule))
    assert unit.dtype == np.float32
    assert np.isfinite(unit).all()
    assert unit.min() >= 0
    assert unit.max() <= 1


def test_a_constant_image_is_all_zero() -> None:
    assert not to_unit(np.full((3, 3), 7), IntensityRule("none")).any()


def test_resampling_keeps_the_place_and_the_extent() -> None:
    k, j, i = np.mgrid[:10, :12, :14].astype(float)
    image = 3 * k + 2 * j + i
    label = ((k >= 4) & (k < 6) & (j >= 2) & (j < 6) & (i >= 7) & (i < 11)).astype(np.uint8)
    fine = to_isotropic(sample(image, label, (3.0, 2.0, 1.0)), 1.0)
    assert fine.image.shape == (30, 24, 14)
    assert fine.spacing == (1.0, 1.0, 1.0)
    # A ramp stays a ramp, voxel edges stay where they were: index i of 1 mm is (i + 0.5) / s - 0.5 of before.
    kk, jj, ii = np.mgrid[10:20, 8:16, 4:10].astype(float)
    expected = 3 * ((kk + 0.5) / 3 - 0.5) + 2 * ((jj + 0.5) / 2 - 0.5) + ii
    np.testing.assert_allclose(fine.image[10:20, 8:16, 4:10], expected, atol=0.05)
    where = np.argwhere(fine.masks.dense()[0])
    np.testing.assert_array_equal(where.min(axis=0), (12, 4, 7))
    np.testing.assert_array_equal(where.max(axis=0), (17, 11, 10))


def test_coarser_voxels_average_and_unknown_spacing_is_left() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (40, 40, 40))
    coarse = to_isotropic(sample(noise, np.zeros(noise.shape, np.uint8), (0.5, 0.5, 0.5)), 2.0)
    assert coarse.image.shape == (10, 10, 10)
    assert coarse.image.std() < 0.5 * noise.std()
    unknown = sample(noise, np.zeros(noise.shape, np.uint8), (np.nan, 1.0, 1.0))
    assert to_isotropic(unknown, 1.0) is unknown
    assert to_isotropic(coarse, 2.0) is coarse


@given(SHAPES, st.sampled_from([16, 32, 48]))
def test_padding_is_centred_and_zero(shape: tuple[int, int], size: int) -> None:
    square = resize_image(np.ones(shape, np.float32), (1.0, 1.0), size)
    rows, cols = np.flatnonzero(square.any(axis=1)), np.flatnonzero(square.any(axis=0))
    for found in (rows, cols):
        # As much padding before as behind, give or take the pixel that cannot be halved.
        assert abs(found[0] - (size - 1 - found[-1])) <= 1
    long_side = rows if shape[0] >= shape[1] else cols
    assert len(long_side) == size
    assert square.max() == 255


@given(SHAPES, st.floats(0.3, 3), st.floats(0.3, 3), st.integers(0, 2**31))
def test_resized_masks_keep_their_area_and_never_vanish(
    shape: tuple[int, int], row_mm: float, col_mm: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    row, col = (int(rng.integers(0, n)) for n in shape)
    masks = np.zeros((2, *shape), bool)
    masks[0, row, col] = True
    masks[1, : row + 1, : col + 1] = True
    small = resize_masks(masks, (row_mm, col_mm), 32)
    assert small.any(axis=(1, 2)).all()
    frame = frame_of(shape, (row_mm, col_mm), 32)
    share = masks[1].sum() * area_of_pixel(frame)
    # The rim of a rectangle is half covered at most once around it.
    assert abs(small[1].mean() - share) <= (2 * np.sqrt(small[1].sum()) + 8) / 32**2 + 0.35 * share


@settings(max_examples=25)
@given(st.integers(12, 60), st.integers(12, 60))
def test_there_and_back_again(rows: int, cols: int) -> None:
    y, x = np.mgrid[:rows, :cols]
    image = (0.5 + 0.4 * np.sin(y / rows * 3) * np.cos(x / cols * 3)).astype(np.float32)
    frame = frame_of((rows, cols), (1.0, 1.0), 128)
    back = frame.from_network(frame.to_network(image))
    assert back.shape == image.shape
    np.testing.assert_allclose(back[2:-2, 2:-2], image[2:-2, 2:-2], atol=0.03)


def test_thin_vessels_survive_a_strong_reduction() -> None:
    mask = np.zeros((1, 512, 512), bool)
    mask[0, 200:202, :] = True  # half a pixel wide at 128
    small = resize_masks(mask, (1.0, 1.0), 128)[0]
    assert small.any(axis=0).mean() > 0.95
    assert small.any(axis=1).sum() == 1


def test_slices_of_a_volume() -> None:
    label = np.zeros((9, 10, 10), np.uint8)
    label[2, 1:4, 1:4] = 1
    label[3, 1:6, 1:6] = 1  # the largest of label 1
    label[6, 8, 8] = 2  # a single pixel: too small to be a target
    given_sample = sample(np.zeros(label.shape), label, (1.0, 1.0, 1.0))
    chosen = choose_slices(given_sample, (0,), (1.0, 1.0, 1.0))
    assert [(c.index, c.slicing) for c in chosen] == [(2, "all"), (3, "max"), (4, "mid")]
    assert chosen[1].largest == frozenset({0})
    assert set(take_masks(given_sample, chosen[1])) == {0}
    assert take_masks(given_sample, chosen[2]) == {}
    every_axis = choose_slices(given_sample, (0, 1, 2), (1.0, 1.0, 1.0))
    assert {c.axis for c in every_axis} == {0, 1, 2}
    assert {c.index for c in every_axis if c.axis == 1} == {1, 2, 3, 4, 5}


def test_interpolated_slices_are_not_taken_for_all() -> None:
    label = np.zeros((30, 10, 10), np.uint8)
    label[4:26, 2:8, 2:8] = 1
    fine = sample(np.zeros(label.shape), label, (1.0, 1.0, 1.0))
    chosen = choose_slices(fine, (0,), (5.0, 1.0, 1.0))
    assert [c.index for c in chosen if c.slicing == "all"] == [5, 10, 20, 25]
    assert [c.index for c in chosen if c.slicing == "max"] == [4]  # the first of equals
    assert [c.index for c in chosen if c.slicing == "mid"] == [15]


def test_a_picture_is_its_own_slice() -> None:
    label = np.zeros((6, 7), np.uint8)
    label[2, 3] = 2
    (chosen,) = choose_slices(sample(np.zeros((6, 7)), label, (np.nan, np.nan)), (0,), (np.nan, np.nan))
    assert (chosen.slicing, chosen.largest) == ("mid", frozenset({1}))


@given(st.integers(1, 60), st.integers(0, 5))
def test_splits_cover_every_subject_once_in_the_right_shares(count: int, seed: int) -> None:
    subjects = {f"subject {number}" for number in range(count)}
    splits = split_subjects("d", subjects, seed)
    assert set(splits) == subjects
    counts = {name: list(splits.values()).count(name) for name in ("train", "val", "test")}
    assert counts["train"] >= 1
    if len(subjects) >= 3:
        assert min(counts.values()) >= 1
    if len(subjects) >= 10:
        for name, share in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
            assert abs(counts[name] - share * len(subjects)) <= 1.01


@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=12, unique=True), st.randoms())
def test_splits_depend_on_seed_and_data_set_not_on_order(subjects: list[str], random: Any) -> None:
    shuffled = subjects * 2
    random.shuffle(shuffled)
    assert split_subjects("d", subjects, 1) == split_subjects("d", shuffled, 1)


def test_another_seed_gives_another_split() -> None:
    subjects = [f"s{i}" for i in range(40)]
    assert split_subjects("d", subjects, 0) != split_subjects("d", subjects, 1)
    assert split_subjects("d", subjects, 0) != split_subjects("e", subjects, 0)


@pytest.mark.parametrize("size", [8, 64, 200])
def test_an_image_is_as_bright_as_before(size: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(0.2, 0.8, (96, 96)).astype(np.float32)
    assert abs(resize_image(image, (1.0, 1.0), size).mean() / 255 - image.mean()) < 0.02
