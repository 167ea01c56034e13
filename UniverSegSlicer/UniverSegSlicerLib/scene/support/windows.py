"""The intensity windows of volume nodes, which every picture and every example of the support set looks through."""

from __future__ import annotations

from typing import Any

from ...imaging import IntensityWindow
from ..mrml.volumes import array_of


class Windows:
    """Computes a volume's window anew only when its voxels have changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, int, IntensityWindow]] = {}

    def of(self, volume: Any) -> IntensityWindow:
        """The window of a volume node."""
        image = volume.GetImageData()
        known = self._known.get(volume.GetID())
        if known is None or known[0] is not image or known[1] != image.GetMTime():
            known = (image, image.GetMTime(), IntensityWindow.of(array_of(volume)))
            self._known[volume.GetID()] = known
        return known[2]

    def clear(self) -> None:
        """Let go of all volumes."""
        self._known.clear()
