"""What fuzzing and damaged files have brought to light, each mended and kept from coming back."""

from __future__ import annotations

import tokenize
import warnings
from pathlib import Path

import numpy as np
import pytest

from UniverSegSlicerLib.errors import InputError, ModelError
from UniverSegSlicerLib.files import check_grid, read_volume, write_label_map
from UniverSegSlicerLib.imaging import Geometry, IntensityWindow, SliceFrame, Volume
from UniverSegSlicerLib.segmentation import STRATEGIES, PropagationSettings, SupportSet, click_segment, propagate

from .networks import tiny_network


@pytest.fixture(autouse=True)
def no_warnings():
    """An overflow in NumPy is a fault as well."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("direction", [np.eye(3) * 1e200, np.full((3, 3), np.inf), np.full((3, 3), np.nan)])
def test_directions_that_overflow_are_refused(direction: np.ndarray) -> None:
    with pytest.raises(InputError, match="not orthonormal"):
        Geometry((1, 1, 1), direction=tuple(direction.ravel()))


@pytest.mark.parametrize("length", [5e-324, 1e-30, 1e30, 1e300])
def test_lengths_beyond_all_voxels_are_refused(length: float) -> None:
    with pytest.raises(InputError, match="spacing"):
        Geometry((2, 2, 2), (1.0, length, 1.0))
    with pytest.raises(InputError, match="spacing"):
        SliceFrame.fit((4, 4), (length, 1.0))


@pytest.mark.parametrize("spacing", [(0.5, float("nan")), (0.0, 1.0), (1.0, float("inf"))])
def test_a_click_with_a_prior_on_impossible_spacing(spacing: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="spacing"):
        click_segment(np.eye(8), include=[(1, 1)], prior=np.eye(8), spacing=spacing, model=tiny_network())


def test_a_window_wider_than_float32_on_small_voxels() -> None:
    seen = IntensityWindow(-1e308, 100).apply(np.array([0, 50, 100, 200], np.uint8))
    assert np.isfinite(seen).all() and (seen == 1).all()


def test_numbers_beyond_float64_are_infinite() -> None:
    values = np.array([0, 1, 2, 3], np.longdouble)
    values[3] = np.finfo(np.longdouble).max
    window = IntensityWindow.of(values)
    assert (window.low, window.high) == (0, 2) or np.finfo(np.longdouble).max == np.finfo(np.float64).max
    assert np.isfinite(window.apply(values)).all()
    if np.finfo(np.longdouble).max > np.finfo(np.float64).max:
        with pytest.raises(InputError, match="no finite value"):
            IntensityWindow.of(values[3:])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_more_doubt_than_float16_holds(strategy: str) -> None:
    marks = np.zeros((60, 3, 3), np.uint8)
    marks[0] = 1
    volume = Volume(np.random.default_rng(0).random(marks.shape), Geometry(marks.shape[::-1]))
    settings = PropagationSettings(strategy=strategy, ending=100, smooth=0)
    result = propagate(volume, marks, model=tiny_network("yes"), axis="k", settings=settings)
    assert np.isfinite(result.confidence).all() and (result.labels[0] == 1).all()


@pytest.mark.parametrize("name", ["ending", "smooth"])
@pytest.mark.parametrize("value", [1e9, float("nan"), -1])
def test_settings_that_would_overflow_or_fill_the_memory(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} is .* from 0 to 100"):
        PropagationSettings(**{name: value})


def test_a_grid_that_nifti_rounds_away_is_refused_before_and_after_the_work(tmp_path: Path) -> None:
    far = Geometry((2, 3, 4), (1e-6, 1e-6, 1e-6), (1e5 + 1e-3, 0, 0))
    for path in (tmp_path / "out.nii.gz", tmp_path / "out.nii"):
        with pytest.raises(InputError, match=r"cannot hold the grid .* origin differs"):
            check_grid(path, far)
        with pytest.raises(InputError, match="cannot hold the grid"):
            write_label_map(path, np.zeros(far.shape), far)
    write_label_map(tmp_path / "out.nrrd", np.zeros(far.shape), far)
    assert far.difference(read_volume(tmp_path / "out.nrrd").geometry) is None
    assert [path.name for path in tmp_path.iterdir()] == ["out.nrrd"]


def test_a_broken_header_of_an_array_in_a_support_set(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "set.npz"
    SupportSet.from_pairs([np.eye(3)], [np.eye(3)]).save(path)
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()}
    members["image_0.npy"] = members["image_0.npy"].replace(b"}", b" ")
    with zipfile.ZipFile(path, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    with pytest.raises(InputError, match="not a usable support set") as caught:
        SupportSet.load(path)
    assert isinstance(caught.value.__cause__, (tokenize.TokenError, SyntaxError, ValueError))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name: \xff\xfe", "is not a text in UTF-8"),
        (b"a: [1\nb: 2", "is not valid YAML: .* in line 2"),
        (b"a: \x00", "is not valid YAML"),
        (b"a: &x [*x]", "refers to itself"),
        (
            b"a: &a [1]\n" + b"".join(b"%c: &%c [%s]\n" % (n, n, b"*%c, " % (n - 1) * 9) for n in range(98, 110)),
            "larger",
        ),
        (b"[" * 500, "nested too deeply|is not valid YAML"),
        (b"a: 2001-99-99", "cannot be read"),
    ],
)
def test_yaml_that_is_none_or_unfolds_without_end(tmp_path: Path, content: bytes, words: str) -> None:
    from trainer.learning.loop.config import load_config
    from trainer.megamedical.declaration import load_declaration

    path = tmp_path / "settings.yaml"
    path.write_bytes(content)
    for load in (load_config, load_declaration):
        with pytest.raises(InputError, match=words) as caught:
            load(path)
        assert "\n" not in str(caught.value)


def test_a_damaged_checkpoint_says_so_in_one_sentence_of_ours(tmp_path: Path) -> None:
    import torch

    from trainer.learning.loop.checkpoints import load_checkpoint

    from .damage.seed_files import Seeds

    saved, _ = Seeds(tmp_path).kinds["checkpoint"][0]
    step = saved.parent
    for name, content in (("optimizer.pt", b"\x80\x02cposix\nsystem\n."), ("record.json", b"[]"), ("states.pt", b"PK")):
        kept = (step / name).read_bytes()
        (step / name).write_bytes(content)
        with pytest.raises(ModelError) as caught:
            load_checkpoint(step)
        assert "\n" not in str(caught.value) and "weights_only" not in str(caught.value)
        (step / name).write_bytes(kept)
    assert isinstance(load_checkpoint(step).network["out_conv.conv.bias"], torch.Tensor)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_a_header_that_promises_gigabytes_is_not_believed(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"v{ending}"
    write_label_map(path, np.zeros((4, 5, 6)), Geometry((6, 5, 4)))
    data = path.read_bytes()
    assert b"6 5 4" in data
    path.write_bytes(data.replace(b"6 5 4", b"6000 50000 40"))
    with pytest.raises(InputError, match=r"damaged or cut off: its header tells of 12000000000 bytes of voxels"):
        read_volume(path)


def test_a_dicom_element_longer_than_its_file(tmp_path: Path) -> None:
    from pydicom.data import get_testdata_file

    data = bytearray(Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes())
    place = data.index(b"\xe0\x7f\x10\x00OW") + 8
    assert int.from_bytes(data[place : place + 4], "little") == 128 * 128 * 2
    data[place : place + 4] = (1 << 31).to_bytes(4, "little")
    path = tmp_path / "ct.dcm"
    path.write_bytes(data)
    # There is no more than the voxels and what little lies behind them: these are read, and no gigabytes are reserved.
    assert read_volume(path).array.shape == (1, 128, 128)
    path.write_bytes(data[: place + 4 + 128])
    for given in (path, tmp_path):
        with pytest.raises(InputError, match="tells of 32768 bytes of voxels, and 128 bytes are there"):
            read_volume(given)
    rows = data.index(b"\x28\x00\x10\x00US") + 8
    data[rows : rows + 2] = (65535).to_bytes(2, "little")
    path.write_bytes(data)
    with pytest.raises(InputError, match="is cut off or damaged: its header tells of 16776960 bytes of voxels"):
        read_volume(path)


@pytest.mark.parametrize("offset", [1e38, float("nan"), float("inf"), -1.0])
def test_voxels_that_start_nowhere_in_nifti(tmp_path: Path, offset: float) -> None:
    import struct

    for ending in (".nii", ".nii.gz"):
        path = tmp_path / f"v{ending}"
        write_label_map(path, np.zeros((4, 5, 6)), Geometry((6, 5, 4)))
        import gzip

        data = bytearray(gzip.decompress(path.read_bytes()) if ending == ".nii.gz" else path.read_bytes())
        struct.pack_into("<f", data, 108, offset)
        path.write_bytes(gzip.compress(bytes(data)) if ending == ".nii.gz" else bytes(data))
        with pytest.raises(InputError, match="start at byte"):
            read_volume(path)


@pytest.mark.parametrize(
    ("ending", "old", "new"),
    [
        (".nrrd", b"(1,0,0) (0,1,0) (0,0,1)", b"(1,0,0) (0,1,0) (0,0,1) " + b"(0,0,1) " * 40),
        (".nrrd", b"(1,0,0) (0,1,0) (0,0,1)", b"(1,0,0) (0,1,0"),
        (".nrrd", b"sizes: 6 5 4", b"sizes: 6 5 4 3"),
        (".nrrd", b"dimension: 3", b"dimension: 99"),
        (".mha", b"Offset = 0 0 0", b"Offset = 0 0"),
        (".mha", b"Offset = 0 0 0", b"Offset = -12 30\xa85"),
        (".mha", b"TransformMatrix = 1 0 0 0 1 0 0 0 1", b"TransformMatrix = 1 0 0 0 1 0 0 1"),
        (".mha", b"ElementDataFile = LOCAL\n", b"ElementDataFile = LOCA\x7f\xff"),
        (".mha", b"NDims = 3", b"NDims = 300"),
    ],
)
def test_headers_that_made_itk_end_the_process(tmp_path: Path, ending: str, old: bytes, new: bytes) -> None:
    path = tmp_path / f"v{ending}"
    write_label_map(path, np.zeros((4, 5, 6)), Geometry((6, 5, 4)))
    read_volume(path)
    data = path.read_bytes()
    assert old in data, data[:500]
    path.write_bytes(data.replace(old, new, 1))
    with pytest.raises(InputError, match="damaged"):
        read_volume(path)


def test_a_click_that_hardly_says_yes_has_the_mask_of_its_probability() -> None:
    result = click_segment(np.eye(5), include=[(1, 1)], model=tiny_network("hardly"))
    assert (result.probability == 0.5).any()
    np.testing.assert_array_equal(result.mask, result.probability > 0.5)
