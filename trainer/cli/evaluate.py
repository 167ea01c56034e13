"""``universeg-trainer evaluate`` and ``bundle``: what a network can do, and how it becomes the bundled model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StorePath = Annotated[Path, typer.Option("--store", help="Store that standardize wrote.", envvar="UNIVERSEG_STORE")]
Numbers = str


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model file (.safetensors, .pt), or the folder of a run.")],
    store: StorePath,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables, plots and pictures.")] = Path(
        "evaluation"
    ),
    role: Annotated[str, typer.Option(help="Role of the data sets: val, heldout or train.")] = "val",
    supports: Annotated[Numbers, typer.Option(help="Support sizes, separated by commas.")] = "1,2,4,8,16,32,64",
    draws: Annotated[int, typer.Option(min=1, help="Support sets a query; together they are the ensemble.")] = 5,
    queries: Annotated[int, typer.Option(min=0, help="At most so many queries a task; 0: all.")] = 0,
    tasks: Annotated[int, typer.Option(min=0, help="At most so many tasks a data set; 0: all.")] = 0,
    side: Annotated[int, typer.Option(min=0, help="Side of the images; 0: the model's.")] = 0,
    min_area: Annotated[
        float, typer.Option(min=0, max=0.99, help="Leave out labels that cover no more than this share of an image.")
    ] = 0.0,
    click_supports: Annotated[
        Numbers, typer.Option(help="Support sizes of the click curves; empty: none.")
    ] = "0,1,4,16",
    clicks: Annotated[int, typer.Option(min=1, help="Clicks of these curves.")] = 10,
    marks: Annotated[Numbers, typer.Option(help="Marked slices of the volumes; empty: none.")] = "1,3,5,10",
    volumes: Annotated[int, typer.Option(min=0, help="At most so many labels a data set of volumes; 0: all.")] = 0,
    tune: Annotated[
        float,
        typer.Option(min=0, help="Also measure the network tuned on each support set, in at most so many seconds."),
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of queries, tasks and support sets.")] = 1,
    dataset: Annotated[list[str] | None, typer.Option(help="Only this data set; may be repeated.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: PyTorch's choice.")] = 0,
) -> None:
    """Measure a model on labelled data that it was not trained on.

    Dice against support size (single predictions and ensemble, bootstrap intervals), Dice against clicks, and Dice of
    whole volumes against the number of marked slices beside shape interpolation and nearest copy.
    """
    import torch

    from trainer.learning.evaluation import EvaluationSettings
    from trainer.learning.evaluation import evaluate as measure
    from trainer.learning.loop import averaged_network
    from trainer.megamedical.store import Store
    from UniverSegSlicerLib.network.inference import InContextModel
    from UniverSegSlicerLib.network.loading import choose_device, load_model

    if threads:
        torch.set_num_threads(threads)
    settings = EvaluationSettings(
        role=role,
        supports=_numbers(supports, "supports"),
        draws=draws,
        queries=queries or None,
        tasks=tasks or None,
        side=side or None,
        min_area=min_area,
        click_supports=_numbers(click_supports, "click-supports"),
        clicks=clicks,
        marks=_numbers(marks, "marks"),
        volumes=volumes or None,
        seed=seed,
        tune=tune or None,
        datasets=tuple(dataset) if dataset else None,
    )
    loaded = (
        InContextModel(averaged_network(model), name=model.name, device=choose_device(device))
        if model.is_dir()
        else load_model(model, device)
    )
    measure(loaded, Store.open(store), settings, output, report=lambda text: typer.echo(text, err=True))
    typer.echo((output / "summary.md").read_text(encoding="utf-8"))


def bundle(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or one of its checkpoints.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file.")] = Path(
        "Resources/Weights/default.safetensors"
    ),
    catalogue: Annotated[Path, typer.Option(help="Catalogue whose entry gets hash and size.")] = Path(
        "Resources/models.json"
    ),
    name: Annotated[str, typer.Option(help="The model's name in the catalogue.")] = "default",
    resolution: Annotated[
        int, typer.Option(min=0, help="Side that the model shall be used at; 0: the configuration's.")
    ] = 0,
    store: Annotated[
        Path | None, typer.Option(help="The run's store, for the card's list of data sets.", envvar="UNIVERSEG_STORE")
    ] = None,
    evaluation: Annotated[
        list[Path] | None, typer.Option(help="Folder that evaluate wrote, for the card's results; may be repeated.")
    ] = None,
    mix: Annotated[
        list[Path] | None,
        typer.Option(help="Model file or run of the same descent to mix in; may be repeated, each with its --share."),
    ] = None,
    share: Annotated[
        list[float] | None,
        typer.Option(min=0, max=1, help="The share of --mix in the weights; a single one has 0.4 without it."),
    ] = None,
) -> None:
    """Write a run's averaged weights as the bundled model, enter its hash, and write its model card beside it."""
    from trainer.learning.release import Mixed, enter_in_catalogue, write_model_card
    from trainer.learning.release import bundle as write_bundle
    from UniverSegSlicerLib.errors import InputError

    others, shares = mix or [], share or ([0.4] if mix and len(mix) == 1 else [])
    if len(others) != len(shares):
        raise InputError(f"there are {len(others)} --mix and {len(shares)} --share; each --mix needs its --share.")
    mixed = [Mixed(path, part) for path, part in zip(others, shares, strict=True)]
    facts = write_bundle(run, output, name=name, resolution=resolution or None, mixed=mixed)
    if catalogue.is_file():
        enter_in_catalogue(catalogue, name, facts)
    card = write_model_card(run, output.with_suffix(".md"), facts, store=store, evaluations=evaluation or ())
    typer.echo(
        f"{output}: {facts['bytes']} bytes, {facts['parameters']} parameters, sha256 {facts['sha256']}; card: {card}"
    )


def _numbers(text: str, name: str) -> tuple[int, ...]:
    from UniverSegSlicerLib.errors import InputError

    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise InputError(
            f"--{name} is {text!r}; expected whole numbers separated by commas, such as 1,4,16."
        ) from error
