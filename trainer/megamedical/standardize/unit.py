"""One unit of work: a few cases read, standardised and kept in one file, so that a killed run can go on."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from UniverSegSlicerLib.errors import DependencyError, InputError, UniverSegError
from UniverSegSlicerLib.writing import write_whole

from ..index import Case
from ..readers import read_case
from ..sample import Sample
from .intensity import to_unit
from .resample import to_isotropic
from .resize import area_of_pixel, frame_of, resize_image, resize_masks
from .slices import choose_slices, take_image, take_masks


@dataclass
class UnitResult:
    """What came out of some cases: rows of the two tables, pictures and masks per resolution, and what went wrong.

    ``masks[..]["image"]`` counts the images of this unit from 0.
    """

    images: list[dict[str, Any]] = field(default_factory=list)
    masks: list[dict[str, Any]] = field(default_factory=list)
    pixels: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    bits: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write everything to one file, atomically; the bytes depend on the content alone."""
        buffer = io.BytesIO()
        tables = {"images": self.images, "masks": self.masks, "failures": self.failures, "notes": self.notes}
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_entry("tables.json"), json.dumps(tables))
            for name, arrays in (("pixels", self.pixels), ("bits", self.bits)):
                for resolution, array in arrays.items():
                    npy = io.BytesIO()
                    np.save(npy, array, allow_pickle=False)
                    archive.writestr(_entry(f"{name}{resolution}.npy"), npy.getvalue())
        write_whole(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> UnitResult:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: The file is damaged.
        """
        result = cls()
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
                if damaged:
                    raise InputError(f"{path}: the part {damaged} is damaged.")
                tables = json.loads(archive.read("tables.json"))
                result.images, result.masks = tables["images"], tables["masks"]
                result.failures, result.notes = tables["failures"], tables["notes"]
                for name in archive.namelist():
                    for kind, target in (("pixels", result.pixels), ("bits", result.bits)):
                        if name.startswith(kind):
                            array = np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
                            target[int(name[len(kind) : -4])] = array
        except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
            raise InputError(f"{path} is damaged ({error}).") from error
        return result


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))


def process(cases: Sequence[Case], resolutions: Sequence[int]) -> UnitResult:
    """Read and standardise some cases; a case that fails is reported in ``failures`` and left out as a whole.

    Raises:
        DependencyError: A package that the files need is not installed.
    """
    result = UnitResult()
    pixels: dict[int, list[NDArray[np.uint8]]] = {r: [] for r in resolutions}
    bits: dict[int, list[NDArray[np.uint8]]] = {r: [] for r in resolutions}
    for case in cases:
        part = _Part(resolutions)
        try:
            for sample in read_case(case):
                part.add(sample, case)
        except DependencyError:
            raise
        except (UniverSegError, MemoryError) as error:
            result.failures.append({"case": f"{case.group.name}/{case.name}", "reason": str(error)})
            continue
        offset = len(result.images)
        result.images.extend(part.images)
        result.masks.extend({**row, "image": row["image"] + offset} for row in part.masks)
        result.notes.extend(note for note in part.notes if note not in result.notes)
        for r in resolutions:
            pixels[r].extend(part.pixels[r])
            bits[r].extend(part.bits[r])
    for r in resolutions:
        result.pixels[r] = np.stack(pixels[r]) if pixels[r] else np.zeros((0, r, r), np.uint8)
        result.bits[r] = np.concatenate(bits[r]) if bits[r] else np.zeros((0, r * r // 8), np.uint8)
    return result


class _Part:
    """The rows of one case while it is read."""

    def __init__(self, resolutions: Sequence[int]) -> None:
        self.resolutions = resolutions
        self.images: list[dict[str, Any]] = []
        self.masks: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.pixels: dict[int, list[NDArray[np.uint8]]] = {r: [] for r in resolutions}
        self.bits: dict[int, list[NDArray[np.uint8]]] = {r: [] for r in resolutions}

    def add(self, sample: Sample, case: Case) -> None:
        """Standardise one sample."""
        self.notes.extend(sample.notes)
        group = case.group
        standard = to_isotropic(sample, group.resample_mm)
        unit = to_unit(standard.image, group.intensity)
        axes = group.axes
        labels = sample.masks.labels
        for chosen in choose_slices(standard, axes, sample.spacing):
            image = take_image(unit, chosen)
            masks = take_masks(standard, chosen)
            row = len(self.images)
            spacing = _plane(standard.spacing, chosen.axis, image.ndim)
            pixel = area_of_pixel(frame_of(image.shape, spacing, self.resolutions[0]))
            self.images.append(
                {
                    "subject": sample.subject,
                    "name": sample.name,
                    "group": group.name,
                    "modality": sample.modality,
                    "axis": chosen.axis,
                    "slicing": chosen.slicing,
                    "slice_index": chosen.index,
                    "rows": image.shape[0],
                    "cols": image.shape[1],
                    "spacing_row": spacing[0],
                    "spacing_col": spacing[1],
                    "official_split": sample.official_split,
                }
            )
            stack = np.stack(list(masks.values())) if masks else np.zeros((0, *image.shape), bool)
            for position, mask in masks.items():
                self.masks.append(
                    {
                        "image": row,
                        "label": labels[position].value,
                        "label_name": labels[position].name,
                        "area": float(np.count_nonzero(mask) * pixel),
                        "largest": position in chosen.largest,
                    }
                )
            for r in self.resolutions:
                self.pixels[r].append(resize_image(image, spacing, r))
                self.bits[r].append(np.packbits(resize_masks(stack, spacing, r).reshape(len(stack), r * r), axis=1))


def _plane(spacing: tuple[float, ...], axis: int, dims: int) -> tuple[float, float]:
    rest = spacing if len(spacing) == dims else spacing[:axis] + spacing[axis + 1 :]
    return float(rest[0]), float(rest[1])
