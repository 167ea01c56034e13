"""Pictures of a result: slices side by side with the labels as coloured areas, through matplotlib without a window."""

from __future__ import annotations

import colorsys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...imaging import Geometry, IntensityWindow, Volume, array_axis, slice_spacing, take_slice
from ...writing import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...segmentation import Propagation

#: One colour for each label in turn (Okabe and Ito's, told apart by colour-blind eyes too).
COLOURS = ("#E69F00", "#56B4E9", "#D55E00", "#009E73", "#F0E442", "#CC79A7", "#0072B2")
_BACKGROUND, _INK, _QUIET = "#14181f", "#e8ecf2", "#8b95a5"
_DOTS_PER_INCH = 110
# Inches that an entry of the legend takes beside its name, a letter of it, and a line.
_SWATCH, _LETTER, _LINE = 0.75, 0.085, 0.2
_GOLDEN = 0.61803398875


@dataclass(frozen=True)
class Row:
    """One row of a picture: a label map drawn over every column's slice.

    Attributes:
        title: Stands at the left.
        labels: (K, J, I).
        only: Slices that show their labels in this row; None: all.
    """

    title: str
    labels: np.ndarray
    only: frozenset[int] | None = None


@dataclass(frozen=True)
class View:
    """How a slice array is turned so that it lies as radiologists expect it.

    Up is superior, or anterior on axial slices; right is the patient's left, or posterior on sagittal slices.

    Attributes:
        transpose: Swap rows and columns first.
        flip_rows, flip_cols: Then reverse these.
    """

    transpose: bool
    flip_rows: bool
    flip_cols: bool

    @classmethod
    def of(cls, geometry: Geometry, axis: str) -> View:
        """The view of slices along ``axis`` of a volume; an oblique axis counts as the nearest straight one."""
        matrix = geometry.matrix  # columns I, J, K in LPS
        row_axis, col_axis = (matrix[:, 2 - a] for a in range(3) if a != array_axis(axis))
        row_world, col_world = int(np.abs(row_axis).argmax()), int(np.abs(col_axis).argmax())
        # Down the page: S if it is in the plane, else P. A lower world axis (L, P, S) belongs across.
        transpose = row_world < col_world
        if transpose:
            row_axis, col_axis, row_world, col_world = col_axis, row_axis, col_world, row_world
        down_is_negative = row_world == 2  # superior is up, so S falls down the page; L and P rise along it
        return cls(transpose, bool((row_axis[row_world] > 0) == down_is_negative), bool(col_axis[col_world] < 0))

    def turn(self, pixels: np.ndarray) -> np.ndarray:
        """The slice (rows, cols) as it is drawn."""
        turned = pixels.T if self.transpose else pixels
        return turned[:: -1 if self.flip_rows else 1, :: -1 if self.flip_cols else 1]


def colour_of(number: int) -> str:
    """A colour for each label in turn: the ones above, then hues as far apart as can be, in three shades."""
    if number < len(COLOURS):
        return COLOURS[number]
    further = number - len(COLOURS)
    shade = ((0.9, 0.95), (0.55, 1.0), (0.95, 0.6))[further % 3]
    red, green, blue = colorsys.hsv_to_rgb(further * _GOLDEN % 1.0, *shade)
    return f"#{round(255 * red):02X}{round(255 * green):02X}{round(255 * blue):02X}"


def shorten(name: str, inches: float) -> str:
    """A name that fits into one line of a picture, its middle left out where it is longer."""
    most = max(8, int((inches - _SWATCH) / _LETTER))
    return name if len(name) <= most else f"{name[: most // 2]}...{name[-(most // 2 - 3) :]}"


