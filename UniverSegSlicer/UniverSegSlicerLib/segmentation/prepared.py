"""A support set on the network's grid, encoded once for any number of volumes without marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .predictor import SupportStack
from .settings import PropagationSettings
from .support.planes import example_planes
from .support.set import SupportSet

if TYPE_CHECKING:
    from ..network import InContextModel


class PreparedSupport:
    """What a support set and a network come to, whatever the volume.

    Args:
        support: The set.
        model: The network.

    Example:
        >>> prepared = PreparedSupport(support, model)  # doctest: +SKIP
        >>> for volume in volumes:  # doctest: +SKIP
        ...     propagate(volume, None, model=model, support=support, prepared=prepared)
    """

    def __init__(self, support: SupportSet, model: InContextModel) -> None:
        self.support, self.model = support, model
        self._stacks: dict[tuple[int, PropagationSettings | None], SupportStack] = {}

    def stack(self, label: int, region: PropagationSettings | None) -> SupportStack:
        """The examples of a label: around their own structure, or whole without settings of a region."""
        key = label, region
        if key not in self._stacks:
            others = self.support.supporting(label)
            images, masks = example_planes(others, label, self.model.resolution, region)
            self._stacks[key] = SupportStack(self.model, images, masks, np.full(len(others), np.nan))
        return self._stacks[key]
