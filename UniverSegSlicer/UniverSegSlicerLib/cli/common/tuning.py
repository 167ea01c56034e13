"""The option ``--tune``: whether a command spends seconds on its examples before it segments."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import InputError
from .console import progress_bar

if TYPE_CHECKING:
    import numpy as np

    from ...imaging import Volume
    from ...network import InContextModel
    from ...segmentation import PropagationSettings, SupportSet
    from ...segmentation.tuning import TuningReport

TuneOption = Annotated[
    str,
    typer.Option(
        "--tune",
        metavar="auto|off|SECONDS|FILE",
        help="Tune the network on the examples for some seconds, kept only where held-out examples gain; "
        "auto takes what `support tune` wrote beside the support set, if it is there. FILE is such a file.",
    ),
]


@dataclass(frozen=True)
class TuneChoice:
    """What ``--tune`` says: nothing (None of these), seconds, or a file.

    Attributes:
        automatic: "auto".
        seconds: The time it may take.
        file: Tuned weights.
    """

    automatic: bool = False
    seconds: float | None = None
    file: Path | None = None

    @classmethod
    def parse(cls, text: str) -> TuneChoice:
        """Read the option.

        Raises:
            InputError: Neither auto, nor off, nor a positive number, nor a .safetensors file.
        """
        if text in ("auto", "off"):
            return cls(automatic=text == "auto")
        if text.endswith(".safetensors"):
            return cls(file=Path(text))
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds < math.inf:
            raise InputError(
                f"--tune {text!r} is neither auto nor off, no positive number of seconds, and no .safetensors file "
                "that `universeg-slicer support tune` wrote."
            )
        return cls(seconds=seconds)

    def apply(
        self,
        model: InContextModel,
        examples: Callable[[], SupportSet],
        *,
        saved: SupportSet | None = None,
        saved_path: Path | None = None,
        labels: list[int] | None = None,
        region: PropagationSettings | None = None,
        seed: int = 0,
    ) -> tuple[InContextModel, TuningReport | None]:
        """The model to segment with, and what happened; the model itself and None where nothing was asked for.

        Args:
            model: The network.
            examples: Gives all examples of this run, where they are needed.
            saved: Those that a support-set file holds, as they are there, and the file.
            saved_path: See ``saved``.
            labels: The labels that are segmented; all by default.
            region: How the propagation that follows looks at slices; None for pictures.
            seed: Of the tuning.

        Raises:
            ModelError: Tuned weights in a file do not fit the model or the support set.
        """
        if self == TuneChoice():
            return model, None
        from ...segmentation.tuning import TuningSettings, read_tuned, tune, tuned_path

        file = self.file
        if self.automatic and saved_path is not None and tuned_path(saved_path).is_file():
            file = tuned_path(saved_path)
        if file is not None:
            kept = read_tuned(file, model, saved)
            return kept.model, kept.report
        settings = TuningSettings(seed=seed) if self.seconds is None else TuningSettings(self.seconds, seed=seed)
        with progress_bar("Tuning") as report:
            tuned = tune(model, examples(), settings, labels=labels, region=region, progress=report)
        return tuned.model, tuned.report


def marked_examples(
    volume: Volume, layers: list[np.ndarray], support: SupportSet | None, axis: str, indices: list[int] | None
) -> Callable[[], SupportSet]:
    """Gives marked slices and support set as one support set; see ``segmentation.tuning.examples_of``."""

    def gather() -> SupportSet:
        from ...segmentation.tuning import examples_of

        return examples_of(volume, layers, support, axis=axis, indices=indices)

    return gather


def tuning_fact(report: TuningReport | None) -> dict[str, Any] | None:
    """What ``--json`` says of a tuning."""
    return None if report is None else report.to_dict()
