"""One label of one volume: the region, the frame, the examples, the strategy, and what follows it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from ...imaging import Box, SliceFrame, slice_distance
from ..looking import ScaledExamples, closer_frame, slice_box
from ..predictor import PRIOR_CHANNELS, Meter, SupportStack, logit, probability
from ..prepared import PreparedSupport
from ..region import grown_where_touched, region_around
from ..settings import PropagationSettings
from ..support.planes import example_planes
from ..support.set import SupportSet
from .compose import LabelResult
from .detail import refine_in_tiles
from .laid_over import AtlasSay
from .passes import predict_slices, smooth_along_slices
from .strategies import STRATEGIES, Strategy
from .task import LabelLogits, LabelTask, VolumeSlices, Watch

if TYPE_CHECKING:
    from ...network import InContextModel

# The region may grow this often after the segmentation; each time it is predicted anew.
_GROWTHS = 2
# Tiles show more only where a network pixel is larger than this many image pixels.
_COARSE = 1.25
# Logits beyond this are as certain, and float16 holds no more than six times as much.
_LOUDEST = 1e4
# Largest logit of a first look that takes part in the mean with a closer one.
_SURE = 8.0


@dataclass(frozen=True, eq=False)
class LabelRun:
    """The work on one label.

    Attributes:
        slices: The volume.
        label: The label value.
        marks: Slice number to boolean mask (rows, cols).
        wanted: Rising numbers of the slices to predict; marked ones are not among them.
        support: Examples from elsewhere.
        model: The network.
        strategy: "independent", "cascade", "prior" or "guided".
        settings: The settings.
        meter: Progress and cancellation.
        watch: Told what the strategy weighs, if it weighs, anew for each region.
        atlas: What labelled scans say about the label; None where there are none that are to be believed.
        prepared: The support's examples, encoded before; they serve where nothing is marked.
    """

    slices: VolumeSlices
    label: int
    marks: dict[int, np.ndarray]
    wanted: np.ndarray
    support: SupportSet
    model: InContextModel
    strategy: str
    settings: PropagationSettings
    meter: Meter
    watch: Watch | None = None
    atlas: AtlasSay | None = None
    prepared: PreparedSupport | None = None

    @property
    def way(self) -> Strategy:
        """The strategy for this label: without a marked shape there is nothing that could guide."""
        if self.strategy != "guided" or any(mask.any() for mask in self.marks.values()):
            return STRATEGIES[self.strategy]
        return STRATEGIES["prior" if self.model.query_channels >= PRIOR_CHANNELS else "independent"]

    def run(self) -> LabelResult:
        """Predict the label in all wanted slices."""
        drawn = [mask for mask in self.marks.values() if mask.any()]
        known = Box.around(np.stack(drawn)) if drawn else None
        if self.atlas is not None and known is None:
            return self.atlas.lead(self.slices, self.marks, self.wanted, self.model, self.settings, self.meter)
        if self.atlas is not None and known is not None:
            known = known.union(self.atlas.box(self.slices) or known)
        box = region_around(known, self.slices.shape, self.slices.spacing, self.settings)
        frame, task, found = self._attempt(box)
        if known is None and not self.marks:
            frame, task, found = self._closer_look(frame, task, found)
        for _ in range(_GROWTHS if box is not None else 0):
            bigger = grown_where_touched(frame, found.logits[self.wanted] > 0)
            if bigger is None:
                break
            self.meter.expect(len(self.wanted))
            frame, task, found = self._attempt(bigger)
        if not self.settings.keep_marked and self.marks:
            self.way.predict_marked(task, found)
        if self.settings.detail > 1 and self.way.takes_prior and frame.pixel_mm > _COARSE * min(frame.spacing):
            frame, found = refine_in_tiles(task, found, frame, self.slices.seen_through, self._masks_through)
        sigma = self.settings.smooth * self.way.smoothing(task)
        if sigma:
            found.logits = smooth_along_slices(found.logits, sigma)
        if self.atlas is not None:
            found.logits = self.atlas.beside_marks(self.slices, frame, found.logits, task.marks)
        # Half the memory, and finer steps than any threshold asks for.
        found.logits = np.clip(found.logits, -_LOUDEST, _LOUDEST).astype(np.float16)
        found.spread = None if found.spread is None else found.spread.astype(np.float16)
        return LabelResult(self.label, frame, found)

    def _attempt(self, box: Box | None) -> tuple[SliceFrame, LabelTask, LabelLogits]:
        size = self.way.side or self.model.resolution
        frame = SliceFrame.fit(self.slices.shape, self.slices.spacing, box, size)
        if self.way.side and frame.pixel_mm > _COARSE * min(frame.spacing):
            frame = SliceFrame.fit(self.slices.shape, self.slices.spacing, box, size * self.settings.detail)
        region = self.settings if box is not None else None
        task = self._task(frame, region) if self.marks else self._unmarked(frame, None)
        return frame, task, self.way.spread(task)

    @cached_property
    def _examples(self) -> ScaledExamples:
        return (self.prepared or PreparedSupport(self.support, self.model)).examples(self.label)

    def _unmarked(self, frame: SliceFrame, share: float | None) -> LabelTask:
        """The task on a frame where the examples from elsewhere are all there is, shown at the scale of the frame."""
        images = self.slices.seen_through(frame)
        return self._task_of(frame, images, {}, self._examples.stack(share), images)

    def _task(self, frame: SliceFrame, region: PropagationSettings | None) -> LabelTask:
        images = self.slices.seen_through(frame)
        marked = sorted(self.marks)
        masks = self._masks_through(frame)
        others = self.support.supporting(self.label)
        resolution = self.model.resolution
        other_images, other_masks = example_planes(others, self.label, resolution, region)
        places = np.concatenate([np.array(marked, float), np.full(len(others), np.nan)])
        seen, own_masks = images, masks
        if frame.size != resolution:
            network_frame = SliceFrame(frame.shape, frame.spacing, frame.start_mm, frame.side_mm, resolution)
            seen, own_masks = self.slices.seen_through(network_frame), self._masks_through(network_frame)
        support = SupportStack(
            self.model, np.concatenate([seen[marked], other_images]), np.concatenate([own_masks, other_masks]), places
        )
        return self._task_of(frame, images, dict(zip(marked, masks, strict=True)), support, seen)

    def _task_of(
        self,
        frame: SliceFrame,
        images: np.ndarray,
        masks: dict[int, np.ndarray],
        support: SupportStack,
        seen: np.ndarray,
    ) -> LabelTask:
        return LabelTask(
            images,
            masks,
            self.wanted,
            support,
            self.settings,
            self.meter,
            frame.shown,
            slice_distance(self.slices.volume.geometry, self.slices.axis) / frame.pixel_mm,
            f"label {self.label}",
            seen,
            self.watch,
        )

    def _masks_through(self, frame: SliceFrame) -> np.ndarray:
        """The marked masks on a frame, float32 (n, size, size), by rising slice number."""
        if not self.marks:
            return np.zeros((0, frame.size, frame.size), np.float32)
        return np.stack([frame.to_network(self.marks[n], "mask") for n in sorted(self.marks)])

    def _closer_look(
        self, frame: SliceFrame, task: LabelTask, found: LabelLogits
    ) -> tuple[SliceFrame, LabelTask, LabelLogits]:
        """Without marks: whole slices first, then where the structure was found; there the mean of both."""
        tight = _largest_part(found.logits > 0)
        if tight is None:
            return frame, task, found
        box = slice_box(tight, frame)
        share = self._examples.share_for(box, frame.shape, frame.spacing)
        if share is None:
            return frame, task, found
        self.meter.expect(len(self.wanted))
        closer = closer_frame(box, share, frame.shape, frame.spacing, frame.size)
        task = self._unmarked(closer, share)
        result = LabelLogits.background(task)
        first = np.stack([closer.to_network(frame.from_network(probability(one))) for one in found.logits[self.wanted]])
        # The first look's answer has half of the say, and is not shown to the network: told it, it follows it.
        predict_slices(task, result, self.wanted)
        rows, cols = task.shown.slices
        second = result.logits[self.wanted]
        second[:, rows, cols] = (second + logit(first, _SURE))[:, rows, cols] / 2
        result.logits[self.wanted] = second
        return closer, task, result


def _largest_part(masks: np.ndarray) -> Box | None:
    """The box, over all slices, of the largest connected part of (N, rows, cols) masks."""
    if not masks.any():
        return None
    parts = sitk.ConnectedComponent(sitk.GetImageFromArray(masks.astype(np.uint8)))
    largest = sitk.GetArrayFromImage(sitk.RelabelComponent(parts, sortByObjectSize=True)) == 1
    return Box.around(largest)
