"""2D images with a support set."""

from __future__ import annotations

import numpy as np
import pytest

from UniverSegSlicerLib.errors import Cancelled, InputError
from UniverSegSlicerLib.progress import CancelToken
from UniverSegSlicerLib.segmentation import SupportSet, segment_images


def blob(rows: int, cols: int, dtype: type = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """A bright ellipse with its mask."""
    r, c = np.indices((rows, cols))
    mask = ((r / rows - 0.5) / 0.3) ** 2 + ((c / cols - 0.4) / 0.2) ** 2 < 1
    return (mask * 90 + 10).astype(dtype), mask


@pytest.fixture
def support() -> SupportSet:
    pairs = [blob(40 + 3 * n, 50) for n in range(7)]
    return SupportSet.from_pairs([p[0] for p in pairs], [p[1] * 3 for p in pairs])


def test_every_image_comes_back_at_its_own_size(support, model, overlap) -> None:
    pairs = [blob(64, 64), blob(200, 90, np.float64), blob(33, 47, np.uint16)]
    found = segment_images([p[0] for p in pairs], support, model, ensemble=3, support_size=4)
    for logits, (image, mask) in zip(found, pairs, strict=True):
        assert logits.shape == image.shape and logits.dtype == np.float32
        assert overlap(logits > 0, mask) > 0.9
    assert model.encoded == [4, 4, 4]


@pytest.mark.parametrize(("side", "shown"), [(30, 64), (64, 64), (90, 64), (100, 128), (1000, 128)])
def test_examples_of_many_pixels_are_shown_as_fine_as_the_network_bears(side: int, shown: int, make_model) -> None:
    image, mask = blob(side, side // 2)
    support = SupportSet.from_pairs([image], [mask])
    model = make_model(finest=2)
    assert segment_images([image], support, model, closer=False)[0].shape == image.shape
    segment_images([image], support, model, closer=False, detail=3)
    segment_images([image], support, model, closer=False, detail=1)
    first = [64] if shown == 64 else [64, shown]
    assert model.sides == [*first, 64, 192, 64]


def test_a_closer_look_is_as_fine_as_the_first(make_model) -> None:
    image, mask = np.full((256, 256), 10, np.uint8), np.zeros((256, 256), bool)
    mask[100:130, 60:90] = True
    image[mask] = 100
    model = make_model(finest=2)
    found = segment_images([image], SupportSet.from_pairs([image] * 2, [mask] * 2), model)[0] > 0
    assert model.sides == [64, 128] * 2
    assert 2 * (found & mask).sum() / (found.sum() + mask.sum()) > 0.9


def test_logits_are_the_mean_over_the_draws(support, tiny_model) -> None:
    image = blob(40, 40)[0]
    first, second = (segment_images([image], support, tiny_model, ensemble=4, support_size=3, seed=2) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    single = segment_images([image], support, tiny_model, ensemble=1, support_size=3, seed=2)
    assert (single[0] != first[0]).any()


def test_no_images_no_results(support, model) -> None:
    assert segment_images([], support, model) == []


def test_progress_and_cancellation(support, model) -> None:
    told: list[float] = []
    images = [blob(40, 40)[0]] * 40
    segment_images(images, support, model, progress=lambda share, _: told.append(share))
    assert told == sorted(told) and told[-1] == 1 and len(told) > 1
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        segment_images(images, support, model, cancel=cancel)


def test_what_cannot_be_done_is_said(support, model) -> None:
    image = blob(40, 40)[0]
    with pytest.raises(InputError, match="label 1 is absent; the support set holds 3"):
        segment_images([image], support, model, label=1)
    with pytest.raises(InputError, match="holds no label"):
        segment_images([image], SupportSet(), model)
    with pytest.raises(InputError, match="image 1 has the shape"):
        segment_images([image, image[None]], support, model)
    for detail in (0, 5):
        with pytest.raises(InputError, match=f"detail is {detail}, expected 1 to 4"):
            segment_images([image], support, model, detail=detail)
    several = support.merged(SupportSet.from_pairs([image], [image]))
    with pytest.raises(InputError, match="say which one"):
        segment_images([image], several, model)
