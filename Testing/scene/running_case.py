"""A scene with a marked volume and the logic under test, with a tiny seeded network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from UniverSegSlicerLib.scene.interface import RunOptions, Selection

SHAPE = (9, 24, 28)
MARKED = (2, 6)


def structure(value: int = 1) -> np.ndarray:
    """A cone that changes from slice to slice, (K, J, I); ``value`` 2 is another one beside it."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    centre = 9 if value == 1 else 20
    return (np.hypot(j - 12, i - centre) < 2 + 0.5 * k).astype(np.uint8)


def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    grey = 100 * structure(1) + 60 * structure(2) + rng.normal(0, 5, SHAPE)
    return grey.astype(np.int16)


def on_slices(mask: np.ndarray, *slices: int) -> np.ndarray:
    result = np.zeros_like(mask)
    result[list(slices)] = mask[list(slices)]
    return result


class Case:
    """A scene with a volume, two marked segments, and the logic under test."""

    def __init__(self, world: Any, model: Path, loader: Callable[..., Any] | None = None, matrix: Any = None) -> None:
        from UniverSegSlicerLib.scene.logic import UniverSegLogic

        self.world = world
        self.scene = world.scene
        self.volume = world.volume(image(), matrix)
        self.segmentation = world.segmentation(
            self.volume, {"a": on_slices(structure(1), *MARKED), "b": on_slices(structure(2), *MARKED)}
        )
        self.logic = UniverSegLogic(self.scene, loader) if loader else UniverSegLogic(self.scene)
        self.options = RunOptions(model=str(model), device="cpu", quality="fast")
        self.selection = Selection(self.volume, self.segmentation)

    def read(self, segment_id: str) -> np.ndarray:
        from UniverSegSlicerLib.scene.mrml.segments import read_segment

        return read_segment(self.segmentation, segment_id, self.volume)

    def finish(self, timeout: float = 120.0) -> Any:
        end = time.monotonic() + timeout
        while self.logic.poll().busy or self.logic.state.phase == "running":
            time.sleep(0.005)
            assert time.monotonic() < end, "the run did not finish"
        return self.logic.state

    def nodes(self) -> int:
        return int(self.scene.GetNumberOfNodes())

    def marked(self) -> list[int]:
        return [row.index for row in self.logic.support(self.selection).rows]


class Gate:
    """A loader that waits until it is let go, then loads the real model: a run that surely is in progress."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def __call__(self, name: str, device: str) -> Any:
        from UniverSegSlicerLib.network import load_model

        self.reached.set()
        assert self.go.wait(120)
        return load_model(name, device)


def segment_on(node: Any, segment_id: str, volume: Any) -> np.ndarray:
    from UniverSegSlicerLib.scene.mrml.segments import read_segment

    return read_segment(node, segment_id, volume)
