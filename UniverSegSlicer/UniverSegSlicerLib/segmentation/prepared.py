"""A support set on the network's grid, encoded once for any number of volumes without marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .looking import ScaledExamples
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
        self._examples: dict[int, ScaledExamples] = {}

    def examples(self, label: int) -> ScaledExamples:
        """The examples of a label at the scales of whole slices and of closer looks."""
        if label not in self._examples:
            self._examples[label] = ScaledExamples(self.support.supporting(label), label, self.model)
        return self._examples[label]
