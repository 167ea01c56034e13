"""Support sets: pictures with their labels, at their own resolution, from which the network takes what to segment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...imaging import IntensityWindow, Volume, slice_spacing, slice_stack, take_slice
from .example import SupportExample
from .file import read_examples, write_examples
from .marks import find_marked_slices, same_grid_labels
from .scan import LabelledScan, is_complete, widest_apart


@dataclass(frozen=True, eq=False)
class SupportSet:
    """Examples that belong together.

    Attributes:
        examples: In the order in which they were marked.
        label_names: Names of label values; values without a name are allowed.
        provenance: Where the set comes from, in words.
        scans: Scans with their whole label maps, which serve as atlases; without them a set holds slices alone.

    Example:
        >>> support = SupportSet.from_volume(volume, marks)  # doctest: +SKIP
        >>> support.save("ventricles.npz")  # doctest: +SKIP
    """

    examples: tuple[SupportExample, ...] = ()
    label_names: Mapping[int, str] = field(default_factory=dict)
    provenance: str = ""
    scans: tuple[LabelledScan, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "examples", tuple(self.examples))
        object.__setattr__(self, "scans", tuple(self.scans))
        object.__setattr__(self, "label_names", {int(v): str(n) for v, n in self.label_names.items()})

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def label_values(self) -> tuple[int, ...]:
        """All labels that the examples and scans in use hold, rising."""
        held = [e.label_values for e in self.examples if e.used] + [s.label_values for s in self.scans if s.used]
        return tuple(sorted({value for values in held for value in values}))

    @property
    def axis(self) -> str:
        """The slice axis of most of the examples in use; k where none of them says."""
        axes = [e.axis for e in self.examples if e.used and e.axis is not None]
        return max(sorted(set(axes)), key=axes.count) if axes else "k"

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
    def from_scan(
        cls,
        volume: Volume,
        labels: np.ndarray,
        axis: str = "auto",
        *,
        window: IntensityWindow | None = None,
        label_names: Mapping[int, str] | None = None,
        source: str = "",
        keep_scan: bool = True,
        sure: bool = False,
    ) -> SupportSet:
        """Take a scan whose label map is complete: all its labelled slices, and the scan itself as an atlas.

        Args:
            volume: The image.
            labels: (K, J, I) complete label map on the volume's grid.
            axis: "i", "j", "k", or "auto" for the axis along which slices lie farthest apart and, where they lie
                equally far, along which the structures fill the fewest.
            window: Intensity window; that of the whole volume by default.
            label_names: Names of the label values.
            source: The volume's name.
            keep_scan: Whether the scan around the labels goes in; False takes slices alone.
            sure: The label map is complete, whatever it looks like (lesions that were drawn on thick slices look like
                marks).

        Raises:
            GeometryError: The labels have another shape than the volume.
            InputError: The label map does not look complete (:func:`.scan.is_complete`), or is empty.
        """
        known = same_grid_labels(labels, volume)
        if not known.any():
            raise InputError("the label map holds no label.")
        if not sure and not is_complete(known):
            raise InputError("the label map looks like marked slices, a complete one is needed.")
        axis = widest_apart(known, volume.geometry.spacing) if axis == "auto" else axis
        filled = np.flatnonzero(slice_stack(known, axis).any(axis=(1, 2)))
        window = window or IntensityWindow.of(volume.array)
        made = cls.from_volume(
            volume, known, axis, filled.tolist(), window=window, label_names=label_names, source=source
        )
        scans = (LabelledScan.of(volume, known, window=window, source=source),) if keep_scan else ()
        return replace(made, scans=scans)

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
        names = {**other.label_names, **self.label_names}
        return SupportSet(self.examples + other.examples, names, words, self.scans + other.scans)

    def using(self, positions: Iterable[int]) -> SupportSet:
        """The same set with exactly the examples at these positions in use."""
        chosen = set(positions)
        if not chosen <= set(range(len(self))):
            raise InputError(f"examples {sorted(chosen)} are not all among the {len(self)} of the support set.")
        return replace(self, examples=tuple(replace(e, used=n in chosen) for n, e in enumerate(self.examples)))

    def save(self, path: str | Path) -> None:
        """Write one file that :meth:`load` reads back without loss; it appears whole or not at all (OutputError)."""
        write_examples(path, self.examples, self.label_names, self.provenance, self.scans)

    @classmethod
    def load(cls, path: str | Path) -> SupportSet:
        """Read a file that :meth:`save` wrote.

        Raises:
            InputError: Missing, corrupt, too large, of a newer version, or something else than a support set.
        """
        return cls(*read_examples(path))
