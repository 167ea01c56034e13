"""Many 2D images with one support set: the protocol of the UniverSeg paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..imaging import IntensityWindow, SliceFrame
from ..progress import CancelToken, ProgressCallback
from .predictor import Meter, SupportStack, planes
from .settings import PropagationSettings
from .support.choice import draw_support
from .support.planes import example_planes
from .support.set import SupportSet

if TYPE_CHECKING:
    from ..network import InContextModel

# Images that are on the network's grid at once.
_BATCH = 64


#: Examples per draw by default: what the published network was trained with.
MOST_EXAMPLES = 64


def segment_images(
    images: Sequence[np.ndarray],
    support: SupportSet,
    model: InContextModel,
    *,
    label: int | None = None,
    ensemble: int = 1,
    support_size: int = MOST_EXAMPLES,
    seed: int = 0,
    flips: bool = False,
    spacings: Sequence[tuple[float, float]] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> list[np.ndarray]:
    """Segment one label in 2D images.

    Args:
        images: (rows, cols) each, any real dtype and any size.
        support: Examples.
        model: The network.
        label: Label of the examples; may be left out where they hold only one.
        ensemble: Number of random draws of the support set whose logits are averaged.
        support_size: Examples per draw, at most; 64 is what the published network was trained with.
        seed: Of the draws.
        flips: Also average over mirrored copies.
        spacings: (row_mm, col_mm) of each image; square pixels by default.
        progress: Called with the share done.
        cancel: Looked at after every chunk.

    Returns:
        Logits float32 (rows, cols) per image, at its own size; above 0 is the structure.

    Raises:
        InputError: No support, a label that is absent or not named, or an image that is none; the message says which.
        Cancelled: The cancel token was raised.
    """
    label = _label(support, label)
    settings = PropagationSettings(
        strategy="independent", choice="random", support_size=support_size, ensemble=ensemble, seed=seed, flips=flips
    )
    examples = support.supporting(label)
    size = model.resolution
    stack = SupportStack(model, *example_planes(examples, label, size, None), np.full(len(examples), np.nan))
    draws = draw_support(stack.places, None, settings)
    meter = Meter(progress, cancel, len(images) * len(draws) * (1 + flips))
    results: list[np.ndarray] = []
    for start in range(0, len(images), _BATCH):
        frames, queries = [], []
        for n, image in enumerate(images[start : start + _BATCH], start):
            array = np.asarray(image)
            if array.ndim != 2 or array.dtype.kind not in "biuf":
                raise InputError(f"image {n} has the shape {array.shape} and dtype {array.dtype}; (rows, cols) needed.")
            frame = SliceFrame.fit(array.shape, spacings[n] if spacings else (1.0, 1.0), size=size)
            frames.append(frame)
            queries.append(frame.to_network(array, window=IntensityWindow.of(array)))
        logits, _ = stack.predict(planes(np.stack(queries)), draws, flips=flips, meter=meter, message="images")
        results.extend(frame.from_network(one) for frame, one in zip(frames, logits, strict=True))
    return results


def _label(support: SupportSet, label: int | None) -> int:
    present = support.label_values
    if not present:
        raise InputError("the support set holds no label; at least one labelled image is needed.")
    if label is None:
        if len(present) > 1:
            raise InputError(
                f"the support set holds the labels {', '.join(map(str, present))}; say which one is meant."
            )
        return present[0]
    if label not in present:
        raise InputError(f"label {label} is absent; the support set holds {', '.join(map(str, present))}.")
    return label
