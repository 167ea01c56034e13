"""What the default strategy weighs on labelled scans, kept in files: the ground on which its weights are fitted.

A case is one label of one volume with some slices marked. Of the unmarked slices, up to two thirds of the bound lie
between the structure's ends and the others within its length before and behind it; those taken count for those that are
not. The terms are taken after the region has grown as it does for a user, and before logits are smoothed along the
slices, which needs all of them. Of every square of 2 x 2 pixels one is kept, drawn at random, so that sums over a slice
stay right on average: Dice needs whole slices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files.labelled_scans import LabelledVolume, MarkedCase, Scan, evenly, place_marks
from UniverSegSlicerLib.imaging import IntensityWindow, slice_stack
from UniverSegSlicerLib.network.inference import InContextModel
from UniverSegSlicerLib.progress import ProgressCallback
from UniverSegSlicerLib.segmentation import PropagationSettings, SupportSet
from UniverSegSlicerLib.segmentation.predictor import Meter
from UniverSegSlicerLib.segmentation.propagation.guided.fusion import AROUND_ONE, BETWEEN, BEYOND, Terms, Weights
from UniverSegSlicerLib.segmentation.propagation.label_run import LabelRun
from UniverSegSlicerLib.segmentation.propagation.task import VolumeSlices
from UniverSegSlicerLib.writing import replacing

#: Where slices are marked, and how many.
PLACED = (("even", 1), ("even", 3), ("even", 5), ("even", 10), ("uneven", 4), ("one end", 4), ("one end", 10))
#: The situations, in the order of their numbers, with the present weights.
SITUATIONS: dict[str, Weights] = {"between": BETWEEN, "beyond": BEYOND, "around one": AROUND_ONE}

# One pixel of so many rows and columns is kept.
_EVERY = 2
# Share of the slices that lie between the structure's ends.
_WITHIN = 2 / 3


@dataclass(frozen=True)
class Case:
    """One label of one volume with some slices marked."""

    dataset: str
    volume: str
    label: int
    placement: str
    marks: int

    @property
    def file_name(self) -> str:
        """Of its evidence."""
        return "--".join(str(value).replace(" ", "-") for value in asdict(self).values()) + ".npz"


@dataclass(frozen=True, eq=False)
class CaseEvidence:
    """The terms and the truth on n unmarked slices.

    Attributes:
        maps: (n, 4, R, R) float16, see :class:`Terms`.
        factors: (n, 24) float32, see there.
        truth: (n, R, R) bool.
        shown: (R, R) bool: the part that is no padding.
        situation: (n,) numbers in ``SITUATIONS``.
        share: (n,) float32, for how many slices each one counts.
        missed: Pixels of the structure where the strategy does not look.
    """

    maps: np.ndarray
    factors: np.ndarray
    truth: np.ndarray
    shown: np.ndarray
    situation: np.ndarray
    share: np.ndarray
    missed: np.ndarray


def slices_to_weigh(present: np.ndarray, marked: Sequence[int], total: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Unmarked slices, rising, and for how many each one counts.

    Args:
        present: Rising numbers of the slices that hold the structure.
        marked: The marked slices.
        total: Slices of the volume.
        most: At most so many; at least 2.
    """
    first, last = int(present[0]), int(present[-1])
    length = last - first + 1
    within = np.setdiff1d(np.arange(first, last + 1), np.asarray(marked, int))
    around = np.arange(max(0, first - length), min(total, last + 1 + length))
    around = around[(around < first) | (around > last)]
    inner = min(most - 1, round(_WITHIN * most))
    rows: list[int] = []
    shares: list[float] = []
    for part, bound in ((within, inner), (around, most - inner)):
        some = evenly(part.tolist(), bound)
        rows += some
        shares += [len(part) / max(1, len(some))] * len(some)
    order = np.argsort(rows)
    return np.array(rows, int)[order], np.array(shares, np.float32)[order]


