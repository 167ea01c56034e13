"""Labelled scans that were laid over the volume lead the labels that they hold."""

from .say import AtlasSay, ask_atlas, nothing_found

__all__ = ["AtlasSay", "ask_atlas", "nothing_found"]
