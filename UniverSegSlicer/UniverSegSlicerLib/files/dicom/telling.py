"""What tells frames at the same place apart: elements of the header, or their numbers."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .frames import MARKS, Frame
from .grid import fault, offsets

# Frames closer than this part of the usual step lie at the same place; so do those closer than so many mm.
_SAME_PLACE, _SAME_PLACE_MM = 1e-2, 1e-4

#: Frames by the values of some elements.
Groups = dict[tuple[Any, ...], list[Frame]]


def places_of(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Frames that are sorted along the normal, those at the same place together."""
    steps = np.diff(offsets(frames))
    apart = steps[steps > _SAME_PLACE_MM]
    limit = max(_SAME_PLACE * float(np.median(apart)) if len(apart) else 0.0, _SAME_PLACE_MM)
    places = [[frames[0]]]
    level = [places[0]]  # places at one height: slices there may lie side by side
    height = offsets(frames[:1])[0]
    for frame, here in zip(frames[1:], offsets(frames)[1:], strict=True):
        if here - height > limit:
            level, height = [], here
        home = next((place for place in level if _distance(place[0], frame) <= limit), None)
        if home is None:
            home = []
            places.append(home)
            level.append(home)
        home.append(frame)
    return places


def _distance(first: Frame, other: Frame) -> float:
    assert first.position is not None and other.position is not None
    return float(np.linalg.norm(first.position - other.position))


def partitions(frames: Sequence[Frame]) -> Iterator[tuple[tuple[str, ...], Groups]]:
    """Ways to divide sorted frames by up to three elements of their headers, groups in the order of the values."""
    keys = [key for key in MARKS if _varies(frames, key)]
    keys += [key for key in frames[0].marks if key not in MARKS and _varies(frames, key)]
    for names in itertools.chain.from_iterable(itertools.combinations(keys, count) for count in (1, 2, 3)):
        groups: Groups = defaultdict(list)
        for frame in frames:
            groups[tuple(frame.marks.get(name) for name in names)].append(frame)
        yield names, dict(sorted(groups.items(), key=lambda item: _rank(item[0])))


def complete(groups: Groups, places: int) -> bool:
    """Whether each group has one frame at every place."""
    return all(len(group) == places and len(places_of(group)) == places for group in groups.values())


def apart(groups: Groups, most: int) -> bool:
    """Whether there are as many groups as frames at one place, and none has two frames there; some may lack places."""
    return len(groups) == most and all(len(places_of(group)) == len(group) for group in groups.values())


def straight(groups: Groups) -> bool:
    """Whether groups of frames at different places are stacks side by side, each without a fault."""
    return len(groups) > 1 and all(len(group) > 1 and fault(group) is None for group in groups.values())


def ranked(places: Sequence[Sequence[Frame]]) -> list[list[Frame]] | None:
    """Volumes by the numbers of their files and frames, where these go volume by volume, or place by place.

    Args:
        places: Frames at the same place together.

    Returns:
        As many volumes as there are frames at each place, with a frame of every place; None where the numbers do not
        say.
    """
    if len({len(place) for place in places}) > 1:
        return None
    rows = [sorted(place, key=_number) for place in places]
    keys = [[_number(frame) for frame in row] for row in rows]
    if len({key for row in keys for key in row}) < sum(map(len, rows)):
        return None
    by_volume = all(max(a) < min(b) for a, b in itertools.pairwise(zip(*keys, strict=True)))
    by_place = all(a[-1] < b[0] for a, b in itertools.pairwise(sorted(keys)))
    return [list(volume) for volume in zip(*rows, strict=True)] if by_volume or by_place else None


def title_of(names: Sequence[str], values: Sequence[Any]) -> str:
    """The values of elements, with the words for them."""
    return ", ".join(f"{MARKS.get(name, name)} {_shown(value)}" for name, value in zip(names, values, strict=True))


def _number(frame: Frame) -> tuple[int, int]:
    return frame.source.place, frame.index


def _varies(frames: Sequence[Frame], key: str) -> bool:
    first = frames[0].marks.get(key)
    return any(frame.marks.get(key) != first for frame in frames)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        text = "\\".join(value)
    else:
        text = "unknown" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return "".join(letter for letter in text if letter.isprintable())[:40]


def _rank(values: Sequence[Any]) -> tuple[tuple[int, float, str], ...]:
    """Numbers by size, before texts."""
    ranks = []
    for value in values:
        try:
            ranks.append((0, float(value), ""))
        except (TypeError, ValueError):
            ranks.append((1, 0.0, str(value)))
    return tuple(ranks)
