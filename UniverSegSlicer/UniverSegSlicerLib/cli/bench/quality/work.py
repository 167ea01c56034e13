"""The measurements of one label of one volume, and of all of them in turn or on several processors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ....files.labelled_scans import LabelledVolume, MarkedCase, Scan, place_marks
from ....segmentation import PropagationSettings
from ..scores import dice_of_masks
from .confidence import reliability_of
from .distances import hausdorff95, surface_dice, surface_distances
from .methods import method_of, needs_network, run_ours
from .more_marks import after_extra_marks
from .record import Bin, Extra, Score
from .walks import TooLargeError

if TYPE_CHECKING:
    from ....network import InContextModel


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        marks: Numbers of marked slices.
        placements: Of ``PLACEMENTS``.
        methods: Names.
        labels_per_volume: At most so many labels; None for all.
        model: Name or path of the model.
        model_id: What the rows say about it.
        device: Where the network computes.
        confidence: Numbers of marks for which the reliability is recorded; none without.
        start: Slices marked before suggestions are followed; 0 leaves the comparison out.
        extra: Slices marked after that.
        threads: Threads of one process; 0 leaves that to the libraries.
    """

    marks: tuple[int, ...]
    placements: tuple[str, ...]
    methods: tuple[str, ...]
    labels_per_volume: int | None
    model: str
    model_id: str
    device: str = "auto"
    confidence: tuple[int, ...] = ()
    start: int = 0
    extra: int = 3
    threads: int = 0


@dataclass(frozen=True)
class Item:
    """One label of one volume."""

    scan: Scan
    label: int


@dataclass(frozen=True)
class Done:
    """The rows that an item gave."""

    item: Item
    scores: tuple[Score, ...]
    bins: tuple[Bin, ...]
    extras: tuple[Extra, ...]


def items_of(scans: Sequence[Scan], plan: Plan) -> list[Item]:
    """All labels of all volumes."""
    return [Item(scan, label) for scan in scans for label in scan.read().usable_labels(plan.labels_per_volume)]


def measure_item(item: Item, plan: Plan, known: frozenset[tuple[object, ...]]) -> Done:
    """Measure what is not known yet."""
    volume = _volume(item.scan)
    scores: list[Score] = []
    bins: list[Bin] = []
    extras: list[Extra] = []
    label = (item.scan.dataset, item.scan.name, item.label)
    present = volume.present(item.label)
    for placement in plan.placements:
        for count in plan.marks:
            marked = place_marks(present, count, placement)
            if marked is None:
                continue
            case = MarkedCase.of(volume, item.label, marked)
            for method in plan.methods:
                model_id = plan.model_id if needs_network(method) else ""
                wants_bins = method == "default" and placement == "even" and count in plan.confidence
                if (*label, placement, count, method, model_id) in known:
                    continue
                begin = time.perf_counter()
                if wants_bins:
                    result = run_ours(case, _network(plan), PropagationSettings(), confidence=True)
                    found = result.labels > 0
                else:
                    try:
                        found = method_of(method, _network(plan) if model_id else None)(case)
                    except TooLargeError:
                        continue
                seconds = time.perf_counter() - begin
                scores.append(_score(found, case, item, (placement, count, method, model_id), seconds))
                if wants_bins:
                    bins += reliability_of(result, case, (*label, placement, count, plan.model_id))
    new = (*label, plan.model_id, plan.start, plan.extra) not in known
    if plan.start and new and len(present) >= plan.start + plan.extra + 2:
        extras.append(after_extra_marks(volume, label, plan.model_id, plan.start, plan.extra, _network(plan)))
    return Done(item, tuple(scores), tuple(bins), tuple(extras))


def _score(found: np.ndarray, case: MarkedCase, item: Item, way: tuple[str, int, str, str], seconds: float) -> Score:
    """Score a result (boolean, K J I) that came out of a way: placement, number of marks, method, model."""
    distances = surface_distances(found, case)
    placement, count, method, model_id = way
    return Score(
        dataset=item.scan.dataset,
        volume=item.scan.name,
        label=item.label,
        name=item.scan.labels.get(item.label, str(item.label)),
        placement=placement,
        marks=count,
        method=method,
        model=model_id,
        dice=round(dice_of_masks(found, case.truth, case.axis, case.marked), 6),
        hd95_mm=round(hausdorff95(distances), 4),
        surface_dice=round(surface_dice(distances, max(case.image.geometry.spacing)), 6),
        seconds=round(seconds, 3),
    )


def measure_all(items: Sequence[Item], plan: Plan, known: frozenset[tuple[object, ...]], jobs: int) -> Iterator[Done]:
    """Measure all items, as they are done; with several jobs, each in a process of its own."""
    if jobs <= 1:
        limit_threads(plan.threads)
        for item in items:
            yield measure_item(item, plan, known)
        return
    threads = plan.threads or 1
    # Not "fork": torch's and ITK's threads do not survive it.
    with ProcessPoolExecutor(jobs, get_context("spawn"), limit_threads, (threads,)) as pool:
        waiting = {pool.submit(measure_item, item, plan, known) for item in items}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()


def limit_threads(count: int) -> None:
    """Give torch and SimpleITK so many threads; 0 leaves that to them."""
    if not count:
        return
    import SimpleITK as sitk
    import torch

    torch.set_num_threads(count)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)


_VOLUMES: dict[Path, LabelledVolume] = {}
_NETWORKS: dict[tuple[str, str], InContextModel] = {}


def _volume(scan: Scan) -> LabelledVolume:
    """The last volume is kept: its labels come one after the other."""
    if scan.folder not in _VOLUMES:
        _VOLUMES.clear()
        _VOLUMES[scan.folder] = scan.read()
    return _VOLUMES[scan.folder]


def _network(plan: Plan) -> InContextModel:
    from ....network import load_model

    key = (plan.model, plan.device)
    if key not in _NETWORKS:
        _NETWORKS[key] = load_model(plan.model, plan.device)
    return _NETWORKS[key]
