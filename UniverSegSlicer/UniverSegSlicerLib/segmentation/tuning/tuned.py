"""A model tuned on a support set, where held-out examples say that it pays."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...network.families import AnyNetwork
from ...network.inference import InContextModel
from ...network.memory import is_out_of_memory
from ...processors import leave_busy_processors
from ...progress import CancelToken, ProgressCallback
from ..settings import PropagationSettings
from ..support.set import SupportSet
from .examples import Copies, TuningTask
from .labels import tuning_tasks
from .settings import FEWEST_EXAMPLES, TuningReport, TuningSettings
from .steps import best_state

# Steps by the number of examples of the label that has most of them: with few there is less to learn and more to spoil.
_STEPS = ((3, (5, 10)), (4, (5, 10, 20)))
# Labels take turns; so many times as many steps are made at most.
_MOST_TURNS = 3


@dataclass(frozen=True, eq=False)
class Tuned:
    """A model after a tuning.

    Attributes:
        model: With the tuned weights, where they were kept; otherwise the model as it was.
        report: What happened.
        state: The tuned tensors by name; empty where they were not kept.
    """

    model: InContextModel
    report: TuningReport
    state: Mapping[str, Tensor]


def tune(
    model: InContextModel,
    support: SupportSet,
    settings: TuningSettings | None = None,
    *,
    labels: Iterable[int] | None = None,
    region: PropagationSettings | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Tuned:
    """Tune a model on a support set for some seconds, and keep that only where held-out examples gain.

    The model itself stays as it is. The same arguments give the same weights on a CPU, as long as the time suffices for
    all steps; on a GPU up to rounding.

    Args:
        model: From ``load_model``.
        support: Examples, three or more of a label.
        settings: How to go about it; the defaults if None.
        labels: The labels that matter; all by default.
        region: Show slices of volumes as a propagation with these settings will; None shows whole slices.
        progress: Called with the share of the steps that is done.
        cancel: Looked at before every step.

    Raises:
        Cancelled: The cancel token was raised.

    Example:
        >>> tuned = tune(load_model(), SupportSet.load("ventricles.npz"))  # doctest: +SKIP
        >>> print(tuned.report)  # doctest: +SKIP
    """
    tasks = tuning_tasks(support, model.resolution, labels=labels, region=region)
    if not tasks:
        reason = f"{FEWEST_EXAMPLES} examples of a label are needed, two of which show it"
        return Tuned(model, TuningReport(False, 0, 0.0, None, None, 0, reason), {})
    return tune_on(model, tasks, settings, progress=progress, cancel=cancel)


def tune_on(
    model: InContextModel,
    tasks: Sequence[TuningTask],
    settings: TuningSettings | None = None,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Tuned:
    """Tune a model on examples that are on its grid already, three or more a label; see :func:`tune`."""
    begin = time.perf_counter()
    settings = settings or TuningSettings()
    leave_busy_processors()
    generator = torch.Generator().manual_seed(settings.seed)
    copied = copy.deepcopy(model.network).to(model.device).eval().requires_grad_(False)
    checkpoint = _checkpoint(progress, cancel)
    # A caller may be in inference mode, whose tensors know no gradients.
    try:
        with torch.inference_mode(False), torch.enable_grad():
            copies = [
                Copies(copied, task, len(tasks), model.device, generator, lambda: checkpoint(0.0)) for task in tasks
            ]
            found = best_state(
                copied,
                copies,
                milestones=milestones(tasks, settings.steps),
                rate=settings.rate,
                generator=generator,
                until=begin + settings.seconds,
                checkpoint=checkpoint,
            )
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        seconds = time.perf_counter() - begin
        return Tuned(
            model, TuningReport(False, 0, seconds, None, None, 0, f"the memory of {model.device} is short"), {}
        )
    before, after = (sum(scores) / len(scores) for scores in (found.before, found.after))
    kept = bool(found.steps) and after - before >= settings.gain
    reason = "held-out examples gain" if kept else f"held-out examples gain less than {settings.gain:g}"
    if not found.in_time:
        reason += f", all that {settings.seconds:g} s sufficed for"
    seconds = time.perf_counter() - begin
    report = TuningReport(kept, found.steps, seconds, before, after, len(found.before), reason)
    if not kept:
        return Tuned(model, report, {})
    return Tuned(
        model.with_network(with_state(model.network, found.state), f"{model.name}, tuned"), report, found.state
    )


def with_state(network: AnyNetwork, state: Mapping[str, Tensor]) -> AnyNetwork:
    """A copy of a network with other values of some of its tensors."""
    tuned = copy.deepcopy(network)
    tuned.load_state_dict({**network.state_dict(), **state})
    return tuned


def milestones(tasks: Sequence[TuningTask], steps: int | None) -> tuple[int, ...]:
    """Numbers of steps after which the held-out examples are judged; the last one ends it."""
    if steps is not None:
        return tuple(sorted({max(1, steps // 2), steps}))
    examples = max(len(task) for task in tasks)
    chosen = [marks for fewest, marks in _STEPS if examples >= fewest][-1]
    return tuple(number * min(len(tasks), _MOST_TURNS) for number in chosen)


def _checkpoint(progress: ProgressCallback | None, cancel: CancelToken | None) -> Callable[[float], None]:
    def checkpoint(fraction: float) -> None:
        if cancel is not None:
            cancel.raise_if_cancelled()
        if progress is not None:
            progress(fraction, "Tuning on the examples")

    return checkpoint
