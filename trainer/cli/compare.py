"""``universeg-trainer compare`` and ``bound``: the paper's experiment with any networks on any store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from UniverSegSlicerLib.errors import InputError

if TYPE_CHECKING:
    from trainer.learning.comparison.measure import ComparisonSettings
    from trainer.tasks.pool import DataPool

Store = Annotated[Path, typer.Option(help="The store with standardised images.", envvar="UNIVERSEG_STORE")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for tables, plots and pictures.")]
Role = Annotated[str, typer.Option(help="Role of the data sets: val, heldout or train.")]
HeldOut = Annotated[str, typer.Option(metavar="A,B", help="Only these data sets, whatever their role.")]
Queries = Annotated[int, typer.Option(min=0, help="At most so many queries a task; 0: all.")]
Tasks = Annotated[int, typer.Option(min=0, help="At most so many tasks a data set; 0: all.")]
MinArea = Annotated[
    float, typer.Option(min=0, max=0.99, help="Leave out labels that cover no more than this share of an image.")
]
Side = Annotated[int, typer.Option(min=32, help="Side of the images.")]
Seed = Annotated[int, typer.Option(help="Of tasks, queries and support sets.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0: PyTorch's choice.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]


def compare(
    networks: Annotated[list[str], typer.Argument(help="NAME=PATH of each network: a run, or a model file.")],
    store: Store,
    output: Output,
    role: Role = "val",
    held_out: HeldOut = "",
    supports: Annotated[str, typer.Option(help="Support sizes, separated by commas.")] = "1,2,4,8,16,32,64",
    draws: Annotated[int, typer.Option(min=1, help="Support sets a query; together they are the ensemble.")] = 1,
    queries: Queries = 0,
    tasks: Tasks = 0,
    min_area: MinArea = 0.0,
    side: Side = 128,
    seed: Seed = 1,
    bound: Annotated[
        Path | None, typer.Option(help="bound.csv of the command bound, made with the same tasks and queries.")
    ] = None,
    curves: Annotated[
        bool, typer.Option("--curves", help="Also measure the checkpoints that the runs kept: are they trained enough?")
    ] = False,
    ensembles: Annotated[
        str, typer.Option(metavar="1,2,4", help="Also measure ensembles of so many support sets.")
    ] = "",
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Measure several networks on the same tasks, support sets and queries.

    A table with bootstrap intervals, one by data set, size and time, a plot of Dice against the support size, and a
    sheet of pictures with the answer of every network. Runs of one configuration on several numbers of data sets are
    plotted against that number.

    Example: universeg-trainer compare ours=Resources/Weights/default.safetensors panet=runs/panet --store STORE -o out
    """
    from trainer.learning.comparison import curves as more
    from trainer.learning.comparison.bound import read_bound
    from trainer.learning.comparison.measure import ComparisonSettings, measure
    from trainer.learning.comparison.methods import open_methods
    from trainer.learning.comparison.report import draw_comparison, write_comparison
    from UniverSegSlicerLib.network.loading import choose_device

    sizes, together = _sizes(supports), _sizes(ensembles, "--ensembles") if ensembles else ()
    settings = ComparisonSettings(sizes, draws, queries or None, tasks or None, side, seed)
    _limit(threads)
    methods = open_methods(networks, choose_device(device))
    rows = read_bound(bound) if bound is not None else []
    pool = _pool(store, role, held_out, min_area, settings, device)
    middle = min(sizes, key=lambda size: abs(size - 16))

    def said(text: str) -> None:
        typer.echo(text, err=True)

    scores = measure(methods, pool, settings, said)
    write_comparison(scores, methods, rows, output)
    draw_comparison(methods, pool, settings, output, middle)
    if any(method.datasets for method in methods):
        by_sets = output / "dice_by_training_sets.png"
        more.plot_by_training_sets(scores, methods, _training_sets(store, settings), middle, by_sets)
    if curves:
        more.write_curves(more.measure_checkpoints(methods, pool, settings, middle, said), output)
    if together:
        more.write_ensembles(more.measure_ensembles(methods, pool, settings, middle, together, said), output)
    typer.echo((output / "compare.md").read_text(encoding="utf-8"))


def bound(
    store: Store,
    output: Output,
    role: Role = "val",
    held_out: HeldOut = "",
    queries: Queries = 6,
    tasks: Tasks = 1,
    min_area: MinArea = 0.0,
    steps: Annotated[int, typer.Option(min=1, help="Updates of each network.")] = 200,
    batch: Annotated[int, typer.Option(min=1, help="Images of an update.")] = 8,
    side: Side = 128,
    seed: Seed = 1,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Train a U-Net for every task on the images of its other subjects: what training for the task reaches.

    Writes ``bound.csv``, which ``compare --bound`` puts beside the others. Run again in the same folder, it goes on
    after the last task that was done.
    """
    from trainer.learning.comparison.bound import BoundScore, bound_of, read_bound
    from trainer.learning.comparison.measure import ComparisonSettings
    from trainer.learning.report import write_csv

    settings = ComparisonSettings(queries=queries or None, tasks=tasks or None, side=side, seed=seed)
    _limit(threads)
    pool = _pool(store, role, held_out, min_area, settings, device)
    output.mkdir(parents=True, exist_ok=True)
    file = output / "bound.csv"

    def keep(scores: Sequence[BoundScore]) -> None:
        write_csv(file, [asdict(score) for score in scores])

    scores = bound_of(
        pool,
        settings,
        steps=steps,
        batch=batch,
        done=read_bound(file) if file.exists() else (),
        keep=keep,
        report=lambda text: typer.echo(text, err=True),
    )
    done, means = len({score.task for score in scores}), [score.dice for score in scores]
    typer.echo(f"{done} tasks, mean Dice {sum(means) / max(1, len(means)):.3f}: {file}")


def _pool(
    store: Path, role: str, held_out: str, min_area: float, settings: ComparisonSettings, device: str
) -> DataPool:
    from trainer.megamedical.store import Store as Images
    from trainer.tasks.pool import build_pool
    from UniverSegSlicerLib.network.loading import choose_device

    images = Images.open(store)
    resolution = max(images.resolutions)
    if settings.side > resolution:
        raise InputError(f"--side is {settings.side}; the store's images have {resolution} pixels.")
    names = tuple(name.strip() for name in held_out.split(",") if name.strip()) or None
    return build_pool(
        images,
        role=None if names else role,
        resolution=resolution,
        datasets=names,
        min_area=min_area,
        device=choose_device(device),
    )


def _training_sets(store: Path, settings: ComparisonSettings) -> int:
    """Data sets whose images serve others' as support: those of a single subject do not count."""
    pool = _pool(store, "train", "", 0.002, settings, "cpu")
    return len({task.dataset for task in pool.tasks})


def _sizes(text: str, option: str = "--supports") -> tuple[int, ...]:
    try:
        sizes = tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError:
        sizes = ()
    if not sizes or sizes[0] < 1:
        raise InputError(f"{option} is {text!r}; expected sizes of at least 1, such as 1,4,16.")
    return sizes


def _limit(threads: int) -> None:
    import torch

    if threads:
        torch.set_num_threads(threads)
