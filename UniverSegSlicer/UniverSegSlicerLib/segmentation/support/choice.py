"""Which examples support a slice, in one draw or in several."""

from __future__ import annotations

import numpy as np

from ..settings import PropagationSettings

#: Indices of examples, rising.
Draw = tuple[int, ...]


def draw_support(places: np.ndarray, query: int | None, settings: PropagationSettings) -> list[Draw]:
    """Choose the examples for a query, once per ensemble member.

    The first draw is the plain choice. Where a later draw would have to take all examples again, it leaves a third of
    them out, so that the members differ.

    Args:
        places: (S,) slice number of each example along the query's axis; NaN for examples from elsewhere, which count
            as farther than any slice.
        query: Slice number of the query; None where it has none.
        settings: Choice, support size, ensemble and seed.

    Returns:
        ``settings.ensemble`` draws, without repeats where they fall together; the same for the same arguments.
    """
    count = len(places)
    if count == 0:
        return [()]
    size = count if settings.choice == "all" else min(settings.support_size, count)
    near = _by_distance(places, query) if settings.choice == "nearest" else np.arange(count)
    # Only the nearest choice depends on the query; the others share their draws, so that they are encoded once.
    salt = query or 0 if settings.choice == "nearest" else 0
    draws = []
    for member in range(settings.ensemble):
        rng = np.random.default_rng([settings.seed, member, salt])
        if settings.choice == "random":
            draw = rng.choice(count, size if size < count or member == 0 else _fewer(count), replace=False)
        elif member == 0:
            draw = near[:size]
        else:
            pool = near[: 2 * size] if size < count else near
            draw = rng.choice(pool, size if size < count else _fewer(count), replace=False)
        draws.append(tuple(int(n) for n in np.sort(draw)))
    return list(dict.fromkeys(draws))


def _fewer(count: int) -> int:
    return max(1, count - -(-count // 3)) if count > 1 else 1


def _by_distance(places: np.ndarray, query: int | None) -> np.ndarray:
    """Example numbers by distance to the query; those from elsewhere last, evenly mixed rather than in a row."""
    distance = np.abs(places - (query if query is not None else np.nan))
    here = np.flatnonzero(np.isfinite(distance))
    here = here[np.argsort(distance[here], kind="stable")]
    elsewhere = np.flatnonzero(~np.isfinite(distance))
    # Neighbours in a foreign set are mostly neighbouring slices; the bit-reversed order spreads a short choice.
    bits = max(1, int(len(elsewhere) - 1).bit_length()) if len(elsewhere) else 0
    order = sorted(range(len(elsewhere)), key=lambda n: int(f"{n:0{bits}b}"[::-1], 2))
    return np.concatenate([here, elsewhere[order]]).astype(int)
