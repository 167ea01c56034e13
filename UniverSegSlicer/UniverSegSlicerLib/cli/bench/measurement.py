"""One measurement of speed, in a process of its own so that neither memory nor caches of another tell on it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ...errors import UniverSegError

#: A measurement is repeated until it took this long in all, or this often.
_ENOUGH_SECONDS = 3.0
_MOST_REPEATS = 5


@dataclass(frozen=True)
class Task:
    """What to measure.

    Args:
        form: ``"direct"``, the published network written down term by term; ``"published"``, the same network by the
            program's own inference; ``"default"``, a network of the default model's shape by that inference.
        support: S.
        queries: Queries for one encoded support set (the direct form gains nothing from several).
        side: Rows and columns of a slice.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        precision: ``"fp32"`` or ``"bf16"``.
        threads: CPU threads; 0 leaves the number to torch.
    """

    form: Literal["direct", "published", "default"]
    support: int
    queries: int
    side: int
    device: str
    precision: Literal["fp32", "bf16"]
    threads: int


@dataclass(frozen=True)
class Timing:
    """What came out; seconds are the least of several runs.

    Args:
        encode_seconds: For encoding the support set once; 0 in the direct form.
        first_seconds: For one query with an encoded support set.
        query_seconds: For each of ``Task.queries`` queries together.
        extra_bytes: Peak memory of encoding and all queries beyond that before; None where it cannot be measured.
        runs: How often it was measured.
    """

    encode_seconds: float
    first_seconds: float
    query_seconds: float
    extra_bytes: int | None
    runs: int


def measure_apart(task: Task) -> Timing:
    """Measure in a fresh process.

    Raises:
        UniverSegError: The process failed; its last line of output is told.
    """
    command = [sys.executable, "-m", __name__, json.dumps(asdict(task))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UniverSegError(f"The measurement of {task.form} with S = {task.support} failed: {last}")
    return Timing(**json.loads(done.stdout.strip().splitlines()[-1]))


def measure(task: Task) -> Timing:
    """Measure in this process, on random weights: speed does not depend on their values."""
    import torch

    from ...network import InContextModel, UniverSeg
    from ...network.families import new_network
    from ...network.weights.catalogue import read_catalogue
    from .direct_form import direct_forward
    from .peak_memory import PeakMemory

    if task.threads:
        torch.set_num_threads(task.threads)
    device = torch.device(task.device)
    torch.manual_seed(0)
    network = UniverSeg().eval()
    images = torch.rand(task.support, 1, task.side, task.side)
    labels = (torch.rand_like(images) > 0.5).float()
    queries = torch.rand(task.queries, 1, task.side, task.side)
    support: Any = None
    if task.form != "direct":
        shape = read_catalogue()["default"].architecture if task.form == "default" else None
        measured = network if shape is None else new_network(shape).eval()
        model = InContextModel(measured, name="benchmark", device=device, precision=task.precision)

        def encode() -> Any:
            return model.encode_support(images, labels)

        def predict(count: int) -> None:
            model.predict(queries[:count], support)
    else:
        network = network.to(device)

        def encode() -> Any:
            return images[None].to(device), labels[None].to(device)

        def predict(count: int) -> None:
            for query in queries[:count]:
                direct_forward(network, query[None].to(device), *support).cpu()

    with torch.inference_mode():
        # Once with little, so that libraries are loaded and kernels built before memory and time are looked at.
        small = torch.rand(1, 1, 1, 64, 64, device=device)
        direct_forward(network.to(device), small[0], small, small).cpu()
        peak = PeakMemory(device)
        support = encode()
        predict(1)
        if task.queries > 1:
            predict(task.queries)
        extra = peak.extra_bytes()
        times: dict[str, list[float]] = {"encode": [], "first": [], "all": []}
        started = time.perf_counter()
        while not times["all"] or (
            time.perf_counter() - started < _ENOUGH_SECONDS and len(times["all"]) < _MOST_REPEATS
        ):
            times["encode"].append(_seconds(encode))
            times["first"].append(_seconds(lambda: predict(1)))
            times["all"].append(_seconds(lambda: predict(task.queries)) if task.queries > 1 else times["first"][-1])
    return Timing(
        encode_seconds=min(times["encode"]) if task.form != "direct" else 0.0,
        first_seconds=min(times["first"]),
        query_seconds=min(times["all"]) / task.queries,
        extra_bytes=extra,
        runs=len(times["all"]),
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Task(**json.loads(sys.argv[1]))))))
