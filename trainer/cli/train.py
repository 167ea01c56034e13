"""``universeg-trainer train``: run a configuration."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Argument(help="Configuration file (YAML), such as trainer/configs/default.yaml.")],
    store: Annotated[
        Path | None,
        typer.Option(help="Standardised store; not needed for synthetic tasks alone.", envvar="UNIVERSEG_STORE"),
    ] = None,
    run: Annotated[
        # torchrun takes --run for a shortened option of its own.
        Path | None,
        typer.Option("--run", "--output", "-o", help="Folder of the run; default: runs/NAME of the configuration."),
    ] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes on this machine (torchrun sets it by itself).")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: PyTorch's choice.")] = 0,
    minutes: Annotated[float | None, typer.Option(help="Stop with a checkpoint after so many minutes.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the latest checkpoint of the run.")] = False,
    changed_config: Annotated[
        bool, typer.Option("--changed-config", help="Allow --resume with other settings of the same network.")
    ] = False,
    initial: Annotated[
        Path | None,
        typer.Option(help="Start from the averaged weights of this checkpoint or run, or from a model file."),
    ] = None,
) -> None:
    """Train a network from a store, by a configuration file.

    The run's folder receives checkpoints, a TensorBoard log, sample pictures and the configuration. A run that was
    stopped or killed goes on with --resume. On several processes: torchrun --nproc-per-node N -m trainer train ...
    """
    import torch

    from trainer.learning.evaluation import pool_maker, validation_of
    from trainer.learning.loop import RunOptions, load_config
    from trainer.learning.loop import train as run_training
    from trainer.learning.pictures import draw_episodes

    if threads:
        torch.set_num_threads(threads)
    settings = load_config(config)
    folder = run or Path("runs") / settings.name
    options = RunOptions(folder, accelerator, devices, nodes, minutes, resume, changed_config, initial)
    with _ProgressBar(settings.steps) as bar:
        state = run_training(
            settings,
            options,
            pool_maker(settings, store),
            validate=validation_of(settings, store),
            draw=draw_episodes,
            report=bar.report,
        )
    typer.echo(f"{state.step} of {settings.steps} steps, {state.samples} queries, {state.seconds:.0f} s: {folder}")


class _ProgressBar:
    """A bar on a terminal; a line every hundred steps in a log file."""

    def __init__(self, steps: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), transient=False
        )
        self._bar = self._progress.add_task("training", total=steps)
        self._loss: float | None = None
        self._validation = ""

    def __enter__(self) -> _ProgressBar:
        self._clock = time.monotonic()
        self._first: int | None = None
        if self._progress.console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def report(self, step: int, steps: int, figures: dict[str, float]) -> None:
        """One finished step."""
        self._first = step - 1 if self._first is None else self._first
        self._loss = figures["loss"] if self._loss is None else 0.98 * self._loss + 0.02 * figures["loss"]
        if "val_dice" in figures:
            self._validation = f", validation Dice {figures['val_dice']:.4f}"
        text = f"loss {self._loss:.4f}{self._validation}"
        if self._progress.console.is_terminal:
            self._progress.update(self._bar, completed=step, description=text)
        elif step % 100 == 0 or "val_dice" in figures or step == steps:
            speed = (step - self._first) / (time.monotonic() - self._clock)
            share = figures.get("drawing_share", float("nan"))
            typer.echo(
                f"step {step}/{steps}  {text}, {speed:.2f} steps/s, rate {figures['learning_rate']:.2e}, "
                f"drawing {share:.0%}"
            )
            # A log file is read while the run goes on.
            sys.stdout.flush()
