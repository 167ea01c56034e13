"""``python -m Testing.reliability.fuzzing.fuzz``: many examples of every property, and a count of what came out.

Exit code 0 where every example gave a label map or an error of our own; else the smallest failing example is shown.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .properties import PROPERTIES, outcome

#: Examples in all: in the suite, and in the run that docs/reliability.md tells of.
PROFILES = {"ci": 100, "long": 2000}


def run_property(
    name: str, examples: int, counts: Counter[str] | None = None, *, seconds: list[float] | None = None
) -> None:
    """Run so many examples of one property; raise what the first failing one raised, made as small as possible.

    Args:
        name: Of :data:`~Testing.reliability.fuzzing.properties.PROPERTIES`.
        examples: How many.
        counts: Filled with what came out.
        seconds: Filled with the time of each example.
    """
    example = PROPERTIES[name][0]

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        begin = time.perf_counter()
        found = outcome(example, data)
        if counts is not None:
            counts[found] += 1
        if seconds is not None:
            seconds.append(time.perf_counter() - begin)

    with np.printoptions(threshold=20, edgeitems=2):
        check()


def shares(total: int) -> dict[str, int]:
    """How ``total`` examples are divided among the properties."""
    return {name: max(1, round(total * share)) for name, (_, share) in PROPERTIES.items()}


def main(arguments: list[str] | None = None, say: Callable[[str], None] = print) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="long")
    profile = parser.parse_args(arguments).profile
    total, failed = 0, 0
    for name, examples in shares(PROFILES[profile]).items():
        counts: Counter[str] = Counter()
        seconds: list[float] = []
        try:
            run_property(name, examples, counts, seconds=seconds)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            failed += 1
            import traceback

            traceback.print_exc()
        total += len(seconds)
        parts = ", ".join(f"{number} {what}" for what, number in counts.most_common())
        say(
            f"{name}: {len(seconds)} examples in {sum(seconds):.0f} s, at most {max(seconds, default=0):.2f} s: {parts}"
        )
    say(f"{total} examples; {failed} properties failed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
