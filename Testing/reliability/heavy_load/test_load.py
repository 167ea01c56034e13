"""Much at once and much in a row; `make load` and `make endurance` run the full sizes."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in kilobytes there")
def test_the_measured_run_of_a_small_volume(tmp_path: Path) -> None:
    from .load import make_files, measure

    make_files(tmp_path, (96, 80, 20), 3, 5)
    found = measure(tmp_path, str(tmp_path / "model.safetensors"), ["--strategy", "independent"])
    assert (found["labels"], found["marked"], found["slices"]) == (3, 5, 20)
    assert 0.05 < float(str(found["gb"])) < 2


def test_counting_labels_takes_no_copy_of_the_volume() -> None:
    import tracemalloc

    from UniverSegSlicerLib.cli.common.propagated import count_labels

    labels = np.zeros((64, 128, 128), np.uint16)
    labels[3, :2, :5], labels[9, 0, 0] = 7, 65535
    tracemalloc.start()
    assert count_labels(labels) == {7: 10, 65535: 1}
    assert tracemalloc.get_traced_memory()[1] < labels.nbytes * 1.5  # one int64 copy would be four times as large
    tracemalloc.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_memory_and_threads_do_not_grow() -> None:
    pytest.importorskip("slicer")
    from .endurance import SLACK_MB, endure

    growth, before, after = endure(24, 8)
    assert growth < SLACK_MB and after <= before


@pytest.mark.mrml
def test_a_hundred_fast_clicks_are_answered_by_the_last(tmp_path: Path, tiny_model_path: Path) -> None:
    pytest.importorskip("slicer")
    from Testing.scene.clicking.test_clicks import SHAPE, Clicking
    from Testing.scene.conftest import World

    world = World()
    case = Clicking(world, tiny_model_path, None)
    try:
        case.logic.begin_clicks(case.selection, "k", 4, case.options)
        case.wait()
        engine = case.logic._clicks._mode.engine
        computed: list[int] = []
        plain, begun, given = engine.answer, threading.Event(), threading.Event()

        def answer(state: Any, prior: Any, token: Any) -> Any:
            computed.append(len(state.include) + len(state.exclude))
            begun.set()
            assert given.wait(120)  # the first answer takes as long as all the clicks
            return plain(state, prior, token)

        engine.answer = answer
        for number in range(100):
            assert case.logic.click(case.ras(number % SHAPE[2], number % SHAPE[1], 4), number % 3 > 0)
            # The worker may not have woken before the hundredth click, and would then answer that one alone.
            assert number or begun.wait(120)
        given.set()
        case.wait()
        # Those that waited meanwhile are dropped unseen; there is no queue of stale work.
        assert computed[-1] == 100 and len(computed) == 2
        mode = case.logic._clicks._mode
        assert sorted(mode.answers)[-1] == 100 and mode.mask() is not None
    finally:
        case.logic.shutdown()
        world.scene.Clear(1)
