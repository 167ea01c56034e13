"""``universeg-trainer synthetic``: look at what training draws."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def synthetic(
    output: Annotated[Path, typer.Option("--output", "-o", help="The picture (PNG).")] = Path("synthetic.png"),
    tasks: Annotated[int, typer.Option(min=1, help="Tasks; a row each.")] = 8,
    images: Annotated[int, typer.Option(min=1, help="Images a task.")] = 8,
    side: Annotated[int, typer.Option(min=16, help="Side of an image in pixels.")] = 128,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
) -> None:
    """Draw a sheet of synthetic tasks: a row a task, its label in green."""
    import torch

    from trainer.learning.pictures import overlay, save_picture, tile
    from trainer.tasks.kinds import synthetic_tasks

    pictures, labels = synthetic_tasks(tasks, images, side, torch.Generator().manual_seed(seed))
    rows = [
        [overlay(i[0].numpy(), m[0].numpy(), (0, 200, 0)) for i, m in zip(row, masks, strict=True)]
        for row, masks in zip(pictures, labels, strict=True)
    ]
    save_picture(output, tile(rows))
    typer.echo(f"Wrote {output}: {tasks} tasks of {images} images.")


def episodes(
    config: Annotated[Path, typer.Argument(help="Configuration file (YAML).")],
    store: Annotated[Path, typer.Option("--store", help="Store that standardize wrote.", envvar="UNIVERSEG_STORE")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The picture (PNG).")] = Path("episodes.png"),
    tasks: Annotated[int, typer.Option(min=1, help="Episodes; a row each.")] = 10,
    side: Annotated[int, typer.Option(min=16, help="Side of an image in pixels.")] = 128,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
) -> None:
    """Draw a sheet of training episodes as a configuration draws them: support, query, and the query with its prior."""
    import torch

    from trainer.learning.evaluation import pool_maker
    from trainer.learning.loop import load_config
    from trainer.learning.pictures import draw_episodes
    from trainer.tasks.episodes import EpisodeSampler

    settings = load_config(config)
    sampler = EpisodeSampler(pool_maker(settings, store)(torch.device("cpu")), settings.episodes, seed)
    drawn = sampler.draw(tasks, 1, 4, side)
    draw_episodes(drawn, torch.full_like(drawn.query_labels, -9.0), output, tasks=tasks)
    for name in drawn.names:
        typer.echo(name)
    typer.echo(f"Wrote {output}")
