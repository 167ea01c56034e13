"""Episodes: batches of tasks with queries, support and prompts, ready for a training step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from UniverSegSlicerLib.errors import InputError

from .augmentation import AugmentationTable, augment_intensity, augment_labels, sampling_grid, warp
from .draws import coin, uniform
from .kinds import (
    SyntheticSettings,
    VolumeEpisodeSettings,
    draw_volume_episode,
    paint,
    region_maps,
    superpixel_mask,
    synthetic_tasks,
)
from .pool import DataPool, Task, VolumeTask
from .prompts import disturb
from .sampling import HierarchicalSampler, Item, Mode, draw_query_and_support

#: The kinds of episodes, in the order of their shares in the configuration.
KINDS = ("across", "volume", "synthetic", "superpixel", "painted")

# Labels that a painted episode tells apart at most; more would only take time.
_MOST_PAINTED_LABELS = 12


@dataclass(frozen=True)
class EpisodeSettings:
    """What the episodes of a run consist of.

    Args:
        shares: Relative share of every kind in :data:`KINDS`.
        dataset_weights: Relative weight of data sets; absent ones weigh 1.
        mode: Hierarchy of the sampling, see :class:`~trainer.tasks.sampling.HierarchicalSampler`.
        replacement: Whether the support is drawn with replacement (None: only where needed).
        prior_p: Probability of a prior plane in episodes across subjects, synthetic and super-pixel ones, made from the
            query's own label.
        prior_strength: Range of the disturbance of those priors.
        zoom_p: Probability that every image of an episode across subjects is cropped to its structure and a margin.
        augmentation: The augmentation table.
        synthetic: Ranges of the synthetic generator.
        volume: How slices of a volume are drawn.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: {"across": 1.0, "volume": 1.0, "synthetic": 0.5})
    dataset_weights: Mapping[str, float] = field(default_factory=dict)
    mode: Mode = "hierarchical"
    replacement: bool | None = None
    prior_p: float = 0.3
    prior_strength: tuple[float, float] = (0.2, 1.0)
    zoom_p: float = 0.3
    augmentation: AugmentationTable = field(default_factory=AugmentationTable)
    synthetic: SyntheticSettings = field(default_factory=SyntheticSettings)
    volume: VolumeEpisodeSettings = field(default_factory=VolumeEpisodeSettings)

    def __post_init__(self) -> None:
        check_shares(self.shares, "episodes.shares")


def check_shares(shares: Mapping[str, float], name: str) -> None:
    """Raise InputError unless ``shares`` (called ``name``) gives at least one of :data:`KINDS` a positive share."""
    unknown = sorted(set(shares) - set(KINDS))
    if unknown:
        raise InputError(f"{name} names {unknown[0]!r}; the kinds are {', '.join(KINDS)}.")
    if not any(share > 0 for share in shares.values()):
        raise InputError(f"{name} are all 0; at least one kind of episode needs a positive share.")


@dataclass(frozen=True)
class Episodes:
    """A batch of T tasks.

    ``query_images``, ``query_labels``, ``priors`` are ``(T, K, 1, H, W)``, ``support_images`` and ``support_labels``
    ``(T, S, 1, H, W)``; ``has_prior`` is boolean ``(T, K)``; ``names`` say which tasks.
    """

    query_images: Tensor
    query_labels: Tensor
    priors: Tensor
    has_prior: Tensor
    support_images: Tensor
    support_labels: Tensor
    names: tuple[str, ...]


