"""Where to cut logits when the structure is known to be in the picture."""

from __future__ import annotations

import numpy as np


def present_cutoff(logits: np.ndarray) -> float:
    """The logit above which pixels belong to a structure that the image is known to show.

    The mask with the best expected Dice D takes every pixel whose probability is above D / 2, and D is at most the
    largest probability. So an unsure answer is cut at half of its largest probability instead of at one half, which
    would leave it empty; a sure one is cut at one half as ever.

    Args:
        logits: Of one image, any shape.

    Returns:
        At most 0, and below the largest logit.

    Source:
        Lipton, Elkan, Naryanaswamy, Optimal thresholding of classifiers to maximize F1 measure, ECML PKDD 2014.
    """
    # logit(p / 2) with p = sigmoid(x) is -log(1 + 2 exp(-x)), written so that nothing overflows.
    return -float(np.logaddexp(0.0, np.log(2.0) - float(np.max(logits))))
