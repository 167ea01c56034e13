"""``universeg-trainer bench step``: a training step with the exact algebra beside the direct form."""

from __future__ import annotations

from typing import Annotated

import typer


def step_command(
    width: Annotated[str, typer.Option(help="Features of the encoder blocks, separated by commas.")] = "16,24,32,48,64",
    normalization: Annotated[str, typer.Option(help="group or none.")] = "group",
    queries: Annotated[int, typer.Option(min=1, help="Queries that share a support set.")] = 4,
    support: Annotated[int, typer.Option(min=1, help="Support images.")] = 16,
    side: Annotated[int, typer.Option(min=16, help="Side of the images.")] = 64,
    repeats: Annotated[int, typer.Option(min=1, help="Measurements; the fastest counts.")] = 3,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: PyTorch's choice.")] = 0,
) -> None:
    """Seconds of a training step (forward and backward) both ways, on this machine."""
    import torch

    from trainer.learning.loop import from_mapping
    from trainer.learning.step_bench import time_steps
    from UniverSegSlicerLib.network.architecture import Architecture

    if threads:
        torch.set_num_threads(threads)
    values = {
        "query_channels": 4,
        "encoder": [int(part) for part in width.split(",")],
        "normalization": normalization,
        "resolution": side,
    }
    times = time_steps(
        from_mapping(Architecture, values, "architecture."),
        queries=queries,
        support=support,
        side=side,
        repeats=repeats,
    )
    typer.echo(
        f"direct form {times.direct:.3f} s, exact algebra {times.exact:.3f} s: {times.speedup:.2f} times as fast "
        f"(S={support}, {queries} queries, {side} pixels, {torch.get_num_threads()} threads); "
        f"largest difference of the logits {times.largest_difference:.1e}"
    )
