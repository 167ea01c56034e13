"""The options that say which network computes, and where: the same for every subcommand that needs one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ...network import InContextModel


class Precision(str, Enum):
    """Numbers that the network computes with."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


ModelOption = Annotated[
    str,
    typer.Option("--model", "-m", metavar="NAME|PATH", help="A model of `models list`, or a .safetensors or .pt file."),
]
DeviceOption = Annotated[
    str, typer.Option(metavar="auto|cpu|cuda|mps", help="Where to compute; auto takes the GPU where there is one.")
]
PrecisionOption = Annotated[
    Precision, typer.Option(help="bf16 is faster; auto takes it where the processor has it.", case_sensitive=False)
]


@dataclass(frozen=True)
class NetworkChoice:
    """The values of the three options."""

    model: str = "default"
    device: str = "auto"
    precision: Precision = Precision.auto

    def open(self) -> InContextModel:
        """Load the network (imports torch)."""
        from ...network import load_model

        return load_model(self.model, self.device, precision=self.precision.value)


def choosing_network(command: Callable[..., None]) -> Callable[..., None]:
    """Give a subcommand the options ``--model``, ``--device`` and ``--precision`` in the place of its ``network``."""
    signature = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def run(*arguments: Any, model: str, device: str, precision: Precision, **options: Any) -> None:
        command(*arguments, network=NetworkChoice(model, device, precision), **options)

    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        parameters += _PARAMETERS if parameter.name == "network" else [parameter]
    # typer reads the command line off these two.
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


_PARAMETERS = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    for name, default, annotation in (
        ("model", "default", ModelOption),
        ("device", "auto", DeviceOption),
        ("precision", Precision.auto, PrecisionOption),
    )
]
