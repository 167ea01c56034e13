"""One example: a slice or picture with its label map, at its own resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ...imaging import AXES, are_lengths, as_labels


@dataclass(frozen=True, eq=False)
class SupportExample:
    """One slice or picture with its label map.

    Attributes:
        image: (rows, cols) float32 in [0, 1], at native resolution, through the window of its volume.
        labels: (rows, cols) uint16 label map, 0 is background.
        spacing: (row_mm, col_mm) of a pixel.
        source: What it was taken from, in words (a file name, a volume's name).
        axis: Slice axis in that volume, "i", "j" or "k"; None for a picture.
        index: Slice number along the axis; None for a picture.
        used: Whether it takes part; an example can be left out without being deleted.
        complete: Whether a label that is not in it is known to be absent there. Without that, an example supports
            only the labels that it holds.

    Raises:
        InputError: Shapes that differ, image values outside [0, 1], labels or spacing that are none.
    """

    image: np.ndarray
    labels: np.ndarray
    spacing: tuple[float, float] = (1.0, 1.0)
    source: str = ""
    axis: str | None = None
    index: int | None = None
    used: bool = True
    complete: bool = False

    def __post_init__(self) -> None:
        image = np.ascontiguousarray(self.image, dtype=np.float32)
        if image.ndim != 2 or not image.size:
            raise InputError(f"a support image has the shape {image.shape}; (rows, cols) are needed.")
        if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
            raise InputError("a support image has values outside [0, 1]; apply an IntensityWindow first.")
        try:
            labels = np.ascontiguousarray(as_labels(self.labels))
        except InputError as error:
            raise InputError(f"a support label map cannot be used: {error}") from error
        if labels.shape != image.shape:
            raise InputError(f"support image and labels differ in shape: {image.shape} and {labels.shape}.")
        row_mm, col_mm = (float(s) for s in self.spacing)
        if not are_lengths((row_mm, col_mm)):
            raise InputError(f"pixel spacing {self.spacing} mm of a support image is not two positive numbers.")
        if self.axis is not None and self.axis not in AXES:
            raise InputError(f"axis {self.axis!r} of a support image is not one of i, j, k.")
        for name, value in (("image", image), ("labels", labels), ("spacing", (row_mm, col_mm))):
            object.__setattr__(self, name, value)

    @property
    def label_values(self) -> tuple[int, ...]:
        """The labels that it holds, rising, without background."""
        return tuple(int(v) for v in np.unique(self.labels) if v)

    def supports(self, label: int) -> bool:
        """Whether it is in use and says something about a label: holds it, or is known not to."""
        return self.used and (self.complete or bool((self.labels == label).any()))
