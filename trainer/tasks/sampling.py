"""Which task comes next: hierarchical uniform sampling, as in the paper, with weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Literal, TypeVar

import numpy as np

from UniverSegSlicerLib.errors import InputError

Item = TypeVar("Item")
Mode = Literal["hierarchical", "uniform", "dataset"]


class HierarchicalSampler(Generic[Item]):
    """Draws items uniformly at each level of their path in turn.

    With the path (data set, group, modality, axis, slicing, label) a data set with 179 labels is drawn as often as one
    with a single label (facts: paper supplement, section on sampling).

    Args:
        items: What to draw from; at least one.
        path: The item's place in the hierarchy, from the top; all paths of one length.
        weights: Relative weight of a node of the level ``weighted_level`` (default 1; 0 removes it).
        mode: "hierarchical" (all levels), "dataset" (the weighted level, then uniform inside), "uniform" (over items;
            weights apply as probabilities of the items).
        weighted_level: Index in the path of the names in ``weights``.
    """

    def __init__(
        self,
        items: Sequence[Item],
        path: Callable[[Item], tuple[str, ...]],
        *,
        weights: Mapping[str, float] | None = None,
        mode: Mode = "hierarchical",
        weighted_level: int = 0,
    ) -> None:
        if not items:
            raise InputError("items is empty: there is no task to draw from.")
        if mode not in ("hierarchical", "uniform", "dataset"):
            raise InputError(f"mode is {mode!r}; it must be 'hierarchical', 'dataset' or 'uniform'.")
        weights = dict(weights or {})
        known = {path(item)[weighted_level] for item in items}
        for name, weight in weights.items():
            if weight < 0:
                raise InputError(f"weights[{name!r}] is {weight}; a weight must not be negative.")
        self.unknown_weights = sorted(set(weights) - known)
        items = [item for item in items if weights.get(path(item)[weighted_level], 1.0) > 0]
        if not items:
            raise InputError("weights are 0 for every data set: there is no task to draw from.")
        self._items = list(items)
        self._mode = mode
        self._weights = weights
        self._level = weighted_level
        if mode == "uniform":
            raw = np.array([weights.get(path(item)[weighted_level], 1.0) for item in items])
            self._probabilities = raw / raw.sum()
        else:
            self._tree = self._grow(self._items, path, 0)

    def _grow(self, items: Sequence[Item], path: Callable[[Item], tuple[str, ...]], level: int) -> _Node[Item]:
        depth = len(path(items[0]))
        if level == depth or (self._mode == "dataset" and level > self._level):
            return _Node(leaves=list(items))
        groups: dict[str, list[Item]] = {}
        for item in items:
            groups.setdefault(path(item)[level], []).append(item)
        names = sorted(groups)
        raw = np.array([self._weights.get(name, 1.0) if level == self._level else 1.0 for name in names])
        if self._mode == "dataset" and level < self._level:
            raw = np.array([float(len(groups[name])) for name in names])
        children = [self._grow(groups[name], path, level + 1) for name in names]
        return _Node(children=children, probabilities=raw / raw.sum())

    def draw(self, rng: np.random.Generator) -> Item:
        """One item."""
        if self._mode == "uniform":
            return self._items[int(rng.choice(len(self._items), p=self._probabilities))]
        node = self._tree
        while node.children:
            index = int(np.searchsorted(node.cumulative, rng.random(), side="right"))
            node = node.children[min(index, len(node.children) - 1)]
        return node.leaves[int(rng.integers(len(node.leaves)))]


class _Node(Generic[Item]):
    def __init__(
        self,
        leaves: list[Item] | None = None,
        children: list[_Node[Item]] | None = None,
        probabilities: np.ndarray | None = None,
    ) -> None:
        self.leaves = leaves or []
        self.children = children or []
        self.cumulative = np.cumsum(probabilities) if probabilities is not None else np.zeros(0)


def draw_query_and_support(
    subjects: np.ndarray,
    queries: int,
    support: int,
    rng: np.random.Generator,
    *,
    replacement: bool | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Entries of one task for ``queries`` queries and ``support`` support examples.

    Queries are drawn without replacement. The support comes from other subjects than the queries where the task has at
    least two subjects, else from other entries; with a single entry the query itself is all there is, and an
    :class:`~UniverSegSlicerLib.errors.InputError` says so.

    Args:
        subjects: Subject code of each entry, ``(n,)``.
        replacement: Support with replacement (the paper), without (as far as entries suffice), or None: without when
            there are enough entries, else with.

    Returns:
        Query entries ``(queries,)`` and support entries ``(support,)``. When a task has fewer entries than queries,
        queries repeat.
    """
    count = len(subjects)
    if count < 2:
        raise InputError(f"The task has {count} image; a query and a support example need two.")
    codes = np.unique(subjects)
    if len(codes) > 1:
        # At most half of the subjects go to the queries, so that the support keeps its variety.
        limit = max(1, len(codes) // 2)
        chosen = rng.permutation(codes)[: min(queries, limit)]
        candidates = np.flatnonzero(np.isin(subjects, chosen))
        rest = np.flatnonzero(~np.isin(subjects, chosen))
        # One entry of each chosen subject first, then whatever those subjects still have.
        first = np.array([rng.choice(np.flatnonzero(subjects == code)) for code in chosen])
        others = rng.permutation(np.setdiff1d(candidates, first))
        order = np.concatenate([first, others])
    else:
        order = rng.permutation(count)
        cut = max(1, min(queries, count // 2))
        order, rest = order[:cut], order[cut:]
    query = np.resize(order, queries)
    if replacement is None:
        replacement = len(rest) < support
    if replacement:
        return query, rng.choice(rest, size=support, replace=True)
    picked = rng.permutation(rest)
    return query, np.resize(picked, support) if support else picked[:0]
