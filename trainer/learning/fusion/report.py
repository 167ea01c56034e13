"""Fitted weights as a table, as JSON, and as the lines to put into ``segmentation/propagation/guided/fusion.py``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from UniverSegSlicerLib.segmentation.propagation.guided.fusion import Weights
from UniverSegSlicerLib.writing import write_whole

from ..report import markdown_table, write_csv
from .evidence import PLACED, SITUATIONS
from .fit import METHODS, FusionScore

_DIGITS = 3


def python_lines(weights: Mapping[str, Weights]) -> str:
    """Assignments as in ``segmentation/propagation/guided/fusion.py``; values that are the default are left out."""
    lines = []
    for name, values in weights.items():
        rounded = _rounded(values)
        given = [f"{part.name}={rounded[part.name]}" for part in fields(Weights) if rounded[part.name] != part.default]
        text, width = "", 0
        for item in given:
            if width + len(item) + 2 > 114:
                text, width = text + "\n   ", 0
            text, width = f"{text} {item},", width + len(item) + 2
        lines.append(f"{name.upper().replace(' ', '_')} = Weights(\n   {text}\n)  # fmt: skip")
    return "\n".join(lines)


def validation_tables(scores: Sequence[FusionScore]) -> str:
    """Mean Dice with weights from the other data sets, in Markdown; then the cross entropy."""
    if not scores:
        return "One data set alone: nothing can be left out, so there is no validation.\n"
    parts = []
    for title, value, by_set in (
        ("Dice, mean over cases; the weights are from the other data sets", "dice", False),
        ("The same, mean over data sets of their means", "dice", True),
        ("Cross entropy of a pixel (less is better), mean over data sets of their means", "entropy", True),
    ):
        rows = []
        for situation in ("all", *SITUATIONS):
            for placement, marks in PLACED:
                some = [s for s in scores if (s.placement, s.marks) == (placement, marks) and s.situation == situation]
                if not some:
                    continue
                cells = [
                    f"{_mean(some, method, value, by_set):.{_DIGITS + (value == 'entropy')}f}" for method in METHODS
                ]
                where = {"all": "all slices"}.get(situation, situation)
                shown = (
                    f"{marks} mark{'s' if marks > 1 else ''}{'' if placement == 'even' else f', {placement}'}: {where}"
                )
                rows.append([shown, str(len([s for s in some if s.method == METHODS[0]])), *cells])
        parts.append(f"{title}:\n\n{markdown_table(['marks and slices', 'cases', *METHODS], rows)}")
    return "\n".join(parts)


def write_fusion(
    folder: Path, weights: Mapping[str, Weights], scores: Sequence[FusionScore], facts: Mapping[str, Any]
) -> str:
    """Write ``weights.json``, ``validation.csv`` and ``fusion.md``, and give the text of the last one."""
    write_csv(folder / "validation.csv", [asdict(row) for row in scores])
    values = {name: _rounded(one) for name, one in weights.items()}
    write_whole(folder / "weights.json", json.dumps({**facts, "weights": values}, indent=2) + "\n")
    lines = f"For segmentation/propagation/guided/fusion.py:\n\n```python\n{python_lines(weights)}\n```\n"
    text = f"{validation_tables(scores)}\n{lines}"
    write_whole(folder / "fusion.md", text)
    return text


def _mean(scores: Sequence[FusionScore], method: str, value: str, by_set: bool) -> float:
    groups: dict[str, list[float]] = {}
    for row in scores:
        if row.method == method:
            groups.setdefault(row.dataset if by_set else "", []).append(getattr(row, value))
    return float(np.mean([np.mean(values) for values in groups.values()]))


def _rounded(weights: Weights) -> dict[str, Any]:
    # The sum with 0.0 turns -0.0 into 0.0.
    return {
        name: tuple(round(v, _DIGITS) + 0.0 for v in value) if isinstance(value, tuple) else round(value, _DIGITS) + 0.0
        for name, value in vars(weights).items()
    }
