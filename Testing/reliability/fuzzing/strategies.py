"""What a stranger may hand in: volumes, label maps, marks, settings and clicks, ordinary, odd and wrong.

Every strategy knows two moods. Careful, it draws what is legal, however odd: a volume of one voxel, of nothing but
zeros, of 1e300. Careless, it also draws what is wrong. Shapes are small on average: at most one axis is long, so that
an example costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from UniverSegSlicerLib.segmentation import CHOICES, STRATEGIES

Draw = Any

REAL_DTYPES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g")
#: No real numbers; what holds them is no volume.
OTHER_DTYPES = ("c8", "c16", "O", "U3", "M8[s]", "m8[s]")
SMALL = (1, 2, 3, 5, 8, 13, 21)
LONG = (64, 127, 200, 333, 512)

NAN, INFINITY = float("nan"), float("inf")


def pick(careless: bool, legal: Sequence[Any], wrong: Sequence[Any] = ()) -> st.SearchStrategy[Any]:
    """One of the legal values; careless, as often a wrong one."""
    if careless and wrong:
        return st.one_of(st.sampled_from(legal), st.sampled_from(wrong))
    return st.sampled_from(legal)


def one_in(number: int) -> st.SearchStrategy[bool]:
    """True once in so many draws."""
    return st.sampled_from((False,) * (number - 1) + (True,))


def generators() -> st.SearchStrategy[np.random.Generator]:
    """NumPy's generators; arrays are filled by them, since drawing voxel by voxel takes seconds."""
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


@st.composite
def shapes(draw: Draw) -> tuple[int, int, int]:
    """(K, J, I) of 1 to 512 voxels each, of which at most one is above 21."""
    shape = [draw(st.sampled_from(SMALL)) for _ in range(3)]
    if draw(one_in(10)):
        shape = [min(n, 5) for n in shape]
        shape[draw(st.integers(0, 2))] = draw(st.sampled_from(LONG))
    return shape[0], shape[1], shape[2]