def gather_case(volume: LabelledVolume, case: Case, model: InContextModel, most: int) -> CaseEvidence | None:
    """Run the default strategy on at most ``most`` slices and note what it weighs; None where nothing can be marked."""
    present = volume.present(case.label)
    marked = place_marks(present, case.marks, case.placement)
    if marked is None:
        return None
    marks = MarkedCase.of(volume, case.label, marked)
    truth, drawn = slice_stack(marks.truth, marks.axis), slice_stack(marks.marks, marks.axis)
    rows, shares = slices_to_weigh(present, marked, len(truth), most)
    if not len(rows):
        return None
    seen: dict[int, tuple[np.ndarray, np.ndarray, int]] = {}

    def watch(some: np.ndarray, terms: Terms, weights: Weights) -> None:
        # A slice that comes again is looked at in a larger region; nothing of the smaller one counts any more.
        if int(some[0]) in seen:
            seen.clear()
        number = next(n for n, known in enumerate(SITUATIONS.values()) if known is weights)
        for k, row in enumerate(some):
            maps = terms.maps[k].cpu().numpy().astype(np.float16)
            seen[int(row)] = (maps, terms.factors[k].cpu().numpy().astype(np.float32), number)

    frame = LabelRun(
        VolumeSlices(volume.image, marks.axis, IntensityWindow.of(volume.image.array)),
        case.label,
        {n: drawn[n] for n in marked},
        rows,
        SupportSet(),
        model,
        "guided",
        PropagationSettings(),
        Meter(None, None, len(rows)),
        watch,
    ).run().frame  # fmt: skip
    masks = frame.to_network(truth[rows], "mask") >= 0.5
    heard = np.array([int(row) in seen for row in rows])
    if not heard.any():
        return None
    found = [seen[int(row)] for row in rows[heard]]
    padding = np.zeros((frame.size, frame.size), bool)
    padding[frame.shown.slices] = True
    rows_kept, cols_kept = _one_of_each_square(frame.size)
    missed = (masks[~heard].sum(axis=(1, 2)) * shares[~heard]).sum() / _EVERY**2
    return CaseEvidence(
        np.stack([maps for maps, _, _ in found])[..., rows_kept, cols_kept],
        np.stack([factors for _, factors, _ in found]),
        masks[heard][..., rows_kept, cols_kept],
        padding[rows_kept, cols_kept],
        np.array([number for _, _, number in found], np.int8),
        shares[heard],
        np.float32(missed),
    )


def gather_all(
    scans: Sequence[Scan],
    labels: int | None,
    model: InContextModel,
    most: int,
    folder: Path,
    progress: ProgressCallback,
) -> Iterator[tuple[Case, CaseEvidence]]:
    """The evidence of all cases; what is in the folder already is read from there.

    Args:
        scans: The volumes.
        labels: At most so many labels of a volume; None for all.
        model: The network.
        most: At most so many slices of a case.
        folder: Of one model and one bound on the slices.
        progress: Told the share of volumes done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, scan in enumerate(scans):
        volume = scan.read()
        for label in volume.usable_labels(labels):
            for placement, count in PLACED:
                case = Case(scan.dataset, scan.name, label, placement, count)
                progress(number / len(scans), f"{scan.dataset}/{scan.name}, {label}")
                path = folder / case.file_name
                if not path.is_file():
                    found = gather_case(volume, case, model, most)
                    with replacing(path) as beside:
                        np.savez_compressed(beside, **({} if found is None else vars(found)))
                with np.load(path) as parts:
                    if parts.files and parts["factors"].shape[1] != len(BETWEEN.numbers()):
                        raise InputError(f"{path} is of another version of the strategy; delete {folder} first.")
                    if parts.files:
                        yield case, CaseEvidence(**{name: parts[name] for name in parts.files})
    progress(1.0, "done")


def _one_of_each_square(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns (R, R) of one pixel of every square, the same whenever it is called."""
    steps = np.random.default_rng(0).integers(0, _EVERY, (2, size // _EVERY, size // _EVERY))
    rows, cols = _EVERY * np.indices(steps.shape[1:]) + steps
    return rows, cols