def draw_slices(
    path: str | Path,
    volume: Volume,
    axis: str,
    rows: Sequence[Row],
    *,
    marked: Sequence[int],
    names: Mapping[int, str],
    title: str,
    columns: int = 7,
) -> None:
    """Write a PNG with a column for each of several slices, marked and unmarked ones, and a row for each label map.

    Args:
        path: The PNG, written whole or not at all.
        volume: The image.
        axis: "i", "j" or "k".
        rows: Label maps on the volume's grid.
        marked: Indices of the marked slices; their columns are titled so.
        names: Of the label values, for the legend; values without one are shown as numbers.
        title: Above everything.
        columns: At most so many slices.

    Raises:
        OutputError: The file cannot be written.
    """
    shown = choose_slices(rows[-1].labels, axis, marked, columns)
    box = _box_of(rows, axis)
    view, window = View.of(volume.geometry, axis), IntensityWindow.of(volume.array)
    row_mm, col_mm = slice_spacing(volume.geometry, axis)
    aspect = col_mm / row_mm if view.transpose else row_mm / col_mm
    values = sorted({int(v) for row in rows for v in np.unique(row.labels)} - {0})
    colours = {value: colour_of(number) for number, value in enumerate(values)}
    first = view.turn(take_slice(volume.array, axis, shown[0])[box])
    height_of_width = first.shape[0] * aspect / first.shape[1]
    cell = 1.75

    figure = _figure((cell * len(shown) + 0.9, cell * height_of_width * len(rows) + 0.95))
    grid = figure.subplots(len(rows), len(shown), squeeze=False)
    for row, cells in zip(rows, grid, strict=True):
        for index, axes in zip(shown, cells, strict=True):
            image = window.apply(take_slice(volume.array, axis, index)[box])
            _show(axes, view.turn(image), aspect)
            if row.only is None or index in row.only:
                _overlay(axes, view.turn(take_slice(row.labels, axis, index)[box]), colours)
        cells[0].set_ylabel(row.title, color=_INK, fontsize=10)
    for index, axes in zip(shown, grid[0], strict=True):
        is_marked = index in set(marked)
        axes.set_title(
            f"{axis}:{index}" + (" marked" if is_marked else ""), color=COLOURS[0] if is_marked else _QUIET, fontsize=9
        )
    _finish(figure, path, title, [(names.get(v, f"label {v}"), c) for v, c in colours.items()])


