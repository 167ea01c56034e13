"""A phantom, and a stand-in for the network whose answers can be foretold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from UniverSegSlicerLib.imaging import Geometry, Volume

if TYPE_CHECKING:
    from UniverSegSlicerLib.network import InContextModel


@dataclass(frozen=True)
class Examples:
    """What the stand-in keeps of a support set: (S, 1, size, size)."""

    images: np.ndarray
    labels: np.ndarray


class BrightnessModel:
    """Stands in for the network where a test needs answers that mean something; not a segmentation method.

    It takes the structure to be what is as bright as the labelled pixels of the examples, or as the pixels under the
    positive clicks where there are some. A prior keeps the answer within three pixels of it, a negative click empties
    its surroundings. It has the methods of the real model, and counts its work.
    """

    name = "brightness"
    device = "cpu"

    def __init__(self, query_channels: int = 4, resolution: int = 64, finest: int = 1) -> None:
        self.query_channels = query_channels
        self.resolution = resolution
        self.finest = finest
        self.sides: list[int] = []
        self.encoded: list[int] = []
        self.passes = 0
        self.queries: list[np.ndarray] = []

    def encode_support(self, images: Any, labels: Any) -> Examples:
        images, labels = np.asarray(images), np.asarray(labels)
        assert images.shape == labels.shape and images.shape[1] == 1 and images.shape[2] == images.shape[3]
        assert images.shape[2] % self.resolution == 0, "a square of its own, or a finer one"
        self.sides.append(images.shape[2])
        assert images.min(initial=0) >= 0 and images.max(initial=0) <= 1 and labels.max(initial=0) <= 1
        self.encoded.append(len(images))
        return Examples(images, labels)

    def predict(self, queries: Any, support: Examples, *, cancel: Any = None, **_: Any) -> np.ndarray:
        queries = np.asarray(queries)
        assert queries.dtype == np.float32 and queries.shape[2:] == support.images.shape[2:]
        assert queries.shape[1] <= self.query_channels
        if cancel is not None:
            cancel.raise_if_cancelled()
        self.passes += len(queries)
        self.queries.append(queries)
        return np.stack([self._one(query, support) for query in queries])[:, None].astype(np.float32)

    @staticmethod
    def _one(query: np.ndarray, support: Examples) -> np.ndarray:
        image, include, exclude, prior = (*query, *np.zeros((4 - len(query), *query.shape[1:]), np.float32))
        if include.any():
            bright = float(image[include > 0].mean())
        elif support.labels.sum():
            bright = float((support.images * support.labels).sum() / support.labels.sum())
        else:
            return np.full(image.shape, -10.0)
        logits = 10 * (0.5 - np.abs(image - bright) / 0.2)
        if prior.any():
            logits[~_near(prior > 0.5, 3)] = -10
        logits[_near(exclude > 0, 3)] = -10
        return logits


def _near(mask: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        padded = np.pad(mask, 1)
        mask = mask | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return mask


@pytest.fixture(scope="session")
def make_model() -> type[BrightnessModel]:
    """The class of the stand-in, for models with other planes."""
    return BrightnessModel


@pytest.fixture
def model() -> BrightnessModel:
    """The stand-in with all four query planes."""
    return BrightnessModel()


@pytest.fixture(scope="session")
def tiny_model(tiny_model_path: Path) -> InContextModel:
    """The real network, small and never trained."""
    from UniverSegSlicerLib.network import load_model

    return load_model(tiny_model_path, device="cpu")


@dataclass(frozen=True)
class Phantom:
    """A noisy volume with two structures, the truth, and a way to mark slices of it."""

    volume: Volume
    truth: np.ndarray

    def marks(self, indices: list[int], axis: int = 0, values: tuple[int, ...] = (1, 2)) -> np.ndarray:
        """The truth on some slices along an array axis, nothing elsewhere."""
        marks = np.zeros_like(self.truth)
        place = (slice(None),) * axis + (indices,)
        marks[place] = np.where(np.isin(self.truth[place], values), self.truth[place], 0)
        return marks


def make_phantom(
    shape: tuple[int, int, int] = (24, 60, 70), spacing: tuple[float, float, float] = (1, 1, 2)
) -> Phantom:
    k, j, i = (np.indices(shape) + 0.5) / np.array(shape).reshape(3, 1, 1, 1)
    truth = np.zeros(shape, np.uint16)
    truth[((k - 0.5) / 0.4) ** 2 + ((j - 0.45) / 0.3) ** 2 + ((i - 0.4) / 0.25) ** 2 < 1] = 1
    truth[((k - 0.5) / 0.3) ** 2 + ((j - 0.45) / 0.15) ** 2 + ((i - 0.4) / 0.12) ** 2 < 1] = 2
    array = np.array([0, 500, 1000])[truth] + np.random.default_rng(0).normal(0, 20, shape)
    geometry = Geometry(shape[::-1], spacing, (-30.0, 12.0, 7.0))
    return Phantom(Volume(array.astype(np.float32), geometry), truth)


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """A sphere-like structure 1 around a structure 2."""
    return make_phantom()


@pytest.fixture(scope="session")
def phantom_of() -> Callable[..., Phantom]:
    """Phantoms of other shapes and spacings."""
    return make_phantom


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Overlap of two masks."""
    return 2 * float((a & b).sum()) / max(1, int(a.sum()) + int(b.sum()))


@pytest.fixture(scope="session")
def overlap() -> Callable[[np.ndarray, np.ndarray], float]:
    """The Dice coefficient of two masks."""
    return dice
