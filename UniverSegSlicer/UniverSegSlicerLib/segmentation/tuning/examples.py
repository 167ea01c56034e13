"""The examples of one label as a network sees them: plain and augmented copies, each looked at by the encoder once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...network.attentive.model import AttentiveUniverSeg, SeenEpisode
from ...network.families import AnyNetwork
from .augmentation import augmented

#: Examples beyond these are left out, evenly, so many for all labels together: more take longer and teach little more.
MOST_EXAMPLES = 48
_FEWEST_OF_A_LABEL = 4

# Augmented copies of every example, about so many pictures for all labels together, looked at so many at a time.
_PICTURES = 64
_LOOKED_AT = 8
_FEWEST_COPIES, _MOST_COPIES = 2, 8


@dataclass(frozen=True, eq=False)
class TuningTask:
    """One label's examples on the network's grid.

    Attributes:
        images: (S, side, side) float32 in [0, 1].
        masks: (S, side, side) float32 in [0, 1].
    """

    images: np.ndarray
    masks: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def thinned(self, labels: int) -> TuningTask:
        """At most one label's share of :data:`MOST_EXAMPLES`, evenly spread, but four at least."""
        most = max(_FEWEST_OF_A_LABEL, MOST_EXAMPLES // labels)
        if len(self) <= most:
            return self
        chosen = np.linspace(0, len(self) - 1, most).round().astype(int)
        return TuningTask(self.images[chosen], self.masks[chosen])


class Copies:
    """Copies of one label's examples, number 0 as they are, with what a frozen encoder sees of them.

    Args:
        network: Whose encoder looks at them.
        task: The examples.
        labels: Number of labels that are tuned together.
        device: Where the copies are kept.
        generator: Of the augmentation.
        pause: Called between two groups of pictures; what it raises ends the work.
    """

    def __init__(
        self,
        network: AnyNetwork,
        task: TuningTask,
        labels: int,
        device: torch.device,
        generator: torch.Generator,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        self.size = len(task)
        images = torch.as_tensor(task.images, dtype=torch.float32, device=device)[:, None]
        masks = torch.as_tensor(task.masks, dtype=torch.float32, device=device)[:, None]
        self.count = 1 + min(_MOST_COPIES, max(_FEWEST_COPIES, _PICTURES // (labels * self.size)))
        pairs = [(images, masks), *(augmented(images, masks, generator) for _ in range(self.count - 1))]
        self.images = torch.cat([pair[0] for pair in pairs])
        self.masks = torch.cat([pair[1] for pair in pairs])
        self.features: list[Tensor] = []
        if isinstance(network, AttentiveUniverSeg):
            parts = []
            for some in self.images.split(_LOOKED_AT):
                pause()
                with torch.no_grad():
                    parts.append([found[0] for found in network.features(some[None])])
            self.features = [torch.cat(level) for level in zip(*parts, strict=True)]

    def draw(self, positions: Sequence[int], generator: torch.Generator) -> list[int]:
        """A copy of each of these examples, by number of the copy."""
        chosen = torch.randint(self.count, (len(positions),), generator=generator).tolist()
        return [position + self.size * copy for position, copy in zip(positions, chosen, strict=True)]

    def logits(self, network: AnyNetwork, queries: Sequence[int], support: Sequence[int]) -> Tensor:
        """Logits ``(K, 1, H, W)`` of copies as queries with others as their support set, by number of the copy."""
        planes = network.architecture.query_channels - 1
        asked = functional.pad(self.images[list(queries)], (0, 0, 0, 0, 0, planes))
        images, masks = self.images[list(support)], self.masks[list(support)]
        if isinstance(network, AttentiveUniverSeg):
            seen = SeenEpisode(*([found[list(n)][None] for found in self.features] for n in (queries, support)))
            return network.episodes(asked[None], images[None], masks[None], seen)[0]
        shape = (len(queries), *images.shape)
        return network(asked, images.expand(shape), masks.expand(shape))

    def truth(self, queries: Sequence[int]) -> Tensor:
        """Masks ``(K, 1, H, W)`` of copies."""
        return self.masks[list(queries)]
