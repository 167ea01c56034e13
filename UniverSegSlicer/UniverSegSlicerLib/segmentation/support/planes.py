"""Examples from elsewhere on the network's grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...imaging import Box, SliceFrame
from ..region import region_around
from ..settings import PropagationSettings
from .example import SupportExample


def example_frame(example: SupportExample, label: int, size: int, settings: PropagationSettings | None) -> SliceFrame:
    """The frame of an example from elsewhere: a region around its own structure, or all of it without settings."""
    box = None
    if settings is not None:
        box = region_around(Box.around(example.labels == label), example.image.shape, example.spacing, settings)
    return SliceFrame.fit(example.image.shape, example.spacing, box, size)


def example_planes(
    examples: tuple[SupportExample, ...], label: int, size: int, settings: PropagationSettings | None
) -> tuple[np.ndarray, np.ndarray]:
    """Images and soft masks (S, size, size) of examples from elsewhere."""
    frames = [example_frame(example, label, size, settings) for example in examples]
    return planes_through(frames, examples, label, size)


def planes_through(
    frames: Sequence[SliceFrame], examples: Sequence[SupportExample], label: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Images and soft masks (S, size, size) of examples, each through its own frame of that size."""
    images, masks = np.zeros((2, len(examples), size, size), np.float32)
    for n, (frame, example) in enumerate(zip(frames, examples, strict=True)):
        images[n] = frame.to_network(example.image)
        masks[n] = frame.to_network(example.labels == label, "mask")
    return images, masks
