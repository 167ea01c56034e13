"""What must hold for anything that may be handed in: a label map on the exact grid, or an error of our own."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from UniverSegSlicerLib.errors import UniverSegError
from UniverSegSlicerLib.files import read_label_map, write_label_map
from UniverSegSlicerLib.imaging import AXES, Geometry, IntensityWindow, Volume, array_axis, slice_stack
from UniverSegSlicerLib.segmentation import (
    Propagation,
    PropagationSettings,
    SupportSet,
    click_segment,
    correct_neighbours,
    propagate,
    segment_images,
)

from ..networks import ANSWERS, tiny_network
from . import strategies as some

SECONDS = 60  # of the processor, for one example; they take some tenths of one
_CHANNELS = (4, 4, 4, 3, 1)  # of the networks that are drawn
_WAITING = 10  # times as long on the clock, on a machine that does other work beside it


class Hang(BaseException):
    """An example took longer than :data:`SECONDS`."""


def outcome(example: Callable[[st.DataObject], str], data: st.DataObject) -> str:
    """Run one example; the name of what came out. What is no error of ours, NumPy's warnings included, is raised."""
    with _at_most(SECONDS), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return example(data)
        except UniverSegError as error:
            assert str(error).strip() and "\n" not in str(error), f"not one sentence: {error!r}"
            return f"refused ({type(error).__name__})"


def propagation(data: st.DataObject) -> str:
    """``propagate`` on any volume with any marks, settings and support."""
    careless = _careless(data)
    volume = _volume(data, careless)
    shape = volume.array.shape
    marks = data.draw(some.marks(shape, careless), "marks")
    axis = data.draw(some.pick(careless, (*AXES, "auto"), ("x",)), "axis")
    count = shape[array_axis(axis)] if axis in AXES else min(shape)
    model = _model(data)
    settings = PropagationSettings(**data.draw(some.settings(count, careless), "settings"))
    limits = data.draw(some.windows(careless), "window")
    window = None if limits is None else IntensityWindow(*limits)
    support = _support(data, careless)
    present = [] if marks is None else [int(v) for v in np.unique(marks) if np.isfinite(v) and v > 0]
    asked = data.draw(some.pick(careless, (None, None, present or None), ([], [0], [-1, 70000], [2, 2, 3])), "asked")
    numbers = st.none() if data.draw(some.pick(careless, (True,), (False,))) else st.lists(st.integers(-1, count))
    indices = data.draw(numbers, "marked indices")
    confidence = data.draw(st.booleans(), "confidence")
    before = volume.array.copy(), None if marks is None else marks.copy()
    result = propagate(
        volume, marks, model=model, axis=axis, label_values=asked, support=support, marked_indices=indices,
        settings=settings, window=window, confidence=confidence,
    )  # fmt: skip
    _check_propagation(result, volume, marks, settings, support, asked, confidence)
    np.testing.assert_array_equal(before[0], volume.array)
    if marks is not None:
        np.testing.assert_array_equal(before[1], marks)
    if model.name == "tiny-yes" and result.strategy in ("independent", "cascade"):
        # A network that says yes everywhere: an empty slice would have got lost on the way.
        wanted = np.arange(shape[array_axis(result.axis)])
        if settings.slice_range is not None:
            wanted = wanted[slice(*settings.slice_range)]
        wanted = np.setdiff1d(wanted, result.marked)
        assert slice_stack(result.labels, result.axis)[wanted].any(axis=(1, 2)).all(), "slices got lost"
    if data.draw(some.one_in(5), "on disk"):
        _check_file(data, result.labels, volume.geometry)
    return "label map" if result.labels.any() else "label map, nothing found"


