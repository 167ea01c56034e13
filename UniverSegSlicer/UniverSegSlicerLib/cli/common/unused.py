"""Options that change nothing in a run: each is said in one line, so that nothing given is passed over in silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...segmentation import MOST_OF_A_SCAN, PropagationSettings
from .tuning import TuneChoice

if TYPE_CHECKING:
    from ...segmentation import SupportSet

# Those of the strategies that go from slice to slice.
_FOLLOWING = ("passes", "detail", "smooth", "ending")


def unused_names(names: Mapping[int, str], values: Iterable[int]) -> Iterator[str]:
    """Names of labels that are not there.

    Args:
        names: What ``--names`` says.
        values: The labels of the run.
    """
    present = sorted(set(values))
    for value in sorted(set(names) - set(present)):
        yield f"--names: there is no label {value} to be called {names[value]}; there are {_listed(present)}."


def unused_settings(
    asked: Mapping[str, Any],
    settings: PropagationSettings,
    tuning: TuneChoice,
    *,
    examples: int,
    marked: bool,
    support: SupportSet | None,
    takes_prior: bool,
) -> Iterator[str]:
    """Options of ``propagate`` that have no effect beside the others.

    Args:
        asked: Settings that are None unless they were given, by their names.
        settings: All of them.
        tuning: What ``--tune`` says.
        examples: How many marked slices and examples there are.
        marked: Whether slices are marked.
        support: The support set.
        takes_prior: Whether the network has a prior plane.
    """
    scans = [] if support is None else [scan for scan in support.scans if scan.used]
    guided = settings.strategy in ("auto", "guided")
    reason = None
    if settings.strategy in ("independent", "cascade"):
        reason = f"with the strategy {settings.strategy}"
    elif guided and not marked and (scans or not takes_prior):
        reason = "without marked slices"
    for name in _FOLLOWING:
        if reason is not None and asked.get(name) is not None:
            yield f"--{name} has no effect {reason}."
    if asked.get("margin_mm") is not None and not marked and not scans and tuning == TuneChoice():
        yield "--margin-mm has no effect without marked slices: the room around the structure is that of the examples."
    if not guided and scans:
        yield f"the whole scans of the support set are not laid over the volume by the strategy {settings.strategy}."
    if settings.keep_detached and not marked:
        yield "--keep-detached has no effect without marked slices: nothing is removed."
    most = MOST_OF_A_SCAN * len(scans)
    sized = settings.support_size != PropagationSettings().support_size
    if sized and settings.choice == "all":
        yield "--support-size has no effect with --choice all."
    elif sized and guided and not marked and scans and settings.support_size > most:
        yield f"--support-size {settings.support_size} has no effect beyond {most} slices of whole scans."
    yield from unused_draws(
        settings.ensemble, settings.seed, tuning, examples=examples, drawn=settings.choice == "random"
    )


def unused_draws(ensemble: int, seed: int, tuning: TuneChoice, *, examples: int, drawn: bool) -> Iterator[str]:
    """``--ensemble`` where there is nothing to draw from, ``--seed`` where nothing is drawn.

    Args:
        ensemble, seed: Their values.
        tuning: What ``--tune`` says; tuning draws.
        examples: How many there are to draw from.
        drawn: Whether examples are drawn without an ensemble as well.
    """
    if ensemble > 1 and examples < 2:
        yield f"--ensemble {ensemble} has no effect: there is one example, which every draw takes."
    if seed and tuning == TuneChoice() and (examples < 2 or (ensemble == 1 and not drawn)):
        yield f"--seed {seed} has no effect: nothing in this run is drawn at random."


def unused_support(support: SupportSet, path: Path, label: int) -> Iterator[str]:
    """A support set that holds no example of the label to segment."""
    if not support.supporting(label):
        held = _listed(support.label_values)
        yield f"--support has no effect: {path} has no example of label {label}; it has {held}."


def _listed(values: Iterable[int]) -> str:
    return ", ".join(map(str, values)) or "none"
