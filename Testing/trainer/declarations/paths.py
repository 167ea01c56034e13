"""Paths in the published layout of a data set, made from the example paths of its declaration."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trainer.megamedical.declaration import Group


def vary(patterns: Sequence[str], example: str, **values: str) -> str:
    """The example path with other texts for some named groups, wherever the layout repeats them.

    Raises:
        AssertionError: The new path does not match the pattern, or the pattern catches something else.
    """
    match = first_match(patterns, example)
    for name, new in values.items():
        old = match[name]
        example = _replace(match, name, old, new)
        match = first_match(patterns, example)
        assert match[name] == new, f"{example}: {name} is {match[name]!r}, not {new!r}"
    return example


def first_match(patterns: Sequence[str], path: str) -> re.Match[str]:
    """What the first pattern that fits catches."""
    match = next((m for m in (re.search(p, path, re.IGNORECASE) for p in patterns) if m), None)
    assert match is not None, f"{path} matches none of {list(patterns)}"
    return match


def has_group(patterns: Sequence[str], name: str) -> bool:
    """Whether a pattern has the named group."""
    return any(name in re.compile(pattern).groupindex for pattern in patterns)


def subject_names(group: Group, count: int) -> list[str]:
    """Names of ``count`` subjects like the one in the examples: the same text with another number."""
    first = first_match(group.image_patterns, group.example_image)["subject"]
    names = [first]
    for step in range(1, count):
        names.append(next(name for name in bumped(first, step) if _fits(group, name)))
    return names


def bumped(text: str, step: int) -> list[str]:
    """The text with one of its numbers raised by ``step``, the last number first; the width is kept."""
    runs = list(re.finditer(r"\d+", text))
    return [
        text[: run.start()] + str(int(run[0]) + step).zfill(len(run[0])) + text[run.end() :] for run in reversed(runs)
    ]


def _fits(group: Group, subject: str) -> bool:
    try:
        vary(group.image_patterns, group.example_image, subject=subject)
        if has_group(group.label.patterns, "subject"):
            vary(group.label.patterns, group.example_label, subject=subject)
    except AssertionError:
        return False
    return True


def _replace(match: re.Match[str], name: str, old: str, new: str) -> str:
    """Exchange the caught text, and the same text where the layout repeats it outside the other named groups.

    Inside another named group it counts as repeated when it is long enough not to be there by chance: subject 1 is not
    rater 1, but sub-verse004 in the stem is the subject.
    """
    text = match.string
    start, stop = match.span(name)
    others = [match.span(other) for other in match.re.groupindex if other != name and match[other] is not None]
    spans = [(start, stop)]
    for repeat in re.finditer(rf"(?<![A-Za-z0-9]){re.escape(old)}(?![A-Za-z0-9])", text):
        low, high = repeat.span()
        own = low < stop and start < high
        elsewhere = any(low < b and a < high for a, b in others)
        if not own and not (elsewhere and len(old) <= 3):
            spans.append((low, high))
    for low, high in sorted(spans, reverse=True):
        text = text[:low] + new + text[high:]
    return text