class EpisodeSampler:
    """Draws batches of episodes from a pool and from the synthetic generator.

    Args:
        pool: Real images; None allows synthetic episodes only.
        settings: What to draw.
        seed: Of both generators; the state travels in checkpoints through :meth:`state_dict`.
        device: Where episodes are made.
    """

    def __init__(
        self, pool: DataPool | None, settings: EpisodeSettings, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        self.pool = pool
        self.settings = settings
        self.device = torch.device(device)
        self.host = np.random.default_rng(seed)
        self.generator = torch.Generator(device=self.device).manual_seed(seed)
        tasks = pool.tasks if pool else []
        volumes = pool.volumes if pool else []
        self._available = {kind: bool(tasks) for kind in ("across", "superpixel", "painted")}
        self._available |= {"volume": bool(volumes), "synthetic": True}
        self._cumulative(settings.shares)
        self.datasets = {task.dataset for task in tasks} | {volume.dataset for volume in volumes}
        self._tasks = self._sampler(tasks, _task_path) if tasks else None
        self._volumes = self._sampler(volumes, _volume_path) if volumes else None

    def _sampler(self, items: Sequence[Item], path: Callable[[Item], tuple[str, ...]]) -> HierarchicalSampler[Item]:
        return HierarchicalSampler(items, path, weights=self.settings.dataset_weights, mode=self.settings.mode)

    def state_dict(self) -> dict[str, object]:
        """Both generators' states."""
        return {"host": self.host.bit_generator.state, "device": self.generator.get_state().cpu()}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Continue where :meth:`state_dict` was taken."""
        self.host.bit_generator.state = state["host"]
        device_state = state["device"]
        assert isinstance(device_state, Tensor)
        self.generator.set_state(device_state)

    def reseed(self, seed: list[int]) -> None:
        """Begin anew with another seed."""
        self.host = np.random.default_rng(seed)
        self.generator.manual_seed(int(self.host.integers(2**31)))

    def _cumulative(self, shares: Mapping[str, float]) -> np.ndarray:
        """Cumulative shares of :data:`KINDS`; a kind that the store cannot give has none."""
        weights = np.array([shares.get(kind, 0.0) * self._available[kind] for kind in KINDS], dtype=float)
        if weights.sum() <= 0:
            have = (len(self.pool.tasks), len(self.pool.volumes)) if self.pool else (0, 0)
            raise InputError(
                f"The store has {have[0]} tasks and {have[1]} volume tasks, none of a kind with a positive share in "
                f"{dict(shares)}."
            )
        return np.cumsum(weights / weights.sum())

    def draw(
        self,
        tasks: int,
        queries: int,
        support: int,
        side: int,
        *,
        shares: Mapping[str, float] | None = None,
        prompted: float = 1.0,
    ) -> Episodes:
        """A batch of ``tasks`` episodes with ``queries`` queries and ``support`` examples of ``side`` pixels.

        ``shares`` take the place of the settings' own; ``prompted`` is a factor on the probability of every prior.
        """
        cumulative = self._cumulative(self.settings.shares if shares is None else shares)
        raw = [self._draw_one(queries, support, cumulative) for _ in range(tasks)]
        source = self.pool.resolution if self.pool else side
        base = torch.stack([one.base for one in raw]).to(self.device)
        planes = self._gather(raw, queries, support, source, min(side, source))
        grid = sampling_grid(self.settings.augmentation, base, side, self.generator)
        warped = warp(planes.flatten(0, 1), grid).unflatten(0, (tasks, queries + support))
        images = augment_intensity(warped[:, :, :1], self.settings.augmentation, self.generator)
        labels = warped[:, :, 1:2]
        priors, has_prior = self._priors(raw, warped[:, :queries, 1:2], warped[:, :queries, 2:3], prompted)
        both = augment_labels(torch.cat([labels, priors], dim=1), self.settings.augmentation, self.generator)
        labels, priors = both[:, : queries + support], both[:, queries + support :] * has_prior[:, :, None, None, None]
        return Episodes(
            images[:, :queries],
            labels[:, :queries],
            priors,
            has_prior,
            images[:, queries:],
            labels[:, queries:],
            tuple(one.name for one in raw),
        )

    def _gather(self, raw: list[_Raw], queries: int, support: int, source: int, made_side: int) -> Tensor:
        """Image, label and prior planes before augmentation, ``(T, K + S, 3, source, source)``.

        Synthetic ones are made at ``made_side`` pixels and enlarged: more detail than the output's only costs time.
        """
        count = queries + support
        planes = torch.zeros((len(raw), count, 3, source, source), device=self.device)
        real = [i for i, one in enumerate(raw) if one.images is not None]
        if real and self.pool is not None:
            rows = np.stack([raw[i].images for i in real])
            masks = np.stack([raw[i].masks for i in real])
            planes[real, :, 0] = self.pool.read_images(rows)
            planes[real, :, 1] = self.pool.read_masks(masks)
            for i in real:
                if raw[i].kind == "painted":
                    planes[i, :, 0] = self._painted(raw[i], planes[i])
        for i, one in enumerate(raw):
            if one.label_plane is not None:
                planes[i, :, 1] = torch.from_numpy(one.label_plane).to(self.device, torch.float32)
            if one.prior_planes is not None:
                planes[i, :queries, 2] = torch.from_numpy(one.prior_planes).to(self.device, torch.float32)
        made = [i for i, one in enumerate(raw) if one.images is None]
        if made:
            images, labels = synthetic_tasks(len(made), count, made_side, self.generator, self.settings.synthetic)
            both = torch.cat([images, labels], dim=2).flatten(0, 1)
            if made_side != source:
                both = F.interpolate(both, size=(source, source), mode="bilinear", align_corners=False)
            planes[made, :, :2] = both.unflatten(0, (len(made), count))
        return planes

    def _painted(self, one: _Raw, planes: Tensor) -> Tensor:
        """New appearances of the images ``planes[:, 0]`` of an episode, whose label is ``planes[:, 1]``."""
        assert self.pool is not None and one.images is not None
        classes = self.pool.label_maps(one.images, _MOST_PAINTED_LABELS, self.host)
        # The episode's own label may not be among those drawn, and stands above what overlaps it.
        classes = torch.where(planes[:, 1] > 0.5, classes.amax() + 1, classes)
        return paint(planes[:, 0], classes, self.generator)

    def _priors(self, raw: list[_Raw], labels: Tensor, planes: Tensor, prompted: float) -> tuple[Tensor, Tensor]:
        """Prior planes ``(T, K, 1, H, W)`` and which of them say anything."""
        tasks, queries = labels.shape[:2]
        given = torch.from_numpy(np.stack([one.has_prior for one in raw])).to(self.device)
        if prompted < 1:
            given = given & coin(self.generator, (tasks, 1), prompted)
        own = coin(self.generator, (tasks, queries), prompted * self.settings.prior_p)
        from_volume = torch.tensor([one.kind == "volume" for one in raw], device=self.device)[:, None]
        own = own & ~from_volume
        source = torch.where(own[:, :, None, None, None], labels, planes)
        low, high = self.settings.prior_strength
        strength = uniform(self.generator, (tasks, queries), low, high)
        # What neighbours say is wrong already; half of those priors are disturbed further, like an earlier answer.
        mild = strength * 0.4 * coin(self.generator, (tasks, queries), 0.5)
        strength = torch.where(own, strength, mild)
        has_prior = own | given
        rows = has_prior.flatten().nonzero()[:, 0]
        result = torch.zeros_like(labels).flatten(0, 1)
        if len(rows):
            result[rows] = disturb(source.flatten(0, 1)[rows], strength.flatten()[rows], self.generator)
        return result.reshape(labels.shape), has_prior

    def _draw_one(self, queries: int, support: int, cumulative: np.ndarray) -> _Raw:
        kind = KINDS[min(int(np.searchsorted(cumulative, self.host.random(), side="right")), len(KINDS) - 1)]
        count = queries + support
        identity = torch.eye(3)[:2].expand(count, 2, 3)
        none = np.zeros(queries, dtype=bool)
        if kind == "synthetic":
            return _Raw("synthetic", "synthetic", None, None, identity, none)
        if kind == "volume":
            assert self._volumes is not None and self.pool is not None
            task: VolumeTask = self._volumes.draw(self.host)
            drawn = draw_volume_episode(self.pool, task, queries, support, self.host, self.settings.volume)
            return _Raw(
                kind, task.name, drawn.images, drawn.masks, drawn.base, drawn.has_prior, prior_planes=drawn.priors
            )
        assert self._tasks is not None and self.pool is not None
        across: Task = self._tasks.draw(self.host)
        if kind == "superpixel":
            row = int(self.host.choice(across.images))
            image = self.pool.read_images(np.array([row]))[0].cpu().numpy()
            mask = superpixel_mask(image, self.host)
            if mask is not None:
                rows = np.full(count, row)
                name = f"{across.dataset}/superpixel/{row}"
                return _Raw(kind, name, rows, np.full(count, -1), identity, none, label_plane=mask)
        query, examples = draw_query_and_support(
            across.subjects, queries, support, self.host, replacement=self.settings.replacement
        )
        entries = np.concatenate([query, examples])
        base = identity
        if self.host.random() < self.settings.zoom_p:
            masks = self.pool.read_masks(across.masks[entries]).cpu().numpy() > 0.5
            base = torch.from_numpy(
                np.stack([region_maps(mask[None], self.host, self.settings.volume) for mask in masks])
            )
        shown = "painted" if kind == "painted" else "across"
        return _Raw(shown, across.name, across.images[entries], across.masks[entries], base, none)


@dataclass(frozen=True)
class _Raw:
    """One episode before pixels are read; rows of the pool or None for a synthetic one."""

    kind: str
    name: str
    images: np.ndarray | None
    masks: np.ndarray | None
    base: Tensor
    has_prior: np.ndarray
    label_plane: np.ndarray | None = None
    prior_planes: np.ndarray | None = None


def _task_path(task: Task) -> tuple[str, ...]:
    # The data set stands above the slicing: largest slices exist for volumes only, and with the slicing on top those
    # few data sets would get half of all episodes.
    return (task.dataset, task.group, task.modality, task.axis, task.slicing, str(task.label))


def _volume_path(task: VolumeTask) -> tuple[str, ...]:
    return (task.dataset, task.subject, task.modality, task.axis, str(task.label))


def without_randomness(settings: EpisodeSettings) -> EpisodeSettings:
    """The same episodes without augmentation and priors, for validation and for looking at the data."""
    from .augmentation import Operations

    plain = AugmentationTable(Operations(), Operations())
    return replace(settings, augmentation=plain, prior_p=0.0, zoom_p=0.0)
