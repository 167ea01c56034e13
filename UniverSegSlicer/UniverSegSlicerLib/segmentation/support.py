"""Support sets: pictures with their labels, at their own resolution, from which the network takes what to segment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import GeometryError, InputError
from ..imaging import AXES, IntensityWindow, Volume, are_lengths, as_labels, slice_spacing, slice_stack, take_slice
from .marks import find_marked_slices


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


@dataclass(frozen=True, eq=False)
class SupportSet:
    """Examples that belong together.

    Attributes:
        examples: In the order in which they were marked.
        label_names: Names of label values; values without a name are allowed.
        provenance: Where the set comes from, in words.

    Example:
        >>> support = SupportSet.from_volume(volume, marks)  # doctest: +SKIP
        >>> support.save("ventricles.npz")  # doctest: +SKIP
    """

    examples: tuple[SupportExample, ...] = ()
    label_names: Mapping[int, str] = field(default_factory=dict)
    provenance: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "examples", tuple(self.examples))
        object.__setattr__(self, "label_names", {int(v): str(n) for v, n in self.label_names.items()})

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def label_values(self) -> tuple[int, ...]:
        """All labels that the examples in use hold, rising."""
        return tuple(sorted({v for e in self.examples if e.used for v in e.label_values}))

    def supporting(self, label: int) -> tuple[SupportExample, ...]:
        """The examples in use that say something about a label."""
        return tuple(e for e in self.examples if e.supports(label))

    @classmethod
    def from_volume(
        cls,
        volume: Volume,
        labels: np.ndarray,
        axis: str = "auto",
        indices: Iterable[int] | None = None,
        *,
        window: IntensityWindow | None = None,
        label_names: Mapping[int, str] | None = None,
        source: str = "",
    ) -> SupportSet:
        """Take marked slices of a volume.

        Args:
            volume: The image.
            labels: (K, J, I) whole numbers on the volume's grid.
            axis: "i", "j", "k", or "auto" to find it from the marks.
            indices: The slices that are marked, also those on which nothing is to be found; by default those that hold
                labels.
            window: Intensity window; that of the whole volume by default.
            label_names: Names of the label values.
            source: The volume's name.

        Raises:
            GeometryError: The labels have another shape than the volume.
            InputError: No marks, or an axis that cannot be told.
        """
        marks = same_grid_labels(labels, volume)
        if indices is None:
            found = find_marked_slices(marks, axis)
            axis, chosen, complete = found.axis, found.indices, False
        else:
            axis = find_marked_slices(marks, axis).axis if axis == "auto" else axis
            chosen, complete = tuple(sorted({int(n) for n in indices})), True
        window = window or IntensityWindow.of(volume.array)
        spacing = slice_spacing(volume.geometry, axis)
        examples = [
            SupportExample(
                window.apply(take_slice(volume.array, axis, n)),
                take_slice(marks, axis, n),
                spacing,
                source,
                axis,
                n,
                complete=complete,
            )
            for n in chosen
        ]
        return cls(tuple(examples), label_names or {}, source)

    @classmethod
    def from_pairs(
        cls,
        images: Sequence[np.ndarray],
        labels: Sequence[np.ndarray],
        *,
        spacings: Sequence[tuple[float, float]] | None = None,
        sources: Sequence[str] | None = None,
        label_names: Mapping[int, str] | None = None,
        provenance: str = "",
    ) -> SupportSet:
        """Take 2D images (rows, cols) of any real dtype with complete label maps of the same shapes.

        Raises:
            InputError: Numbers or shapes that do not pair.
        """
        if len(images) != len(labels):
            raise InputError(f"{len(images)} support images and {len(labels)} label maps do not pair.")
        examples = []
        for n, (image, marks) in enumerate(zip(images, labels, strict=True)):
            name = sources[n] if sources else f"image {n}"
            try:
                examples.append(
                    SupportExample(
                        IntensityWindow.of(image).apply(image),
                        marks,
                        spacings[n] if spacings else (1.0, 1.0),
                        name,
                        complete=True,
                    )
                )
            except InputError as error:
                raise InputError(f"{name}: {error}") from error
        return cls(tuple(examples), label_names or {}, provenance)

    def merged(self, other: SupportSet) -> SupportSet:
        """This set and then the other one; where both name a label, this one's name stays."""
        words = " + ".join(dict.fromkeys(p for p in (self.provenance, other.provenance) if p))
        return SupportSet(self.examples + other.examples, {**other.label_names, **self.label_names}, words)

    def using(self, positions: Iterable[int]) -> SupportSet:
        """The same set with exactly the examples at these positions in use."""
        chosen = set(positions)
        if not chosen <= set(range(len(self))):
            raise InputError(f"examples {sorted(chosen)} are not all among the {len(self)} of the support set.")
        return replace(self, examples=tuple(replace(e, used=n in chosen) for n, e in enumerate(self.examples)))

    def save(self, path: str | Path) -> None:
        """Write one file that :meth:`load` reads back without loss; it appears whole or not at all (OutputError)."""
        from .support_file import write_support

        write_support(path, self)

    @classmethod
    def load(cls, path: str | Path) -> SupportSet:
        """Read a file that :meth:`save` wrote.

        Raises:
            InputError: Missing, corrupt, too large, of a newer version, or something else than a support set.
        """
        from .support_file import read_support

        return read_support(path)


def same_grid_labels(labels: np.ndarray, volume: Volume) -> np.ndarray:
    """Labels (K, J, I) as uint16, which must have the shape of the volume.

    Raises:
        GeometryError: They have not.
        InputError: Values that are no labels.
    """
    if np.shape(labels) != volume.array.shape:
        raise GeometryError(
            f"the label map has the shape {np.shape(labels)} and the volume {volume.array.shape} (K, J, I); "
            "both must lie on one grid."
        )
    try:
        return as_labels(labels)
    except InputError as error:
        raise InputError(f"the marks are not a label map: {error}") from error


def marked_stack(labels: np.ndarray, axis: str, label: int, indices: Iterable[int]) -> np.ndarray:
    """The masks of one label on some slices, boolean (n, rows, cols)."""
    return slice_stack(labels, axis)[list(indices)] == label
