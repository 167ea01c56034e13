"""``universeg-slicer bench volume``: how long a whole volume takes, and how much memory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
import typer

from ...errors import InputError
from ...imaging import Geometry, Volume
from ..common.console import print_json, progress_bar, say
from ..common.network import DeviceOption, ModelOption, NetworkChoice
from ..common.options import JsonOption


@dataclass(frozen=True)
class VolumeTiming:
    """What one volume took.

    Attributes:
        size: Voxels along I, J, K.
        marks: Marked slices.
        strategy: How it was segmented.
        device: Where the network computed.
        threads: Threads of the CPU.
        seconds: From marks to label map.
        extra_bytes: Peak memory beyond that before; None where it cannot be measured.
        dice: On the unmarked slices, to show that the work was done.
    """

    size: tuple[int, int, int]
    marks: int
    strategy: str
    device: str
    threads: int
    seconds: float
    extra_bytes: int | None
    dice: float


def measure_volume(
    size: tuple[int, int, int], marks: int, *, model: str = "default", device: str = "auto", threads: int = 2
) -> VolumeTiming:
    """Segment a made-up volume: a bent body through nine tenths of the slices, in noise.

    Args:
        size: Voxels along I, J, K; K is the slice axis.
        marks: Slices marked, evenly over the body.
        model: Name or path.
        device: Where to compute.
        threads: Of the CPU, for torch and SimpleITK.
    """
    import torch

    from ...files.labelled_scans import place_marks
    from ...segmentation import propagate
    from .peak_memory import PeakMemory
    from .quality.work import limit_threads
    from .scores import dice_of_masks

    limit_threads(threads)
    image, truth = _body(size)
    present = np.flatnonzero(truth.any(axis=(1, 2)))
    marked = place_marks(present, marks, "even")
    if marked is None:
        raise InputError(f"{marks} marks on {len(present)} slices with the body leave nothing to segment.")
    drawn = np.zeros(truth.shape, np.uint16)
    drawn[list(marked)] = truth[list(marked)]
    network = NetworkChoice(model, device).open()
    peak = PeakMemory(torch.device(network.device))
    with progress_bar("Segmenting") as report:
        result = propagate(image, drawn, model=network, axis="k", progress=report)
    extra = peak.extra_bytes()
    dice = dice_of_masks(result.labels > 0, truth, "k", marked)
    return VolumeTiming(size, marks, result.strategy, result.device, threads, result.seconds, extra, dice)


def _body(size: tuple[int, int, int]) -> tuple[Volume, np.ndarray]:
    """An image, and the body (K, J, I) in it: an ellipse that moves and changes from slice to slice."""
    cols, rows, count = size
    truth = np.zeros((count, rows, cols), bool)
    j, i = np.ogrid[:rows, :cols]
    for k in range(round(0.05 * count), round(0.95 * count)):
        turn = 2 * np.pi * k / count
        row, col = rows * (0.5 + 0.1 * np.sin(turn)), cols * (0.5 + 0.1 * np.cos(turn))
        width = 0.15 + 0.05 * np.sin(3 * turn)
        truth[k] = ((j - row) / (width * rows)) ** 2 + ((i - col) / (0.2 * cols)) ** 2 < 1
    noise = np.random.default_rng(0).normal(0, 12, truth.shape)
    return Volume((80 + 60 * truth + noise).astype(np.int16), Geometry(size)), truth


def volume(
    size: Annotated[str, typer.Option(metavar="I,J,K", help="Voxels along the axes.")] = "256,256,150",
    marks: Annotated[int, typer.Option(min=1, help="Marked slices.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the CPU.")] = 2,
    model: ModelOption = "default",
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure how long a whole volume takes from a few marked slices, and how much memory.

    Example: universeg-slicer bench volume --size 256,256,150 --marks 5 --threads 2
    """
    parts = [part.strip() for part in size.split(",")]
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise InputError(f"--size {size!r} is not three numbers of voxels such as 256,256,150.")
    i, j, k = (int(part) for part in parts)
    timing = measure_volume((i, j, k), marks, model=model, device=device, threads=threads)
    if as_json:
        print_json(asdict(timing))
        return
    memory = "" if timing.extra_bytes is None else f", {timing.extra_bytes / 2**20:.0f} MiB of memory"
    say(
        f"{i} x {j} x {k} voxels, {marks} marked slices, strategy {timing.strategy}: {timing.seconds:.1f} s on "
        f"{timing.device} ({threads} threads){memory}; Dice {timing.dice:.3f}."
    )
