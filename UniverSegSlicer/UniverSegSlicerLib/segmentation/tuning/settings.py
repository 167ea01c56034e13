"""How a network is tuned on examples, and what came of it, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ...errors import InputError

#: Fewer examples than this are never tuned on: nothing would be left to judge by.
FEWEST_EXAMPLES = 3

#: Seconds that "auto" allows.
AUTO_SECONDS = 60.0


@dataclass(frozen=True)
class TuningSettings:
    """Settings of a tuning; the defaults are what ``--tune auto`` uses.

    Attributes:
        seconds: The time that it may take. The number of steps follows from the number of examples and not from the
            clock, so that results repeat; where the time ends before the steps do, the best state so far counts.
        steps: Gradient steps at most; None: by the number of examples.
        rate: AdamW's learning rate.
        gain: Mean Dice that held-out examples must gain for the tuned weights to be kept.
        seed: Of every random draw; the same seed gives the same weights.

    Raises:
        InputError: A value is out of its range; the message names it.
    """

    seconds: float = AUTO_SECONDS
    steps: int | None = None
    rate: float = 1e-3
    gain: float = 0.005
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("seconds", "rate"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"{name} of a tuning is {getattr(self, name)!r}, expected a positive number.")
        if not 0 <= self.gain <= 1:
            raise InputError(f"gain of a tuning is {self.gain!r}, expected a Dice from 0 to 1.")
        if self.steps is not None and (not isinstance(self.steps, int) or self.steps < 1):
            raise InputError(f"steps of a tuning is {self.steps!r}, expected a whole number of at least 1.")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise InputError(f"seed of a tuning is {self.seed!r}, expected a whole number of at least 0.")


@dataclass(frozen=True)
class TuningReport:
    """What happened.

    Attributes:
        kept: Whether the tuned weights are better on held-out examples, and therefore in use.
        steps: Gradient steps of the state that was best (0: the network as it was).
        seconds: Time taken.
        before: Mean Dice of held-out examples with the network as it was; None where nothing was tried.
        after: The same with the best tuned weights; None where nothing was tried.
        examples: Examples that it was judged by.
        reason: In words, why it was kept or not.
    """

    kept: bool
    steps: int
    seconds: float
    before: float | None
    after: float | None
    examples: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        values = asdict(self)
        for name, digits in (("seconds", 3), ("before", 4), ("after", 4)):
            values[name] = None if values[name] is None else round(values[name], digits)
        return values

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"Not tuned: {self.reason}."
        held_out = f"held-out Dice {self.before:.3f} to {self.after:.3f} on {self.examples} examples"
        if self.kept:
            return f"Tuned on the examples: {self.steps} steps in {self.seconds:.1f} s, {held_out}."
        return f"Tuning was tried and not kept ({self.reason}): {held_out}, {self.seconds:.1f} s."
