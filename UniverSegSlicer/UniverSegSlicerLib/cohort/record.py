"""What is known of one case when it is done: a row of the table, and what tells whether it has to be done again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class LabelFacts:
    """One label in one case.

    Attributes:
        name: Its name, or ``label N``.
        voxels: How many.
        ml: Its volume in millilitres.
        confidence: Mean over its voxels, 0 to 1; None where nothing was found.
        agreement: Mean Dice of the result with those of other draws of the support, 0 to 1; None: there was one draw.
    """

    name: str
    voxels: int
    ml: float
    confidence: float | None
    agreement: float | None


@dataclass(frozen=True)
class CaseRecord:
    """One case.

    Attributes:
        case: Its name.
        volume: Its file.
        output: Its label map, within the output folder.
        error: Why it failed, in a sentence; empty where it did not.
        warnings: What to know of it, one sentence each.
        labels: Label value to its facts.
        distance: From the support in the network's features, 0 (alike) to 2; None where it failed.
        seconds: Time taken.
        processor_seconds: The share of a processor's time in it, which other programs do not lengthen.
        axis: Slice axis.
        suggested: Slices worth marking, best first.
        spacing: Of the volume, mm.
        size: Of the volume in voxels along I, J, K.
        version: Of the program.
        model: Name of the network.
        model_sha256: Of its file.
        support_sha256: Of the content of the support's parts that were used.
        support_scans: Where these parts come from.
        recipe: Hash of what was used of the support, model, settings and version.
        stamp: Size and time of change of the volume's files, and the SHA-256 of their content.
        output_bytes: Size of the label map.
    """

    case: str
    volume: str
    output: str
    error: str = ""
    warnings: tuple[str, ...] = ()
    labels: dict[int, LabelFacts] = field(default_factory=dict)
    distance: float | None = None
    seconds: float = 0.0
    processor_seconds: float = 0.0
    axis: str = ""
    suggested: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    size: tuple[int, ...] = ()
    version: str = ""
    model: str = ""
    model_sha256: str = ""
    support_sha256: str = ""
    support_scans: tuple[str, ...] = ()
    recipe: str = ""
    stamp: dict[str, Any] = field(default_factory=dict)
    output_bytes: int = 0

    @property
    def failed(self) -> bool:
        """Whether there is no label map."""
        return bool(self.error)

    @property
    def agreement(self) -> float | None:
        """Mean over its labels."""
        return _mean([facts.agreement for facts in self.labels.values()])

    @property
    def confidence(self) -> float | None:
        """Mean over its labels."""
        return _mean([facts.confidence for facts in self.labels.values()])

    def to_json(self) -> str:
        """As :meth:`from_json` reads it."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> CaseRecord:
        """Raises ValueError, KeyError or TypeError for anything else than a record."""
        values = json.loads(text)
        values["labels"] = {int(value): LabelFacts(**facts) for value, facts in values["labels"].items()}
        for name in ("warnings", "suggested", "spacing", "size", "support_scans"):
            values[name] = tuple(values[name])
        return cls(**values)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