def click(data: st.DataObject) -> str:
    """``click_segment`` on any slice with any clicks, prior and support."""
    careless = _careless(data)
    rows, cols = shape = tuple(data.draw(st.sampled_from((*some.SMALL, 64, 512)), "side") for _ in range(2))
    image = data.draw(some.arrays(shape, careless), "image")
    priors = (None, np.full(shape, 0.0), np.full(shape, 0.3), np.ones(shape), np.eye(*shape, dtype=bool))
    wrong = (np.full(shape, 1.5), np.full(shape, np.nan), np.zeros((rows + 1, cols)))
    # A network with one plane reads no clicks and refuses them; that is one way among many to be refused.
    channels = _CHANNELS if careless else _CHANNELS[:-1]
    # Without any click on the structure only a prior or examples can say what is meant; often there are neither.
    fewest = 0 if careless or data.draw(some.one_in(4), "none on it") else 1
    result = click_segment(
        image,
        include=data.draw(some.points(rows, cols, careless, fewest), "include"),
        exclude=data.draw(some.points(rows, cols, careless), "exclude"),
        model=_model(data, channels),
        support=_support(data, careless),
        label=data.draw(some.pick(careless, (1,), (2, 0)), "label"),
        prior=data.draw(some.pick(careless, priors, wrong), "prior"),
        spacing=data.draw(some.spacings(careless), "spacing")[1:],
        index=data.draw(st.sampled_from((None, 0, 3)), "index"),
        settings=PropagationSettings(**data.draw(some.settings(4, careless), "settings")),
    )
    assert result.mask.shape == shape and result.mask.dtype == bool
    assert result.probability.shape == shape and result.probability.dtype == np.float32
    assert np.isfinite(result.probability).all()
    assert result.probability.min() >= 0 and result.probability.max() <= 1
    np.testing.assert_array_equal(result.mask, result.probability > 0.5)
    return "mask" if result.mask.any() else "mask, nothing found"


def correction(data: st.DataObject) -> str:
    """``correct_neighbours`` of any slice of any label map."""
    careless = _careless(data)
    volume = _volume(data, careless)
    labels = data.draw(some.marks(volume.array.shape, careless), "labels")
    labels = np.zeros(volume.array.shape, np.uint16) if labels is None else labels
    axis = data.draw(st.sampled_from(AXES), "axis")
    count = volume.array.shape[array_axis(axis)]
    numbers = st.integers(-1, count) if careless else st.integers(0, count - 1)
    index = data.draw(numbers, "index")
    marked = data.draw(st.lists(numbers, max_size=3), "marked")
    result = correct_neighbours(
        volume, labels, axis, index, model=_model(data), marked=marked,
        label_values=data.draw(some.pick(careless, (None, [1], [1, 2, 3]), ([], [-1])), "asked"),
        reach=data.draw(some.pick(careless, (1, 2, 5, 1000), (0, -1)), "reach"), support=_support(data, careless),
        settings=PropagationSettings(**data.draw(some.settings(count, careless), "settings")),
    )  # fmt: skip
    assert result.labels.shape == volume.array.shape and result.labels.dtype == np.uint16
    first, stop = result.slices
    assert 0 <= first <= index < stop <= count
    new, old = slice_stack(result.labels, axis), slice_stack(np.asarray(labels), axis)
    kept = [n for n in range(count) if not first <= n < stop or n == index]
    np.testing.assert_array_equal(new[kept], old[kept])
    return "label map" if result.labels.any() else "label map, nothing there before"


def images(data: st.DataObject) -> str:
    """``segment_images`` on pictures of any kind."""
    careless = _careless(data)
    pictures = []
    for _ in range(data.draw(st.integers(0, 3), "number")):
        shape = tuple(data.draw(st.sampled_from((*some.SMALL, 200)), "side") for _ in range(2))
        pictures.append(data.draw(some.arrays(shape, careless), "picture"))
    found = segment_images(
        pictures, _support(data, careless, needed=True), _model(data),
        label=data.draw(some.pick(careless, (None, 1), (2, 0)), "label"),
        ensemble=data.draw(some.pick(careless, (1, 2), (0,)), "ensemble"),
        support_size=data.draw(st.sampled_from((64, 1)), "support size"),
    )  # fmt: skip
    assert [f.shape for f in found] == [p.shape for p in pictures]
    assert all(np.isfinite(f).all() and f.dtype == np.float32 for f in found)
    return "logits"


#: Every property with its share of the examples.
PROPERTIES: dict[str, tuple[Callable[[st.DataObject], str], float]] = {
    "propagate": (propagation, 0.65),
    "click": (click, 0.2),
    "correct neighbours": (correction, 0.1),
    "segment images": (images, 0.05),
}


def _careless(data: st.DataObject) -> bool:
    return data.draw(some.one_in(4), "careless")


