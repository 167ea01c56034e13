"""Kinds of tasks beside the labelled ones of a store: synthetic, super-pixels, slices of one volume.

A kind is one file. It draws images and labels on the device from a generator of random numbers;
:class:`trainer.tasks.episodes.EpisodeSampler` mixes the kinds into batches.
"""

from .painted import paint
from .superpixels import superpixel_mask
from .synthetic import SyntheticSettings, synthetic_tasks
from .volume_episodes import VolumeEpisodeSettings, draw_volume_episode, region_maps

__all__ = [
    "SyntheticSettings",
    "VolumeEpisodeSettings",
    "draw_volume_episode",
    "paint",
    "region_maps",
    "superpixel_mask",
    "synthetic_tasks",
]
