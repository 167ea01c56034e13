"""The volumes that the frames of a series make: stacks of other directions, sizes or places, and time points.

A series may hold one volume, or several that only some element of the header tells apart. Each is a part; what they are
is said, and the user chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from .frames import Frame
from .grid import SAME_AXES, SAME_PIXEL, fault, normal, offsets
from .telling import apart, complete, partitions, places_of, ranked, straight, title_of

_MOST_LISTED = 4


@dataclass(frozen=True)
class Part:
    """One volume.

    Attributes:
        frames: In rising order along the normal.
        title: What tells it from the other parts, for the user.
    """

    frames: tuple[Frame, ...]
    title: str


@dataclass(frozen=True)
class Parts:
    """The volumes of a series.

    Attributes:
        parts: At least one.
        said: What they are, after "has".
    """

    parts: list[Part]
    said: str = "one volume"

    def choose(self, component: int | None, what: str) -> Part:
        """The part that the user asked for, or the only one.

        Args:
            component: Its number, from 0; None for the only one.
            what: What the user gave, for the error.

        Raises:
            InputError: There are several and none is chosen, or there is no such part.
        """
        count = len(self.parts)
        if component is None and count == 1:
            return self.parts[0]
        if component is None:
            shown = range(count) if count <= _MOST_LISTED else (0, 1, count - 1)
            listed = [f"{index} ({self.parts[index].title})" for index in shown]
            listed[2:2] = ["..."] if count > _MOST_LISTED else []
            raise InputError(f"{what} has {self.said}; choose one with --component: {', '.join(listed)}.")
        if not 0 <= component < count:
            which = f"the first is 0, the last {count - 1}" if count > 1 else "it needs no --component"
            raise InputError(f"{what} has {self.said}, of which --component {component} is none: {which}.")
        return self.parts[component]


def parts_of(frames: Sequence[Frame], what: str) -> Parts:
    """The volumes in the frames of a series, each sorted by position.

    Args:
        frames: All of them, in the order of files and of frames in a file.
        what: What the user gave, for the error.

    Raises:
        InputError: Frames without a place, or several at one place that nothing tells apart.
    """
    frames = _without_overviews(frames)
    if len(frames) == 1:
        return Parts([Part(tuple(frames), "one slice")])
    placed = [f for f in frames if f.position is not None and f.axes is not None]
    if not placed:
        return _pictures(frames, what)
    if len(placed) < len(frames):
        missing = next(f for f in frames if f.position is None or f.axes is None)
        raise InputError(
            f"{what}: {len(frames) - len(placed)} of {len(frames)} slices have no position or orientation "
            f"({missing.source.path.name}), so that they cannot be stacked to a volume."
        )
    stacks = _stacks(placed)
    parts: list[Part] = []
    for stack in stacks:
        where = f"{_plane(stack[0])}, " if len(stacks) > 1 else ""
        parts += [Part(part.frames, where + part.title) for part in _volumes(stack, what)]
    return Parts(parts, _said(parts, len(stacks)))


def _without_overviews(frames: Sequence[Frame]) -> list[Frame]:
    """Without localizers and pictures of screens, where there is anything else."""
    proper = [f for f in frames if not f.source.is_localizer and not f.source.is_secondary]
    return proper or list(frames)


def _pictures(frames: Sequence[Frame], what: str) -> Parts:
    """Frames that lie nowhere: those of one file are pictures of their own."""
    header = frames[0].source.header
    if any(f.source is not frames[0].source for f in frames):
        raise InputError(f"{what}: slices without position and orientation cannot be stacked to a volume.")
    film = any(keyword in header for keyword in ("FrameTime", "FrameTimeVector", "CineRate"))
    reason = "follow each other in time" if film else "have no positions, so that their distance is not known"
    parts = [Part((frame,), f"frame {number}") for number, frame in enumerate(frames, 1)]
    return Parts(parts, f"{len(frames)} frames that {reason}")


def _stacks(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Frames of the same size, direction and pixels together, in the order of their first ones."""
    groups: list[list[Frame]] = []
    for frame in frames:
        home = next((group for group in groups if _alike(group[0], frame)), None)
        if home is None:
            groups.append([frame])
        else:
            home.append(frame)
    return groups


def _alike(first: Frame, other: Frame) -> bool:
    if (first.source.rows, first.source.columns) != (other.source.rows, other.source.columns):
        return False
    if (first.pixel is None) != (other.pixel is None):
        return False
    if first.pixel is not None and other.pixel is not None:
        pairs = zip(first.pixel, other.pixel, strict=True)
        if any(abs(a - b) > SAME_PIXEL * a for a, b in pairs):
            return False
    assert first.axes is not None and other.axes is not None
    return bool(np.abs(first.axes - other.axes).max() <= SAME_AXES)


def _volumes(stack: Sequence[Frame], what: str) -> list[Part]:
    """The volumes in frames of one direction."""
    order = np.argsort(offsets(stack), kind="stable")
    frames = [stack[index] for index in order]
    places = places_of(frames)
    most = max(len(place) for place in places)
    whole = Part(tuple(frames), f"{len(frames)} slice{'s' if len(frames) > 1 else ''}")
    if most == 1 and fault(frames) is None:
        return [whole]
    for fits in [lambda g: complete(g, len(places)), lambda g: apart(g, most)] if most > 1 else [straight]:
        for names, groups in partitions(frames):
            if fits(groups):
                return [Part(tuple(group), title_of(names, value)) for value, group in groups.items()]
    if most == 1:
        return [whole]  # its fault is told where it is chosen
    rows = ranked(places)
    if rows is not None:
        return [Part(tuple(row), f"number {index} of {most} at each position") for index, row in enumerate(rows, 1)]
    double = sum(len(place) > 1 for place in places)
    raise InputError(
        f"{what}: several slices lie at the same position ({double} of {len(places)} positions have more than one), "
        "and nothing in their headers tells whole volumes apart; give the slices of one volume only."
    )


def _said(parts: Sequence[Part], stacks: int) -> str:
    count = len(parts)
    if count == 1:
        return "one volume"
    if stacks > 1:
        return f"{count} stacks of slices that are not parallel, or whose slices differ in size"
    if not _share_a_place(parts):
        return f"{count} stacks of slices at different places"
    some = ", not all of them whole" if len({len(part.frames) for part in parts}) > 1 else ""
    return f"several slices at the same position: {count} volumes (time points, echoes or the like{some})"


def _share_a_place(parts: Sequence[Part]) -> bool:
    """Whether a slice of the first volume has one of another at its place."""
    first = offsets(parts[0].frames)
    others = np.concatenate([offsets(part.frames) for part in parts[1:]])
    return bool((np.abs(first[:, None] - others).min(axis=1) <= 1e-2).any())


def _plane(frame: Frame) -> str:
    """The name of the anatomical plane that a slice is nearest to, and its size."""
    plane = ("sagittal", "coronal", "axial")[int(np.abs(normal(frame)).argmax())]
    return f"{plane} {frame.source.columns} x {frame.source.rows}"