def _volume(data: st.DataObject, careless: bool) -> Volume:
    shape = data.draw(some.shapes(), "shape")
    # One wrong thing at a time, or the later ones would never be looked at.
    wrong = data.draw(st.sampled_from(("voxels", "spacing", "origin", "direction", "", "", "", "")), "wrong")
    array = data.draw(some.arrays(shape, careless and wrong == "voxels"), "voxels")
    spacing = data.draw(some.spacings(careless and wrong == "spacing"), "spacing")
    origin = data.draw(some.origins(careless and wrong == "origin"), "origin")
    direction = data.draw(some.directions(careless and wrong == "direction"), "direction")
    return Volume(array, Geometry(shape[::-1], spacing, origin, direction))


def _model(data: st.DataObject, channels: tuple[int, ...] = _CHANNELS) -> Any:
    return tiny_network(data.draw(st.sampled_from(ANSWERS), "answer"), data.draw(st.sampled_from(channels), "Q"))


def _support(data: st.DataObject, careless: bool, *, needed: bool = False) -> SupportSet:
    if not needed and data.draw(st.booleans(), "no support"):
        return SupportSet()
    rng = data.draw(some.generators(), "support")
    pairs = data.draw(st.integers(0 if careless else 1, 3), "support size")
    shape = tuple(data.draw(st.sampled_from((1, 4, 17, 40)), "support side") for _ in range(2))
    pictures = [rng.normal(size=shape) for _ in range(pairs)]
    labels = [(rng.random(shape) < data.draw(st.sampled_from((0.3, 1.0)), "filled")) * 1 for _ in pictures]
    for picture in labels:
        picture.flat[0] = 1
    spacing = data.draw(some.spacings(careless), "support spacing")[:2]
    support = SupportSet.from_pairs(pictures, labels, spacings=[spacing] * pairs)
    if careless:
        support = support.using(data.draw(st.lists(st.integers(0, pairs), max_size=3), "used"))
    return support


def _check_propagation(
    result: Propagation,
    volume: Volume,
    marks: np.ndarray | None,
    settings: PropagationSettings,
    support: SupportSet | None,
    asked: list[int] | None,
    confidence: bool,
) -> None:
    shape = volume.array.shape
    assert result.labels.shape == shape and result.labels.dtype == np.uint16
    allowed = {0, *(support.label_values if support else ()), *(() if marks is None else np.unique(marks).tolist())}
    if asked is not None:
        allowed &= {0, *asked}
    assert set(np.unique(result.labels).tolist()) <= allowed, "a label from nowhere"
    found = slice_stack(result.labels, result.axis)
    marked = list(result.marked)
    assert marked == sorted(set(marked)) and all(0 <= n < len(found) for n in marked)
    if marks is not None and settings.keep_marked:
        given = slice_stack(marks, result.axis)[marked].astype(np.uint16)
        given = np.where(np.isin(given, sorted(allowed)), given, 0)
        np.testing.assert_array_equal(found[marked], given, "marked slices were changed")
    if settings.slice_range is not None:
        first, stop = settings.slice_range
        others = [n for n in range(len(found)) if not first <= n < stop and n not in marked]
        assert not found[others].any(), "slices beyond the range were filled"
    if not confidence:
        assert result.confidence is None
    else:
        assert result.confidence is not None
        assert result.confidence.shape == shape and result.confidence.dtype == np.float32
        assert np.isfinite(result.confidence).all()
        assert result.confidence.min() >= 0 and result.confidence.max() <= 1
    suggested = [s.index for s in result.next_slices]
    assert len(set(suggested)) == len(suggested) and not set(suggested) & set(marked)
    assert all(0 <= n < len(found) for n in suggested) and all(np.isfinite(s.score) for s in result.next_slices)


def _check_file(data: st.DataObject, labels: np.ndarray, geometry: Geometry) -> None:
    ending = data.draw(st.sampled_from((".nii.gz", ".nii", ".nrrd", ".mha")), "ending")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"labels{ending}"
        write_label_map(path, labels, geometry)
        back = read_label_map(path)
    np.testing.assert_array_equal(back.array, labels)
    assert geometry.difference(back.geometry) is None, geometry.difference(back.geometry)


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise Hang in the main thread after some seconds of work, where the system has alarms."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    begin = time.process_time(), time.monotonic()

    def ring(*_: object) -> None:
        worked, passed = time.process_time() - begin[0], time.monotonic() - begin[1]
        if worked >= seconds or passed >= _WAITING * seconds:
            raise Hang(f"{worked:.0f} s of the processor, {passed:.0f} s on the clock")

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
