"""Kinds of tasks beside the labelled ones of a store: synthetic, super-pixels, slices of one volume.

A kind is one file. It draws images and labels on the device from a generator of random numbers;
:class:`trainer.tasks.episodes.EpisodeSampler` mixes the kinds into batches.
"""
