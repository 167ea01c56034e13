"""What labelled scans say about a new one: chances of the labels everywhere, and whom to believe."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...imaging import Geometry, IntensityWindow, Volume
from ...progress import CancelToken, ProgressCallback
from ..support.scan import LabelledScan
from .alignment import Aligned, NewScan, Placed, align, common_grid, places
from .credibility import doubt_of_fit, doubt_of_place
from .sampling import array_of, blurred, even_contrast, image_of, sampled
from .vote import vote

# Chances below this are none, and the largest log-odds.
_LEAST_CHANCE, _SUREST = 0.01, 6.0
# Voxels of the grid on which several places are compared.
_GLANCE = 120_000


@dataclass(frozen=True, eq=False)
class AtlasEvidence:
    """The say of the labelled scans that are to be believed.

    Attributes:
        grid: Cubes along the axes of the new scan, around the structures.
        chances: Label value to (K, J, I) float32 in [0, 1].
        aligned: The labelled scans, brought to the grid.
        warnings: One sentence for each that was left out.
        credibility: Mean likeness of those that count, 0 to 1; 0 where there is none.
    """

    grid: Geometry | None
    chances: dict[int, np.ndarray]
    aligned: tuple[Aligned, ...]
    warnings: tuple[str, ...]
    credibility: float

    def agreement(self, label: int) -> float:
        """Mean Dice of what the scans say about a label, each with each other; 1 where only one holds it."""
        found = [fit.chances[label] > 0.5 for fit in self.aligned if label in fit.scan.label_values]
        pairs = [2 * (a & b).sum() / max(1, a.sum() + b.sum()) for a, b in itertools.combinations(found, 2)]
        return float(np.mean(pairs)) if pairs else 1.0

    def chance_on(self, label: int, grid: Geometry) -> np.ndarray:
        """The chance of a label at the points of another grid, float32 (K, J, I); 0 beyond the own one."""
        if self.grid is None or label not in self.chances:
            return np.zeros(grid.shape, np.float32)
        return array_of(sampled(image_of(self.chances[label], self.grid), grid))

    def logits_on(self, label: int, grid: Geometry) -> np.ndarray:
        """The log-odds of a label against background, float32 (K, J, I): above 0 where it is the likelier of the two.

        Of several labels the likeliest one has the highest.
        """
        if self.grid is None or label not in self.chances:
            return np.full(grid.shape, -_SUREST, np.float32)
        floor = float(np.exp(-_SUREST)) / 2
        nothing = 1 - np.sum(list(self.chances.values()), axis=0)
        own = np.log(np.maximum(self.chances[label], floor) / np.maximum(nothing, floor))
        return array_of(sampled(image_of(np.clip(own, -_SUREST, _SUREST), self.grid), grid, outside=-_SUREST))

    def brought_to(self, label: int, grid: Geometry) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Image and chance of a label, float32 (K, J, I), of every labelled scan that holds it, on another grid."""
        if self.grid is None:
            return
        for fit in self.aligned:
            if label in fit.scan.label_values:
                image, chance = (image_of(a, self.grid) for a in (fit.image, fit.chances[label]))
                yield array_of(sampled(image, grid)), array_of(sampled(chance, grid))


def gather(
    volume: Volume,
    scans: Sequence[LabelledScan],
    *,
    window: IntensityWindow | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> AtlasEvidence:
    """Lay labelled scans over a new one, and let those that fit vote.

    The same arguments give the same result.

    Args:
        volume: The new scan, any real dtype.
        scans: The labelled ones.
        window: Intensity window of the new scan; its own by default.
        progress: Called with the share done.
        cancel: Looked at between the parts of the work.

    Raises:
        Cancelled: The cancel token was raised.
    """
    done, total = 0, 2 * len(scans) + 1

    def check() -> None:
        if cancel is not None:
            cancel.raise_if_cancelled()

    def advance(message: str) -> None:
        nonlocal done
        done += 1
        check()
        if progress is not None:
            progress(min(1.0, done / total), message)

    window = window or IntensityWindow.of(volume.array)
    new = NewScan(image_of(window.apply(volume.array), volume.geometry), volume.geometry)
    warnings, placed = [], []
    for scan in scans:
        found = places(scan, new, check)
        believed = [one for one in found if doubt_of_place(one) is None]
        if believed:
            placed.append(_likest(believed, new, check))
        else:
            warnings.append(_left_out(scan, str(doubt_of_place(found[0]))))
        advance(f"laying {scan.source or 'a labelled scan'} over the new one")
    values = sorted({value for one in placed for value in one.scan.label_values})
    aligned: list[Aligned] = []
    grid = common_grid(placed, new) if placed else None
    for one in placed:
        assert grid is not None
        fit = align(one, new, grid, values, check)
        doubt = doubt_of_fit(fit)
        if doubt is None:
            aligned.append(fit)
        else:
            warnings.append(_left_out(one.scan, doubt))
        advance(f"fitting {one.scan.source or 'a labelled scan'}")
    if not aligned or grid is None:
        return AtlasEvidence(None, {}, (), tuple(warnings), 0.0)
    fixed = array_of(even_contrast(sampled(blurred(new.image, grid.spacing[0] / 2), grid)))
    images = [array_of(even_contrast(image_of(fit.image, grid))) for fit in aligned]
    chances = {}
    near = np.max([np.sum(list(fit.chances.values()), axis=0) for fit in aligned], axis=0) > _LEAST_CHANCE
    # A scan says nothing about labels that it does not hold.
    for group in _same_labels(aligned, values):
        some = [n for n, fit in enumerate(aligned) if group[0] in fit.scan.label_values]
        stacks = [np.stack([aligned[n].chances[value] for value in group]) for n in some]
        if stacks:
            voted = vote(fixed, [images[n] for n in some], stacks, near, check)
            chances.update(dict(zip(group, voted, strict=True)))
    if progress is not None:
        progress(1.0, "labelled scans have voted")
    credibility = float(np.mean([fit.likeness for fit in aligned]))
    return AtlasEvidence(grid, chances, tuple(aligned), tuple(warnings), credibility)


def _likest(found: Sequence[Placed], new: NewScan, check: Callable[[], None]) -> Placed:
    """The place where the scans are most alike once they have been deformed to fit."""
    if len(found) == 1:
        return found[0]
    values = found[0].scan.label_values
    return max(found, key=lambda one: align(one, new, common_grid([one], new, _GLANCE), values, check).likeness)


def _same_labels(aligned: Sequence[Aligned], values: Sequence[int]) -> list[list[int]]:
    """The labels in groups that are held by the same scans, so that each group is voted on at once."""
    groups: dict[tuple[bool, ...], list[int]] = {}
    for value in values:
        groups.setdefault(tuple(value in fit.scan.label_values for fit in aligned), []).append(value)
    return [group for holders, group in groups.items() if any(holders)]


def _left_out(scan: LabelledScan, doubt: str) -> str:
    return f"{scan.source or 'A labelled scan'} was left out: {doubt}."
