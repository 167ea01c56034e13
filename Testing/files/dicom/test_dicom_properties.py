"""Any straight stack, in any order, as slices or as one object, comes back with its grid and its values."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from Testing.files.dicom.dicom_maker import enhanced, save, write_series
from UniverSegSlicerLib.files.dicom import read_dicom


@st.composite
def stacks(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, object]]:
    """A stack's values, (K, J, I), and how it lies in the patient."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(st.integers(2, 6), st.integers(1, 5), st.integers(1, 5)))
    kind = draw(st.sampled_from([np.uint8, np.int16, np.uint16, np.int32]))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    whole = draw(st.booleans())
    return rng.integers(0, 100, shape).astype(kind), {
        "axes": turn[:, :2].T,
        "normal": np.cross(turn[:, 0], turn[:, 1]),
        "origin": rng.uniform(-500, 500, 3),
        "spacing": rng.uniform(0.2, 6, 3),
        "order": rng.permutation(shape[0]),
        "slopes": [
            (int(rng.integers(1, 9)), int(rng.integers(-99, 99))) if whole else tuple(rng.uniform(0.01, 2, 2))
            for _ in range(shape[0])
        ],
    }


@settings(max_examples=40, deadline=None)
@given(stack=stacks(), one_file=st.booleans())
def test_a_stack_comes_back(stack: tuple[np.ndarray, dict], one_file: bool) -> None:
    array, lies = stack
    order, spacing = lies["order"], lies["spacing"]
    # As headers write them: a number has sixteen letters.
    places = [[float(f"{x:.9g}") for x in lies["origin"] + k * spacing[2] * lies["normal"]] for k in range(len(array))]
    slopes = [(float(f"{a:.9g}"), float(f"{b:.9g}")) for a, b in lies["slopes"]]
    orientation = [float(f"{x:.9f}") for x in lies["axes"].ravel()]
    apart = [float(f"{spacing[1]:.9g}"), float(f"{spacing[0]:.9g}")]

    def rescale(index: int, made: Dataset) -> None:
        made.RescaleSlope, made.RescaleIntercept = slopes[order[index]]

    with tempfile.TemporaryDirectory() as folder:
        there = [places[k] for k in order]
        if one_file:
            made = enhanced(
                array[order], there, orientations=[orientation] * len(array), spacing=(apart[0], apart[1]),
                slopes=[slopes[k] for k in order],
            )  # fmt: skip
            path = save(made, Path(folder) / "frames.dcm")
        else:
            path = Path(folder)
            write_series(
                path, array[order], there, orientation=orientation, spacing=(apart[0], apart[1]), change=rescale
            )
        volume = read_dicom(path)
    expected = [plane * a + b for plane, (a, b) in zip(array.astype(float), slopes, strict=True)]
    np.testing.assert_allclose(volume.array, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(volume.geometry.spacing, spacing, atol=1e-5)
    corners = np.array([(0, 0, 0), np.array(array.shape[::-1]) - 1])
    rows = np.array([*lies["axes"], lies["normal"]])
    np.testing.assert_allclose(volume.geometry.to_world(corners), corners * spacing @ rows + lies["origin"], atol=1e-4)
