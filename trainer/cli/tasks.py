"""``universeg-trainer tasks``: what can be learnt from a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import print_table

app = typer.Typer(help="Tasks of a store: what can be learnt from it.", no_args_is_help=True)

StorePath = Annotated[Path, typer.Option("--store", help="Store that standardize wrote.", envvar="UNIVERSEG_STORE")]
Several = list[str] | None
Rank = Annotated[Several, typer.Option("--rank", help="Licence rank (A, B or C); may be repeated.")]
Role = Annotated[Several, typer.Option("--role", help="train, val or heldout; may be repeated.")]
Modality = Annotated[Several, typer.Option("--modality", help="Family or part of a name (CT, MR, T1); repeatable.")]
Dataset = Annotated[Several, typer.Option("--dataset", help="Name of a data set; may be repeated.")]
Slicing = Annotated[Several, typer.Option("--slicing", help="mid, max or all; may be repeated.")]
MinArea = Annotated[float, typer.Option("--min-area", help="Least median area, as a fraction of the square.")]
MaxArea = Annotated[float, typer.Option("--max-area", help="Largest median area, as a fraction of the square.")]
MinSubjects = Annotated[int, typer.Option("--min-subjects", min=1, help="Least number of subjects.")]


@app.command("list")
def list_command(
    store: StorePath,
    rank: Rank = None,
    role: Role = None,
    modality: Modality = None,
    dataset: Dataset = None,
    slicing: Slicing = None,
    min_area: MinArea = 0.0,
    max_area: MaxArea = 1.0,
    min_subjects: MinSubjects = 1,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the whole table to this file.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Rows to print; 0 prints all.")] = 40,
) -> None:
    """List the tasks (data set, group, modality, axis, slicing, label) with counts and areas."""
    from UniverSegSlicerLib.writing import write_whole

    from ..megamedical.store import Store
    from ..megamedical.task_index import TaskFilter, list_tasks

    wanted = TaskFilter(rank, role, modality, dataset, slicing, min_area, max_area, min_subjects)
    tasks = list_tasks(Store.open(store), wanted)
    columns = ("dataset", "group", "modality", "axis", "slicing", "label", "label_name", "role", "rank", "subjects",
               "train", "val", "test", "images", "area")  # fmt: skip
    shown = tasks if limit == 0 else tasks.head(limit)
    rows = [[f"{v:.4f}" if c == "area" else v for c, v in zip(columns, row, strict=True)]
            for row in shown[list(columns)].itertuples(index=False)]  # fmt: skip
    print_table(columns, rows, right=("axis", "label", "subjects", "train", "val", "test", "images", "area"))
    if len(shown) < len(tasks):
        print(f"... and {len(tasks) - len(shown)} more (--limit 0 prints all, --csv FILE writes all)")
    counts = ", ".join(f"{count} {name}" for name, count in tasks["slicing"].value_counts().items())
    print(f"{len(tasks)} tasks ({counts or 'none'}) in {tasks['dataset'].nunique()} data sets")
    if csv is not None:
        write_whole(csv, tasks.to_csv(index=False).encode())
        print(f"Wrote {csv}")


@app.command("picture")
def picture_command(
    store: StorePath,
    output: Annotated[Path, typer.Option("--output", help="PNG, SVG or PDF to write.")] = Path("tasks.png"),
    kind: Annotated[str, typer.Option("--kind", help="sunburst or bars.")] = "sunburst",
    rank: Rank = None,
    role: Role = None,
    modality: Modality = None,
    dataset: Dataset = None,
    slicing: Slicing = None,
) -> None:
    """Draw how the tasks are spread over modalities and data sets."""
    from ..megamedical.store import Store
    from ..megamedical.task_index import TaskFilter, list_tasks
    from ..megamedical.task_picture import draw_tasks

    tasks = list_tasks(Store.open(store), TaskFilter(rank, role, modality, dataset, slicing))
    print(f"Wrote {draw_tasks(tasks, output, kind)}")
