"""``universeg-slicer bench speed``: the fast inference against the network written down term by term."""

from __future__ import annotations

import itertools
import platform
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from ...errors import InputError
from ..common.console import print_json, print_table, progress_bar, say
from ..common.options import JsonOption
from ..common.values import parse_numbers
from .measurement import Task, Timing, measure_apart

#: The networks that are measured beside the direct form.
NETWORKS = ("published", "default")


@dataclass(frozen=True)
class SpeedRow:
    """One support size on one device in one precision, both forms on the same machine.

    Args:
        support: S.
        queries: Queries of the batch.
        device: Where.
        network: ``"published"``, by the exact algebra, or ``"default"``, the bundled model's shape.
        precision: Of the fast form; the direct form is always float32.
        direct: The published network term by term, one query at a time.
        fast: The support set encoded once.
    """

    support: int
    queries: int
    device: str
    network: str
    precision: str
    direct: Timing
    fast: Timing

    @property
    def cold_ratio(self) -> float:
        """How many times faster one query is whose support set was never seen before."""
        return self.direct.first_seconds / (self.fast.encode_seconds + self.fast.first_seconds)

    @property
    def batch_ratio(self) -> float:
        """How many times faster all queries together are, the encoding included."""
        total = self.fast.encode_seconds + self.queries * self.fast.query_seconds
        return self.queries * self.direct.first_seconds / total

    @property
    def query_ratio(self) -> float:
        """How many times faster every query is once the support set is encoded."""
        return self.direct.first_seconds / self.fast.query_seconds

    @property
    def memory_ratio(self) -> float | None:
        """The fast form's extra memory as a share of the direct form's; None if unknown."""
        if not self.direct.extra_bytes or self.fast.extra_bytes is None:
            return None
        return self.fast.extra_bytes / self.direct.extra_bytes

    def to_dict(self) -> dict[str, Any]:
        """All numbers, JSON-ready."""
        ratios = {name: getattr(self, name) for name in ("cold_ratio", "batch_ratio", "query_ratio", "memory_ratio")}
        return {**asdict(self), **ratios}


def measure_speed(
    supports: list[int],
    *,
    queries: int = 8,
    side: int = 128,
    device: str = "auto",
    threads: int = 0,
    report: Any = None,
) -> list[SpeedRow]:
    """Measure every support size in every precision that the device is fast in; float32 always.

    Args:
        supports: Support sizes.
        queries: Queries that share one encoded support set.
        side: Rows and columns of a slice, a multiple of 32.
        device: ``"auto"``: the CPU, and a GPU if there is one; else ``"cpu"``, ``"cuda"`` or ``"mps"``.
        threads: CPU threads; 0 leaves the number to torch.
        report: Progress callback or None.

    Raises:
        InputError: A size is impossible or there is no such device.
        UniverSegError: A measurement failed.
    """
    import torch

    from ...network.precision import choose_device, has_fast_bf16

    if side < 32 or side % 32:
        raise InputError(f"--size is {side}; it must be a positive multiple of 32.")
    devices = ["cpu"] if device == "auto" else [choose_device(device).type]
    if device == "auto" and choose_device("auto").type != "cpu":
        devices.append(choose_device("auto").type)
    precisions = {name: ["fp32", "bf16"] if has_fast_bf16(torch.device(name)) else ["fp32"] for name in devices}
    steps = len(supports) * sum(1 + len(NETWORKS) * len(precisions[name]) for name in devices)
    rows: list[SpeedRow] = []
    done = 0

    def timed(**values: Any) -> Timing:
        nonlocal done
        if report is not None:
            report(done / steps, f"{values['form']} form, S = {values['support']}, {values['device']}")
        done += 1
        return measure_apart(Task(side=side, threads=threads, **values))

    for name in devices:
        for support in supports:
            direct = timed(form="direct", support=support, queries=1, device=name, precision="fp32")
            for network, precision in itertools.product(NETWORKS, precisions[name]):
                fast = timed(form=network, support=support, queries=queries, device=name, precision=precision)
                rows.append(SpeedRow(support, queries, name, network, precision, direct, fast))
    return rows


def speed(
    support: Annotated[str, typer.Option(metavar="1,4,16,64", help="Support sizes to measure.")] = "1,4,16,64",
    queries: Annotated[int, typer.Option(min=1, help="Queries that share one support set.")] = 8,
    size: Annotated[int, typer.Option(min=32, help="Rows and columns of a slice, a multiple of 32.")] = 128,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|mps", help="auto measures the CPU, and the GPU where there is one.")
    ] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 leaves the number to torch.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Compare the inference of both kinds of networks with the published one written down term by term, as ratios.

    The direct form joins every query with every support element, as the published code does. "published" is the same
    network by exact algebra, with the same logits (to 1e-5 in float32); "default" is a network of the bundled model's
    shape. Both encode the support set once. Every number is measured in a process of its
    own and is the least of several runs; memory is what a process takes beyond the loaded model.

    Example: universeg-slicer bench speed --support 16,64
    """
    supports = parse_numbers(support, "--support") or []
    with progress_bar("Measuring") as report:
        rows = measure_speed(supports, queries=queries, side=size, device=device, threads=threads, report=report)
    if as_json:
        print_json({"machine": _machine(threads), "side": size, "rows": [row.to_dict() for row in rows]})
        return
    for name in dict.fromkeys(row.device for row in rows):
        _print_rows([row for row in rows if row.device == name], size, queries)
    say(
        "1 query: encoding included. next: the next query, its support set encoded before. "
        "memory: fast of direct, at the peak."
    )


def _print_rows(rows: list[SpeedRow], side: int, queries: int) -> None:
    """One table for each device."""
    ratios = ("1 query", f"{queries} queries", "next")
    columns = ("network", "S", "direct", "encode", "query", *ratios, "memory")
    print_table(
        f"Against the published network term by term, {side} x {side}, {rows[0].device}",
        columns,
        [
            (
                f"{row.network} {row.precision}",
                str(row.support),
                f"{row.direct.first_seconds:.3f} s",
                f"{row.fast.encode_seconds:.3f} s",
                f"{row.fast.query_seconds:.3f} s",
                f"{row.cold_ratio:.1f} x",
                f"{row.batch_ratio:.1f} x",
                f"{row.query_ratio:.1f} x",
                _memory(row),
            )
            for row in rows
        ],
        right=columns[1:],
    )


def _memory(row: SpeedRow) -> str:
    if row.memory_ratio is None or row.fast.extra_bytes is None or row.direct.extra_bytes is None:
        return "not measured"
    return f"{row.fast.extra_bytes / 2**20:.0f} of {row.direct.extra_bytes / 2**20:.0f} MB"


def _machine(threads: int) -> dict[str, Any]:
    import torch

    return {
        "processor": platform.processor() or platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": threads or torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
    }