def draw_examples(
    path: str | Path,
    images: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    titles: Sequence[str],
    *,
    spacings: Sequence[tuple[float, float]],
    names: Mapping[int, str],
    title: str,
    columns: int = 6,
) -> None:
    """Write a PNG with one cell for each pair of a 2D image (rows, cols; [0, 1]) and its label map.

    Raises:
        OutputError: The file cannot be written.
    """
    values = sorted({int(v) for pixels in labels for v in np.unique(pixels)} - {0})
    colours = {value: colour_of(number) for number, value in enumerate(values)}
    columns = min(columns, len(images))
    lines = -(-len(images) // columns)
    figure = _figure((2.1 * columns + 0.3, 2.3 * lines + 0.95))
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid[len(images) :]:
        axes.set_visible(False)
    for axes, image, label, text, (row_mm, col_mm) in zip(grid, images, labels, titles, spacings, strict=False):
        _show(axes, image, row_mm / col_mm)
        _overlay(axes, label, colours)
        axes.set_title(text, color=_QUIET, fontsize=8)
    _finish(figure, path, title, [(names.get(v, f"label {v}"), c) for v, c in colours.items()])


def draw_result(
    path: Path,
    image: Volume,
    marks: np.ndarray | None,
    result: Propagation,
    *,
    names: dict[int, str],
    title: str,
    truth: np.ndarray | None = None,
    columns: int = 7,
) -> None:
    """Draw marks, result and truth (as far as they are there) one below the other; see ``draw_slices``."""
    rows = [Row("result", result.labels)]
    if marks is not None:
        rows.insert(0, Row("marked", marks, frozenset(result.marked)))
    if truth is not None:
        rows.append(Row("truth", truth))
    draw_slices(path, image, result.axis, rows, marked=result.marked, names=names, title=title, columns=columns)


def choose_slices(labels: np.ndarray, axis: str, marked: Sequence[int], columns: int) -> list[int]:
    """Indices of at most ``columns`` slices, in order: marked ones, and those farthest from all of these.

    Unmarked slices come from the range that ``labels`` (K, J, I) fills.
    """
    used = np.flatnonzero(labels.any(axis=tuple(a for a in range(3) if a != array_axis(axis))))
    chosen = sorted(marked)
    most = columns - columns // 2 if used.size > len(chosen) else columns
    if len(chosen) > most:
        chosen = [chosen[i] for i in np.linspace(0, len(chosen) - 1, most).round().astype(int)]
    candidates = [int(index) for index in used if index not in set(marked)]
    if not chosen and not candidates:
        return [labels.shape[array_axis(axis)] // 2]
    apart_from = list(marked)
    while candidates and len(chosen) < columns:
        farthest = max(candidates, key=lambda index: min((abs(index - other) for other in apart_from), default=0))
        chosen.append(farthest)
        apart_from.append(farthest)
        candidates.remove(farthest)
    return sorted(chosen)


def _box_of(rows: Sequence[Row], axis: str) -> tuple[slice, slice]:
    """The part of a slice that labels reach, with a tenth of the slice around it; all of it where there are none."""
    axis_number = array_axis(axis)
    flat = np.any([np.any(row.labels, axis=axis_number) for row in rows], axis=0)
    parts = []
    for number, size in enumerate(flat.shape):
        used = np.flatnonzero(flat.any(axis=1 - number))
        margin = size // 10 + 1
        start, stop = (used[0] - margin, used[-1] + 1 + margin) if used.size else (0, size)
        parts.append(slice(max(0, int(start)), min(size, int(stop))))
    return parts[0], parts[1]


def _figure(inches: tuple[float, float]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Made without pyplot: no global state, no window system, whatever the user's matplotlib is set to.
    figure = Figure(figsize=inches, dpi=_DOTS_PER_INCH, facecolor=_BACKGROUND, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _show(axes: Axes, image: np.ndarray, aspect: float) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, aspect=aspect, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _overlay(axes: Axes, labels: np.ndarray, colours: Mapping[int, str]) -> None:
    from matplotlib.colors import to_rgb

    area = np.zeros((*labels.shape, 4))
    for value, colour in colours.items():
        area[labels == value] = (*to_rgb(colour), 0.30)
    axes.imshow(area, aspect=axes.get_aspect(), interpolation="nearest")
    for value, colour in _contoured(labels, colours):
        axes.contour(labels == value, levels=[0.5], colors=[colour], linewidths=0.9)


def _contoured(labels: np.ndarray, colours: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    for value, colour in colours.items():
        present = labels == value
        if present.any() and not present.all() and min(labels.shape) > 1:
            yield value, colour


def _finish(figure: Figure, path: str | Path, title: str, legend: Sequence[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    figure.suptitle(title, color=_INK, fontsize=11, x=0.01, ha="left")
    if legend:
        names = [shorten(name, figure.get_figwidth()) for name, _ in legend]
        columns = max(1, int(figure.get_figwidth() / (_SWATCH + _LETTER * max(map(len, names)))))
        # What the rows of the legend need is added to the picture, and not taken from the slices.
        figure.set_figheight(figure.get_figheight() + _LINE * (-(-len(names) // columns) - 1))
        figure.legend(
            handles=[Patch(facecolor=colour, label=name) for name, (_, colour) in zip(names, legend, strict=True)],
            loc="outside lower center",
            ncols=min(columns, len(names)),
            frameon=False,
            labelcolor=_INK,
            fontsize=9,
        )
    with replacing(path, ".png") as beside, warnings.catch_warnings():
        # Letters that the font lacks are drawn as boxes; the user can do nothing about it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(beside, format="png", facecolor=_BACKGROUND, metadata={"Software": None})