@st.composite
def arrays(draw: Draw, shape: tuple[int, ...], careless: bool) -> np.ndarray:
    """Voxels of any dtype: a body in noise, noise, constants, the extremes of the type, NaN and infinities."""
    rng = draw(generators())
    dtype = np.dtype(draw(pick(careless, REAL_DTYPES, OTHER_DTYPES)))
    if dtype.kind not in "biuf":
        return np.zeros(shape, dtype)
    kinds = ("body", "body", "noise", "constant", "extremes", "not numbers", "range")
    kind = draw(pick(careless, kinds, ("nothing",)))
    body = np.zeros(shape)
    body[tuple(slice(n // 4, n - n // 4) for n in shape)] = 100
    values = body + rng.normal(0, 10, shape) + 20
    if kind == "noise":
        values = rng.normal(0, 100, shape)
    elif kind == "constant":
        values = np.full(shape, draw(st.sampled_from((0, 7, -3))))
    elif kind == "range":
        values = rng.choice([1e-30, 1.0, 1e30, -1e30], shape)
    with np.errstate(all="ignore"):
        array = _converted(values, dtype)
        if kind == "extremes" and dtype.kind != "b":
            limits = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
            array = rng.choice(np.array([limits.min, 0, limits.max], dtype), shape)
        if kind in ("not numbers", "nothing") and dtype.kind == "f":
            odd = rng.random(shape) < (1.0 if kind == "nothing" else 0.3)
            if kind != "nothing":
                odd.flat[0] = False
            array[odd] = rng.choice(np.array([np.nan, np.inf, -np.inf], dtype), int(odd.sum()))
    order = draw(st.sampled_from(("C", "F", "reversed")))
    return array[::-1] if order == "reversed" else np.array(array, order=order)


def _converted(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(values, float(limits.min) / 2, float(limits.max) / 2).astype(dtype)


@st.composite
def directions(draw: Draw, careless: bool) -> tuple[float, ...]:
    """Nine numbers: axes swapped and flipped, rotations, and no rotation at all."""
    kind = draw(pick(careless, ("axes", "rotation"), ("sheared", "zero", "nan", "short", "huge")))
    if kind == "axes":
        matrix = np.zeros((3, 3))
        matrix[draw(st.permutations((0, 1, 2))), (0, 1, 2)] = [draw(st.sampled_from((-1.0, 1.0))) for _ in range(3)]
        return tuple(matrix.ravel().tolist())
    matrix, _ = np.linalg.qr(draw(generators()).normal(size=(3, 3)))
    wrong = {
        "sheared": matrix + np.triu(np.ones((3, 3))),
        "zero": np.zeros((3, 3)),
        "nan": np.full((3, 3), np.nan),
        "short": np.eye(2),
        "huge": matrix * 1e200,
    }
    return tuple(wrong.get(kind, matrix).ravel().tolist())


@st.composite
def spacings(draw: Draw, careless: bool) -> tuple[float, float, float]:
    """Millimetres: usual ones, tiny and huge ones, and numbers that are no lengths."""
    usual = (0.5, 0.8, 1.0, 2.5, 5.0)
    odd = (*usual, 1e-9, 1e-6, 1e-3, 40.0, 1e6, 1e9)
    legal = usual if draw(st.sampled_from((True, True, False))) else odd
    wrong = (0.0, -1.0, NAN, INFINITY, 1e-30, 1e30, 1e-300, 1e300, 5e-324)
    first, second, third = (draw(pick(careless, legal, wrong)) for _ in range(3))
    return first, second, third


@st.composite
def origins(draw: Draw, careless: bool) -> tuple[float, float, float]:
    """Millimetres."""
    return draw(pick(careless, ((0.0, 0.0, 0.0), (-120.5, 33.0, 1e5)), ((0.0, 0.0, NAN), (1e300, 0.0, -1e300))))


@st.composite
def marks(draw: Draw, shape: tuple[int, int, int], careless: bool) -> np.ndarray | None:
    """Label maps: a few slices along an axis, single voxels, blocks, everything; nothing, other shapes, no labels."""
    rng = draw(generators())
    usual = ("slices",) * 6 + ("voxel", "block", "all")
    kind = draw(pick(careless, usual, ("none", "empty", "crossed", "other shape", "values")))
    if kind == "none":
        return None
    if kind == "other shape":
        return np.ones(tuple(n + 1 for n in shape), np.uint8)
    values = draw(st.lists(st.sampled_from((1, 2, 3, 255, 256, 65535)), min_size=1, max_size=3, unique=True))
    array, blobs = np.zeros((2, *shape), np.uint16)
    for value in values:
        corner = [int(rng.integers(0, n)) for n in shape]
        size = [int(rng.integers(1, max(2, n))) for n in shape]
        blobs[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = value
    if kind in ("slices", "crossed"):
        for axis in rng.permutation(3)[: 2 if kind == "crossed" else 1]:
            filled = np.flatnonzero(blobs.any(axis=tuple(a for a in range(3) if a != axis)))
            place = (slice(None),) * int(axis) + (rng.choice(filled, min(len(filled), 3), replace=False),)
            array[place] = blobs[place]
    elif kind == "voxel":
        array[tuple(int(rng.integers(0, n)) for n in shape)] = values[0]
    elif kind == "block":
        array = blobs
    elif kind == "all":
        array[:] = values[0]
    elif kind == "values":
        odd = array.astype(np.float64)
        odd.flat[0] = draw(st.sampled_from((-1, 70000, 0.5, NAN, INFINITY)))
        return odd
    dtype = draw(st.sampled_from(("u2", "u2", "i4", "i8", "f4", "f8", "?")))
    return array.astype(dtype)


@st.composite
def settings(draw: Draw, count: int, careless: bool) -> dict[str, Any]:
    """Arguments of ``PropagationSettings``; ``count`` slices lie along the axis."""
    first = draw(st.integers(0, count - 1))
    ranges = (None, (0, count), (first, draw(st.integers(first + 1, count))))
    options: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
        "choice": (CHOICES, ("best",)),
        "support_size": ((1, 2, 16), (0, -1, 1.5)),
        "ensemble": ((1, 2, 3), (0,)),
        "flips": ((True, False), ()),
        "seed": ((0, 1, 2**31, 2**63), (-1,)),
        "margin": ((0.0, 0.1, 0.5, 5.0, 1e9, INFINITY), (NAN, -1.0)),
        "margin_mm": ((None, 0.0, 1e-9, 3.0, 1e12, INFINITY), (NAN, -1.0)),
        "shape_weight": ((0.0, 0.5, 1.0), (2.0, NAN)),
        "ending": ((0.0, 3.0, 100), (NAN, INFINITY, 1e9)),
        "passes": ((1, 2, 3), (0,)),
        "detail": ((1, 2, 3), (0,)),
        "smooth": ((0.0, 1e-9, 1.0, 5.0, 100.0), (-1.0, INFINITY, 1e9)),
        "keep_marked": ((True, False), ()),
        "axes": ((1, 3), (0, 2)),
        "slice_range": (ranges, ((-1, 1), (3, 2), (0, count + 1))),
    }
    chosen: dict[str, Any] = {"strategy": draw(pick(careless, STRATEGIES, ("best",)))}
    for name in draw(st.lists(st.sampled_from(sorted(options)), max_size=4, unique=True)):
        chosen[name] = draw(pick(careless, *options[name]))
    return chosen


@st.composite
def windows(draw: Draw, careless: bool) -> tuple[float, float] | None:
    """Intensity windows, mostly none."""
    if not draw(one_in(4)):
        return None
    low, high = sorted(draw(st.sampled_from((-1e308, -100.0, 0.0, 1.0, 100.0, 1e308))) for _ in range(2))
    return draw(pick(careless, ((low, high),), ((1.0, 0.0), (NAN, 1.0), (0.0, INFINITY))))


@st.composite
def points(draw: Draw, rows: int, cols: int, careless: bool, fewest: int = 0) -> list[tuple[float, float]]:
    """``fewest`` to three clicks (row, col), some between pixels, some beside the slice."""
    row = st.one_of(st.floats(-0.5, rows - 0.5), st.integers(0, rows - 1))
    col = st.one_of(st.floats(-0.5, cols - 0.5), st.integers(0, cols - 1))
    if careless:
        row = st.one_of(row, st.sampled_from((-5.0, NAN, 1e9)))
        col = st.one_of(col, st.sampled_from((float(cols), INFINITY)))
    return draw(st.lists(st.tuples(row, col), min_size=fewest, max_size=3))
