"""``universeg-slicer demo``: the main job on a real MR volume, scored against what is known about it."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from .. import __version__
from ..files import write_label_map
from ..imaging import array_axis, slice_stack
from ..progress import sub_progress
from .bench.baselines import copy_nearest, interpolate_shapes
from .bench.scores import dice_of_labels, dice_of_masks
from .common.console import print_json, print_table, progress_bar, say
from .common.network import NetworkChoice, choosing_network
from .common.options import JsonOption, SeedOption
from .common.outputs import check_new_folder, filling_folder, write_json
from .common.pictures import draw_result
from .demo_data import NAMES, DemoData, load_demo_data, spread_marks
from .demo_files import write_inputs

if TYPE_CHECKING:
    from ..segmentation import Propagation

#: Coronal slices: each structure is on several of five evenly spaced ones.
_AXIS = "j"
_READING = 0.1  # share of the progress bar


@choosing_network
def demo(
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to fill.")] = Path("demo"),
    marks: Annotated[int, typer.Option(min=1, max=20, help="How many slices are marked.")] = 5,
    network: NetworkChoice,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Segment a real brain from a few marked slices, and score the result on all the others.

    The volume is the ICBM-152 average T1, and the marks come from the tissue maps that belong to it; both are inside
    the package nilearn, so nothing is downloaded. DIR gets segmentation.nii.gz, preview.png and report.json, and the
    files that the README's other commands read: brain.nii.gz, marks.nii.gz, next.nii.gz (the same brain, turned and
    stretched), and slices as pictures in pictures and new.

    Example: universeg-slicer demo --output demo
    """
    from ..segmentation import PropagationSettings, propagate

    check_new_folder(output)
    with progress_bar("Demo") as report:
        report(0.0, "reading the volume")
        data = load_demo_data()
        marked = spread_marks(data.truth, _AXIS, marks)
        marked_only = np.zeros_like(data.truth)
        slice_stack(marked_only, _AXIS)[marked] = slice_stack(data.truth, _AXIS)[marked]
        model = network.open()
        result = propagate(
            data.volume,
            marked_only,
            model=model,
            axis=_AXIS,
            marked_indices=marked,
            settings=PropagationSettings(seed=seed),
            confidence=False,
            progress=sub_progress(report, _READING, 1.0),
        )
    content = _report(data, marked_only, result)
    title = f"ICBM-152 T1, {len(marked)} marked slices: {result.model}, {result.seconds:.0f} s on {result.device}"
    with filling_folder(output) as beside:
        write_label_map(beside / "segmentation.nii.gz", result.labels, data.volume.geometry)
        draw_result(
            beside / "preview.png",
            data.volume,
            marked_only,
            result,
            names=NAMES,
            title=title,
            truth=data.truth,
            columns=9,
        )
        write_json(beside / "report.json", content)
        write_inputs(beside, data, marked_only)
    if as_json:
        print_json(content)
    else:
        _say(content, output)


def _report(data: DemoData, marks: np.ndarray, result: Propagation) -> dict[str, Any]:
    axis, marked = result.axis, list(result.marked)
    result_dice = dice_of_labels(result.labels, data.truth, NAMES, axis=axis, without=marked)
    copied = dice_of_labels(copy_nearest(marks, axis, marked), data.truth, NAMES, axis=axis, without=marked)
    interpolated = {
        value: dice_of_masks(interpolate_shapes(marks == value, axis, marked), data.truth == value, axis, marked)
        for value in NAMES
    }
    scores = {"dice": result_dice, "dice_copy_nearest": copied, "dice_shape_interpolation": interpolated}
    structures = {
        NAMES[value]: {name: round(by_value[value], 4) for name, by_value in scores.items()} for value in NAMES
    }
    mean = {name: round(float(np.mean(list(by_value.values()))), 4) for name, by_value in scores.items()}
    return {
        "volume": "ICBM-152 2009a nonlinear symmetric average T1, 1 mm, as packaged in nilearn",
        "size": list(data.volume.geometry.size),
        "axis": axis,
        "marked": marked,
        "scored_slices": int(data.truth.shape[array_axis(axis)]) - len(marked),
        "structures": structures,
        "mean": mean,
        "seconds": round(result.seconds, 2),
        "model": result.model,
        "strategy": result.strategy,
        "device": result.device,
        "versions": {
            "universegslicer": __version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("torch", "numpy", "SimpleITK", "nilearn")},
        },
    }


def _say(content: dict[str, Any], output: Path) -> None:
    columns = ("structure", "Dice", "nearest slice copied", "shapes interpolated")
    rows = [
        (name, *(f"{scores[key]:.3f}" for key in ("dice", "dice_copy_nearest", "dice_shape_interpolation")))
        for name, scores in {**content["structures"], "mean": content["mean"]}.items()
    ]
    places = ", ".join(f"{content['axis']}:{index}" for index in content["marked"])
    print_table(f"Dice on the {content['scored_slices']} slices that were not marked", columns, rows, right=columns[1:])
    say(
        f"Marked: {places}. {content['seconds']:.1f} s with the model {content['model']} on {content['device']} "
        f"(strategy {content['strategy']})."
    )
    say(f"Look at {output / 'preview.png'}; the label map is {output / 'segmentation.nii.gz'}.")
    say(f"The commands of the README run in this folder: cd {output}")
