"""How the tasks of a store are spread: a sunburst (modality, data set) or bars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.writing import replacing

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("sunburst", "bars")

#: Wedges below this share of the circle carry no name; the names would overlap.
_LEAST_NAMED = 0.007


def draw_tasks(tasks: pd.DataFrame, path: str | Path, kind: str = "sunburst") -> Path:
    """Draw the table of :func:`.task_index.list_tasks`; the suffix of ``path`` decides the format.

    Raises:
        InputError: There is no task, or the kind is unknown.
        OutputError: The file cannot be written.
    """
    if kind not in KINDS:
        raise InputError(f"kind is {kind!r}; choose one of {', '.join(KINDS)}.")
    if tasks.empty:
        raise InputError("There is no task to draw: the filter leaves none.")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    path = Path(path)
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(f"The picture {path} must end in .png, .svg or .pdf.")
    counts = tasks.groupby(["family", "dataset"]).size()
    families = counts.groupby("family").sum().sort_values(ascending=False)
    figure = _sunburst(pyplot, counts, families) if kind == "sunburst" else _bars(pyplot, counts, families)
    try:
        with replacing(path) as beside:
            figure.savefig(beside, dpi=130, bbox_inches="tight", format=path.suffix[1:].lower())
    finally:
        pyplot.close(figure)
    return path


def _colours(pyplot: Any, families: pd.Series) -> dict[str, Any]:
    palette = pyplot.get_cmap("tab10")
    return {name: palette(index % 10) for index, name in enumerate(families.index)}


def _sunburst(pyplot: Any, counts: pd.Series, families: pd.Series) -> Any:
    figure, axis = pyplot.subplots(figsize=(12, 12), subplot_kw={"projection": "polar"})
    axis.set_axis_off()
    axis.set_theta_zero_location("N")
    axis.set_theta_direction(-1)
    total = int(families.sum())
    colours = _colours(pyplot, families)
    start = 0.0
    for name, count in families.items():
        share = count / total
        _wedge(axis, start, share, 0.9, 0.9, colours[str(name)], f"{name}\n{count}", inner=True)
        inner = start
        own = counts[name].sort_values(ascending=False)
        for turn, (dataset, number) in enumerate(own.items()):
            colour = np.array(colours[str(name)])
            colour[:3] = colour[:3] + (1 - colour[:3]) * (0.25 if turn % 2 else 0.45)
            _wedge(axis, inner, number / total, 1.8, 0.8, colour, f"{dataset}  {number}", inner=False)
            inner += number / total
        start += share
    _legend(pyplot, axis, families, colours, loc="lower left", bbox_to_anchor=(0.0, 0.0))
    axis.text(0, 0, f"{total}\ntasks", ha="center", va="center", fontsize=22)
    axis.set_ylim(0, 3.6)
    return figure


def _wedge(
    axis: Any, start: float, share: float, bottom: float, height: float, colour: Any, text: str, *, inner: bool
) -> None:
    middle, width = 2 * np.pi * (start + share / 2), 2 * np.pi * share
    axis.bar(
        middle, height, width=width, bottom=bottom, color=colour, edgecolor="white", linewidth=min(0.8, 150 * share)
    )
    if share < (0.02 if inner else _LEAST_NAMED):
        return
    angle = 90 - np.degrees(middle) % 360
    turned = angle if -90 <= angle <= 90 else angle + 180
    if inner:
        axis.text(middle, bottom + height / 2, text, ha="center", va="center", fontsize=10,
                  rotation=0 if share > 0.08 else turned, rotation_mode="anchor")  # fmt: skip
    else:
        side = "left" if -90 <= angle <= 90 else "right"
        axis.text(middle, bottom + height + 0.06, text, ha=side, va="center", fontsize=8,
                  rotation=turned, rotation_mode="anchor")  # fmt: skip


def _bars(pyplot: Any, counts: pd.Series, families: pd.Series) -> Any:
    names: list[str] = []
    numbers: list[int] = []
    colours = _colours(pyplot, families)
    shades: list[Any] = []
    for family in families.index:
        for dataset, number in counts[family].sort_values(ascending=False).items():
            names.append(str(dataset))
            numbers.append(int(number))
            shades.append(colours[str(family)])
    figure, axis = pyplot.subplots(figsize=(9, 0.17 * len(names) + 1.2))
    axis.barh(range(len(names)), numbers, color=shades)
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xscale("log")
    axis.set_xlim(left=0.5)
    axis.set_xlabel("tasks (logarithmic)")
    for index, number in enumerate(numbers):
        axis.text(number * 1.04, index, str(number), va="center", fontsize=6)
    _legend(pyplot, axis, families, colours, loc="lower right")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    return figure


def _legend(pyplot: Any, axis: Any, families: pd.Series, colours: dict[str, Any], **place: Any) -> None:
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=colours[str(name)]) for name in families.index]
    axis.legend(handles, [f"{name} ({count})" for name, count in families.items()], fontsize=9, **place)
