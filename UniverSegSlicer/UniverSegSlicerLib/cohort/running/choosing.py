"""Which labelled scans a case is segmented with: those that look most like it, so that a new one changes few cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...segmentation import SupportSet
from ..folder import read_array, write_array
from ..inputs.supports import support_hash
from ..looks import looks_of_whole
from .hashing import recipe_hash

if TYPE_CHECKING:
    from ...network import InContextModel


def sources_of(support: SupportSet) -> list[str]:
    """Where all that is in use comes from, in the support's order."""
    used = [e.source for e in support.examples if e.used] + [s.source for s in support.scans if s.used]
    return list(dict.fromkeys(used))


def only(support: SupportSet, sources: Sequence[str]) -> SupportSet:
    """What comes from these sources."""
    return replace(
        support,
        examples=tuple(e for e in support.examples if e.source in sources),
        scans=tuple(s for s in support.scans if s.source in sources),
    )


class Choice:
    """Chooses for each case the labelled scans that are nearest to it in the network's features.

    Examples that come without their scan are for every case.

    Args:
        support: The whole support.
        values: The labels.
        most: Scans of each label that a case gets at most; 0 gives it all.
        kept: Folder of what the scans look like, from run to run.
        model_hash: Of the network.
    """

    def __init__(self, support: SupportSet, values: Sequence[int], most: int, kept: Path, model_hash: str) -> None:
        self.support = support
        self._sources = sources_of(support)
        self._parts = {source: support_hash(only(support, [source]), values) for source in self._sources}
        held: dict[str, set[int]] = {}
        for scan in support.scans:
            if scan.used:
                held.setdefault(scan.source, set()).update(set(scan.label_values) & set(values))
        self._held = {source: labels for source, labels in held.items() if labels}
        self._most = most
        self._kept, self._model_hash = kept, model_hash
        self._looks: dict[str, np.ndarray] | None = None

    @property
    def needed(self) -> bool:
        """Whether there is anything to choose."""
        return 0 < self._most < len(self._held)

    def look(self, model: InContextModel | None) -> bool:
        """Look at the scans with the network, or at what an earlier run kept; whether that is known now."""
        if self._looks is None and self.needed:
            looks = {}
            for scan in self.support.scans:
                if scan.source not in self._held or scan.source in looks or not scan.used:
                    continue
                name = recipe_hash(part=self._parts[scan.source], model=self._model_hash)
                file = self._kept / f"{name}.npy"
                found = read_array(file)
                if found is None:
                    if model is None:
                        return False
                    found = looks_of_whole(scan.image, self.support.axis, model)
                    write_array(file, found)
                looks[scan.source] = found
            self._looks = looks
        return True

    def sources(self, own: np.ndarray | None) -> list[str]:
        """The sources for a case that looks like ``own`` (C,); all of them where there is nothing to choose."""
        if not self.needed or own is None or self._looks is None:
            return self._sources
        looks = self._looks
        apart = {source: float(np.linalg.norm(own - looks[source])) for source in self._held}
        chosen: set[str] = set()
        for label in set().union(*self._held.values()):
            holding = [source for source in self._held if label in self._held[source]]
            chosen |= set(sorted(holding, key=lambda source: (apart[source], source))[: self._most])
        return [source for source in self._sources if source in chosen or source not in self._held]

    def hash_of(self, sources: Sequence[str]) -> str:
        """SHA-256 of what comes from these sources, as far as it says something about the labels."""
        return recipe_hash(parts=[self._parts[source] for source in sources])
