"""A hundred examples of anything; `make fuzz` runs two thousand."""

from __future__ import annotations

from collections import Counter

import pytest

from ..damage.mutate import SHARES, run
from .fuzz import PROFILES, run_property, shares


@pytest.mark.parametrize(("name", "examples"), shares(PROFILES["ci"]).items())
def test_anything_gives_a_label_map_or_an_error_of_ours(name: str, examples: int) -> None:
    counts: Counter[str] = Counter()
    run_property(name, examples, counts)
    refused = sum(number for what, number in counts.items() if what.startswith("refused"))
    assert counts.total() >= examples
    assert refused < counts.total() / 2, f"most examples never reach the network: {counts}"


def test_damaged_files_are_read_or_refused() -> None:
    tally = run(100)
    assert tally.bad == []
    assert set(tally.counts) == set(SHARES)
    outcomes = sum(tally.counts.values(), Counter())
    assert outcomes.total() == 100 and outcomes["read"] and outcomes["refused"]
