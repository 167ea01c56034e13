"""Cut-outs of a case: axial, coronal and sagittal through its structures, with outlines that can be switched off."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...imaging import IntensityWindow, Volume

#: Pixels per side of a cut-out, and its quality as WebP.
SIDE, _QUALITY = 208, 72
# Margin around the structures, as a share of their longest side, and at least so many mm.
_MARGIN, _LEAST_MM = 0.45, 12.0
# Points of an outline beyond which every second one is left out, again and again.
_MOST_POINTS = 400
#: Names of the views, by the axis of the (S, P, L) array that they cut across.
VIEWS = ("axial", "coronal", "sagittal")


def cuts_of(volume: Volume, labels: np.ndarray, values: Sequence[int]) -> str:
    """JSON of the cut-outs: ``image``, a WebP of the three side by side, and ``outlines``, a path per view and label.

    They are shown as radiologists do: the patient's left is on the right, front and head are up.

    Args:
        volume: The scan.
        labels: (K, J, I) its label map.
        values: Labels to outline.
    """
    from PIL import Image

    window = IntensityWindow.of(volume.array)
    scan, spacing = _oriented(volume.array, volume)
    found, _ = _oriented(labels, volume)
    whole = Image.new("L", (len(VIEWS) * SIDE, SIDE))
    outlines: list[dict[str, str]] = []
    for axis in range(len(VIEWS)):
        plane = [a for a in range(3) if a != axis]
        areas = (found != 0).sum(axis=tuple(plane))
        index = int(areas.argmax()) if areas.any() else len(areas) // 2
        pixels, drawn = (_upright(np.take(array, index, axis), axis) for array in (scan, found))
        shadow = _upright((found != 0).any(axis=axis), axis)
        row_mm, col_mm = (spacing[a] for a in plane)
        start, side = _square(shadow, row_mm, col_mm)
        whole.paste(_cut(window.apply(pixels), start, side, row_mm, col_mm), (axis * SIDE, 0))
        outlines.append({str(v): _outline(drawn == v, start, side, row_mm, col_mm) for v in values})
    stream = io.BytesIO()
    whole.save(stream, "WEBP", quality=_QUALITY, method=4)
    coded = base64.b64encode(stream.getvalue()).decode()
    return json.dumps({"image": f"data:image/webp;base64,{coded}", "outlines": outlines})


def _oriented(array: np.ndarray, volume: Volume) -> tuple[np.ndarray, tuple[float, ...]]:
    """The array with its axes along S, P and L as nearly as they lie, rising that way; and their spacings."""
    matrix = volume.geometry.matrix
    order: list[int] = []
    for world in (2, 1, 0):
        free = [a for a in range(3) if a not in order]
        order.append(max(free, key=lambda a: abs(matrix[world, a])))
    turned = array.transpose([2 - a for a in order])
    flips = tuple(slice(None, None, -1 if matrix[w, a] < 0 else 1) for w, a in zip((2, 1, 0), order, strict=True))
    return turned[flips], tuple(volume.geometry.spacing[a] for a in order)


def _upright(plane: np.ndarray, axis: int) -> np.ndarray:
    """The head, which is at the end of S, up; in an axial plane the front, the beginning of P, is up already."""
    return plane if axis == 0 else plane[::-1]


def _square(shadow: np.ndarray, row_mm: float, col_mm: float) -> tuple[tuple[float, float], float]:
    """The corner (row, col) in mm and the side in mm of the square that is shown."""
    places = np.argwhere(shadow)
    ends = np.array([[0, 0], shadow.shape]) if not len(places) else np.array([places.min(0), places.max(0) + 1])
    low, high = ends * (row_mm, col_mm)
    longest = float((high - low).max())
    side = longest if not len(places) else longest + 2 * max(_LEAST_MM, _MARGIN * longest)
    side = min(side, max(shadow.shape[0] * row_mm, shadow.shape[1] * col_mm))
    size = np.array(shadow.shape) * (row_mm, col_mm)
    corner = (low + high) / 2 - side / 2
    # Not beyond the scan where there is enough of it.
    corner = np.where(size >= side, np.clip(corner, 0, np.maximum(size - side, 0)), (size - side) / 2)
    return (float(corner[0]), float(corner[1])), side


def _cut(pixels: np.ndarray, start: tuple[float, float], side: float, row_mm: float, col_mm: float) -> Any:
    """The square as a picture of ``SIDE`` pixels, black beyond the scan."""
    from PIL import Image

    box = (start[1] / col_mm, start[0] / row_mm, (start[1] + side) / col_mm, (start[0] + side) / row_mm)
    before = [max(0, int(np.ceil(-edge))) for edge in (box[1], box[0])]
    after = [max(0, int(np.ceil(edge - n))) for edge, n in zip((box[3], box[2]), pixels.shape, strict=True)]
    padded = np.pad(pixels, list(zip(before, after, strict=True)))
    image = Image.fromarray(np.round(255 * padded).astype(np.uint8))
    moved = (box[0] + before[1], box[1] + before[0], box[2] + before[1], box[3] + before[0])
    limits = (0, 0, image.width, image.height)
    left, top, right, bottom = (float(np.clip(edge, limits[n % 2], limits[2 + n % 2])) for n, edge in enumerate(moved))
    return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, right, bottom))


def _outline(mask: np.ndarray, start: tuple[float, float], side: float, row_mm: float, col_mm: float) -> str:
    """The border of a mask as an SVG path in the cut-out's pixels; empty where there is nothing."""
    if not mask.any():
        return ""
    from contourpy import contour_generator

    # Contours close on a rim of background.
    lines = contour_generator(z=np.pad(mask.astype(np.float32), 1)).lines(0.5)
    path = []
    for line in lines:
        points = np.asarray(line)
        while len(points) > _MOST_POINTS:
            points = points[::2]
        x = ((points[:, 0] - 0.5) * col_mm - start[1]) / side * SIDE
        y = ((points[:, 1] - 0.5) * row_mm - start[0]) / side * SIDE
        path.append("M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)) + "Z")
    return "".join(path)
