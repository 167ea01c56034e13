"""Labels that labelled scans lead: their say on every slice, weighed with the network's and with marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ....imaging import OUTSIDE_LOGIT, Box, Geometry, IntensityWindow, SliceFrame, Volume, array_axis, slice_stack
from ....progress import CancelToken, ProgressCallback
from ...atlas import AtlasEvidence, gather
from ...predictor import PRIOR_CHANNELS, Meter, SupportStack, planes
from ...region import region_around
from ...settings import MOST_OF_A_SCAN, PropagationSettings
from ...shapes import signed_distance
from ...support.choice import draw_support
from ...support.set import SupportSet
from ..compose import LabelResult
from ..task import LabelLogits, VolumeSlices

if TYPE_CHECKING:
    from ....network import InContextModel

# A structure may be where its chance is higher than this.
_POSSIBLE = 0.05
# Weights of the labelled scans and of the network in the logits, and the network's largest logit. The weights have the
# least log loss in 18 runs on hippocampi, with 1, 2 and 4 labelled scans, and 2 on vertebrae (docs/quality.md).
_ATLAS, _NETWORK, _LOUDEST = 0.3, 0.4, 4.0
# Slices in a row that share their examples, so that these are encoded once.
_TOGETHER = 4
# The say of a mark about what labelled scans have wrong falls off with its distance, as a share of the structure's
# length; so does the mark's own say. Log-odds per pixel of distance to the marked border.
_REACH, _STEEP = 0.12, 1.0
# Mean Dice with the marks from which labelled scans are believed at all, and in full.
_DOUBTED, _TRUSTED = 0.4, 0.8
# Mean Dice of what several scans say about a label, below which it has no common place (a lesion has none).
_AGREE = 0.3


@dataclass(frozen=True, eq=False)
class AtlasSay:
    """What labelled scans say about one label.

    Attributes:
        evidence: Of all labels.
        label: The label.
    """

    evidence: AtlasEvidence
    label: int

    def box(self, slices: VolumeSlices) -> Box | None:
        """The pixels of the slices in which the label may be; None where there are none."""
        grid = self.evidence.grid
        places = np.argwhere(self.evidence.chances[self.label] > _POSSIBLE)[:, ::-1]
        if grid is None or not len(places):
            return None
        ends = np.array([places.min(axis=0), places.max(axis=0)])
        geometry = slices.volume.geometry
        # The grid's axes are those of the volume.
        index = (grid.to_world(ends) - np.array(geometry.origin)) @ geometry.matrix / geometry.spacing
        low, high = (np.delete(end[::-1], array_axis(slices.axis)) for end in index)
        rows, cols = slices.shape
        start = [int(np.clip(np.floor(v), 0, n - 1)) for v, n in zip(low, (rows, cols), strict=True)]
        stop = [int(np.clip(np.ceil(v) + 1, s + 1, n)) for v, s, n in zip(high, start, (rows, cols), strict=True)]
        return Box(start[0], stop[0], start[1], stop[1])

    def agreement(self, volume: Volume, labels: np.ndarray) -> float:
        """Mean Dice of a result (K, J, I) on the volume's grid with what each labelled scan says by itself, 0 to 1."""
        found = labels == self.label
        each = [
            _agreement([chance > 0.5], [found]) for _, chance in self.evidence.brought_to(self.label, volume.geometry)
        ]
        return float(np.mean(each)) if each else 0.0

    def lead(
        self,
        slices: VolumeSlices,
        marks: Mapping[int, np.ndarray],
        wanted: np.ndarray,
        model: InContextModel,
        settings: PropagationSettings,
        meter: Meter,
    ) -> LabelResult:
        """Segment a label that is marked nowhere in the volume.

        The network sees the slices of the labelled scans that were brought to where the query is, with the chance as
        prior; its logits and the log-odds of the chance are weighed.

        Args:
            slices: The volume.
            marks: Slices on which the label is known to be absent.
            wanted: Rising numbers of the slices to predict.
            model: The network.
            settings: Support size, ensemble, flips, margin and seed count here.
            meter: Progress and cancellation.
        """
        box = self.box(slices)
        frame = SliceFrame.fit(
            slices.shape, slices.spacing, region_around(box, slices.shape, slices.spacing, settings), model.resolution
        )
        grid = slices.grid_of(frame)
        own = slice_stack(self.evidence.logits_on(self.label, grid), slices.axis)
        chance = slice_stack(self.evidence.chance_on(self.label, grid), slices.axis)
        logits = np.full(own.shape, OUTSIDE_LOGIT, np.float32)
        there = wanted[(chance[wanted] > _POSSIBLE).any(axis=(1, 2))] if len(wanted) else wanted
        spread = None
        if len(there):
            images = slices.seen_through(frame)
            support, scans = self._examples(grid, slices.axis, there, model)
            choice = replace(settings, support_size=min(settings.support_size, MOST_OF_A_SCAN * scans))
            prior = chance if model.query_channels >= PRIOR_CHANNELS else None
            for start in range(0, len(there), _TOGETHER):
                rows = there[start : start + _TOGETHER]
                draws = draw_support(support.places, int(rows[len(rows) // 2]), choice)
                queries = planes(images[rows], prior=None if prior is None else prior[rows])
                heard, between = support.predict(
                    queries, draws, flips=settings.flips, meter=meter, message=f"label {self.label}"
                )
                logits[rows] = _ATLAS * own[rows] + _NETWORK * np.clip(heard, -_LOUDEST, _LOUDEST)
                if between is not None:
                    spread = np.zeros_like(logits) if spread is None else spread
                    spread[rows] = between
            outside = np.ones(logits.shape[1:], bool)
            outside[frame.shown.slices] = False
            logits[:, outside] = OUTSIDE_LOGIT
        meter.advance(max(0, len(wanted) - len(there)), f"label {self.label}")
        logits[sorted(marks)] = OUTSIDE_LOGIT
        return LabelResult(
            self.label,
            frame,
            LabelLogits(logits.astype(np.float16), None if spread is None else spread.astype(np.float16)),
        )

    def _examples(self, grid: Geometry, axis: str, rows: np.ndarray, model: InContextModel) -> tuple[SupportStack, int]:
        """The labelled scans' slices at the place of the query's, those that may be asked for; and how many scans."""
        images, masks, places = [], [], []
        near = np.arange(max(0, rows[0] - 1), min(grid.shape[array_axis(axis)], rows[-1] + 2))
        for image, mask in self.evidence.brought_to(self.label, grid):
            images.append(np.clip(slice_stack(image, axis)[near], 0, 1))
            masks.append(np.clip(slice_stack(mask, axis)[near], 0, 1))
            places.append(near.astype(float))
        stack = SupportStack(model, np.concatenate(images), np.concatenate(masks), np.concatenate(places))
        return stack, len(places)

    def beside_marks(
        self, slices: VolumeSlices, frame: SliceFrame, logits: np.ndarray, marks: Mapping[int, np.ndarray]
    ) -> np.ndarray:
        """Logits (N, size, size) that follow from marks, weighed with what the labelled scans say.

        Near a mark its say counts alone, farther away the labelled scans' does, as far as they agree with the marks;
        and what they have wrong on a mark, they have wrong beside it.

        Args:
            slices: The volume.
            frame: Of the logits.
            logits: From the marks.
            marks: Slice number to soft mask (size, size), for every slice on which the label is known.
        """
        own = slice_stack(self.evidence.logits_on(self.label, slices.grid_of(frame)), slices.axis).copy()
        marked = sorted(marks)
        trust = _agreement([own[n] > 0 for n in marked], [marks[n] >= 0.5 for n in marked])
        trust = float(np.clip((trust - _DOUBTED) / (_TRUSTED - _DOUBTED), 0, 1))
        if trust == 0:
            return logits
        length = max(1.0, float((own > 0).any(axis=(1, 2)).sum()))
        numbers = np.arange(len(own))
        distance = np.abs(numbers[:, None] - np.array(marked)[None])
        nearness = np.exp(-distance / (_REACH * length))
        share = trust * (1 - nearness.max(axis=1))
        missing = np.stack([np.clip(_STEEP * signed_distance(marks[n] >= 0.5), -6, 6) - own[n] for n in marked])
        weight = nearness / np.maximum(1.0, nearness.sum(axis=1, keepdims=True))
        own += np.einsum("nm,mrc->nrc", weight, missing).astype(np.float32)
        mixed = (1 - share)[:, None, None] * np.clip(logits, -_LOUDEST * 2, _LOUDEST * 2) + share[:, None, None] * own
        mixed[marked] = logits[marked]
        outside = np.ones(logits.shape[1:], bool)
        outside[frame.shown.slices] = False
        mixed[:, outside] = OUTSIDE_LOGIT
        return mixed.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Atlas:
    """What the labelled scans of a support set come to for a volume.

    Attributes:
        says: Label to what is said about it, for the labels of which something is known.
        silent: Labels of which nothing may be found without marks: none of the scans that hold them is to be believed.
        warnings: One sentence for each scan or label that is left out.
        credibility: Mean likeness of the scans that count, 0 to 1.
    """

    says: Mapping[int, AtlasSay]
    silent: frozenset[int]
    warnings: tuple[str, ...]
    credibility: float


def ask_atlas(
    volume: Volume,
    support: SupportSet,
    values: Sequence[int],
    *,
    window: IntensityWindow,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Atlas:
    """Lay the whole scans of a support set over a volume, and see which labels they can speak about.

    Args:
        volume: The volume.
        support: With the scans.
        values: The labels that are asked for.
        window: Of the volume.
        progress: Called with the share done.
        cancel: Looked at between the parts of the work.
    """
    scans = [scan for scan in support.scans if scan.used and set(scan.label_values) & set(values)]
    if not scans:
        return Atlas({}, frozenset(), (), 0.0)
    evidence = gather(volume, scans, window=window, progress=progress, cancel=cancel)
    warnings = list(evidence.warnings)
    held = {value for scan in scans for value in scan.label_values} & set(values)
    says = {}
    for value in sorted(held & set(evidence.chances)):
        if evidence.agreement(value) >= _AGREE:
            says[value] = AtlasSay(evidence, value)
        else:
            name = support.label_names.get(value, f"label {value}")
            warnings.append(f"The labelled scans do not agree on where {name} is; the network alone decides.")
    silent = frozenset() if evidence.aligned else frozenset(held)
    if silent:
        warnings.append(
            "No labelled scan fits this volume, so nothing is segmented without marks: mark a slice, or use a support "
            "set of slices only to hear the network alone."
        )
    return Atlas(says, silent, tuple(warnings), evidence.credibility)


def nothing_found(slices: VolumeSlices, label: int) -> LabelResult:
    """Background everywhere."""
    frame = SliceFrame.fit(slices.shape, slices.spacing, None, 1)
    return LabelResult(label, frame, LabelLogits(np.full((len(slices.stack), 1, 1), OUTSIDE_LOGIT, np.float16)))


def _agreement(found: list[np.ndarray], marked: list[np.ndarray]) -> float:
    """Dice over all marked slices together."""
    both = sum(float((a & b).sum()) for a, b in zip(found, marked, strict=True))
    size = sum(float(a.sum() + b.sum()) for a, b in zip(found, marked, strict=True))
    return 2 * both / size if size else 0.0
