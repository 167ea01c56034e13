"""The quality "best" tunes the network on the marked slices first, and says what came of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from Testing.scene.running_case import on_slices, structure
from UniverSegSlicerLib.scene.interface import Selection


@pytest.mark.parametrize(
    ("quality", "marked", "said"),
    [
        ("best", (1, 4, 7), ("Tuned on the examples: ", "Tuning was tried and not kept (")),
        ("best", (1, 7), ("Not tuned: 3 examples of a label are needed",)),
        ("balanced", (1, 4, 7), ()),
    ],
)
def test_a_run_of_each_quality(make, quality, marked, said):
    case = make()
    segmentation = case.world.segmentation(case.volume, {"a": on_slices(structure(1), *marked)})
    case.logic.start(Selection(case.volume, segmentation), replace(case.options, quality=quality))
    state = case.finish()
    assert state.phase == "preview", state.error
    of_tuning = [words for words in state.report.warnings if "uning" in words or "uned" in words]
    assert len(of_tuning) == len(said[:1]) and all(words.startswith(said) for words in of_tuning)
    assert np.isfinite(state.report.seconds) and state.report.examples == len(marked)
