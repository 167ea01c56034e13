"""Files of every format, whole and damaged."""

from __future__ import annotations

import builtins
import gzip
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import tifffile
from PIL import Image

from Testing.trainer.declarations.builders import write_hdf5, write_matlab, write_volume
from trainer.megamedical.readers.formats.arrays import in_colour, suffix_of
from trainer.megamedical.readers.formats.loading import load_array
from trainer.megamedical.readers.pictures import split_channels, to_grey
from UniverSegSlicerLib.errors import DependencyError, InputError

RNG = np.random.default_rng(7)
GREY = RNG.integers(0, 256, (9, 13), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (9, 13, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.bmp", "a.gif", "a.tif", "a.ppm", "a.pgm"])
def test_lossless_pictures_come_back_as_written(tmp_path: Path, name: str) -> None:
    Image.fromarray(GREY).save(tmp_path / name.lower())
    (tmp_path / name.lower()).rename(tmp_path / name)
    array = np.asarray(to_grey(load_array(tmp_path / name).array, {}, name))
    np.testing.assert_array_equal(array, GREY)


def test_gzipped_pixmap(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "a.ppm")
    (tmp_path / "a.ppm.gz").write_bytes(gzip.compress((tmp_path / "a.ppm").read_bytes()))
    assert suffix_of(Path("x/im0001.PPM.GZ")) == ".ppm.gz"
    np.testing.assert_array_equal(load_array(tmp_path / "a.ppm.gz").array, COLOUR)


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_sixteen_bits_are_kept(tmp_path: Path, name: str) -> None:
    deep = RNG.integers(0, 65536, (9, 13), dtype=np.uint16)
    deep[0, 0] = 65535
    if name.endswith("png"):
        Image.fromarray(deep).save(tmp_path / name)
    else:
        tifffile.imwrite(tmp_path / name, deep)
    np.testing.assert_array_equal(load_array(tmp_path / name).array, deep)


def test_palette_gives_indices_and_remembers_colours(tmp_path: Path) -> None:
    indices = RNG.integers(0, 3, (9, 13), dtype=np.uint8)
    picture = Image.fromarray(indices, mode="P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    picture.save(tmp_path / "p.png")
    array = load_array(tmp_path / "p.png").array
    np.testing.assert_array_equal(np.asarray(array), indices)
    colours = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)])
    np.testing.assert_array_equal(in_colour(array), colours[indices])


def test_transparency_is_dropped(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([COLOUR, GREY])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(load_array(tmp_path / "a.png").array, COLOUR)
    Image.fromarray(np.dstack([GREY, GREY])).save(tmp_path / "la.png")
    np.testing.assert_array_equal(load_array(tmp_path / "la.png").array, GREY)


def test_colour_to_grey_by_every_rule() -> None:
    np.testing.assert_allclose(to_grey(COLOUR, {}, ""), COLOUR @ np.array([0.299, 0.587, 0.114]), atol=1e-3)
    np.testing.assert_array_equal(to_grey(COLOUR, {"grey": 1}, ""), COLOUR[..., 1])
    np.testing.assert_array_equal(to_grey(COLOUR, {"grey": "max"}, ""), COLOUR.max(-1))
    np.testing.assert_allclose(to_grey(COLOUR, {"grey": "mean"}, ""), COLOUR.mean(-1), atol=1e-4)
    with pytest.raises(InputError, match="channel 7"):
        to_grey(COLOUR, {"grey": 7}, "x")


def test_channels_must_be_as_many_as_declared() -> None:
    options = {"channel_axis": "last", "channels": ["a", "b", "c"]}
    parts = split_channels(COLOUR, options, "x")
    np.testing.assert_array_equal(parts["b"], COLOUR[..., 1])
    with pytest.raises(InputError, match="2 in the declaration"):
        split_channels(COLOUR, {**options, "channels": ["a", "b"]}, "x")


def test_matlab_five_and_seven_three_give_the_same_array(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "five.mat", {"m": GREY, "other": COLOUR})
    np.testing.assert_array_equal(load_array(tmp_path / "five.mat", {"key": "m"}).array, GREY)
    write_hdf5(tmp_path / "seven.mat", {"m": GREY.T})  # MATLAB writes its axes in reverse
    blob = (tmp_path / "seven.mat").read_bytes()
    # A 7.3 file is HDF5 behind 512 bytes of MATLAB header.
    header = b"MATLAB 7.3 MAT-file".ljust(124, b" ") + b"\x00\x02IM"
    (tmp_path / "seven.mat").write_bytes(header.ljust(512, b"\x00") + blob)
    np.testing.assert_array_equal(load_array(tmp_path / "seven.mat", {"key": "m"}).array, GREY)


def test_keyed_files_name_their_arrays_when_the_key_is_wrong(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=GREY, y=COLOUR)
    write_hdf5(tmp_path / "a.h5", {"x": GREY})
    write_matlab(tmp_path / "a.mat", {"x": GREY})
    np.testing.assert_array_equal(load_array(tmp_path / "a.npz", {"key": "y"}).array, COLOUR)
    np.testing.assert_array_equal(load_array(tmp_path / "a.h5").array, GREY)
    for name in ("a.npz", "a.h5", "a.mat"):
        with pytest.raises(InputError, match=r"no array 'z'; it has x"):
            load_array(tmp_path / name, {"key": "z"})
    with pytest.raises(InputError, match="2 arrays"):
        load_array(tmp_path / "a.npz")


def test_an_array_of_objects_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"evil\.npy cannot be read"):
        load_array(tmp_path / "evil.npy")


@pytest.mark.parametrize(
    "name", ["a.png", "a.jpg", "a.tif", "a.gif", "a.bmp", "a.nii", "a.nii.gz", "a.mha", "a.nrrd", "a.mgz", "a.mat",
             "a.h5", "a.npy", "a.npz", "a.dcm", "a.ppm.gz", "a.avi", "a.xyz"],
)  # fmt: skip
@pytest.mark.parametrize("content", [b"", b"not what the name says", bytes(range(256)) * 4])
def test_damaged_files_are_an_input_error_with_their_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        load_array(tmp_path / name)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.png", "a.npy"])
def test_half_a_file_is_an_input_error(tmp_path: Path, name: str) -> None:
    noise = RNG.integers(0, 256, (20, 30, 40), dtype=np.uint8)
    if name.endswith("gz"):
        write_volume(tmp_path / name, noise, (1, 1, 1))
    elif name.endswith("png"):
        Image.fromarray(noise[0]).save(tmp_path / name)
    else:
        np.save(tmp_path / name, noise)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError):
        np.array(load_array(tmp_path / name).array)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png is missing"):
        load_array(tmp_path / "gone.png")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_hdf5(tmp_path / "a.h5", {"x": GREY})
    real = builtins.__import__

    def without(name: str, *args: object, **kwargs: object):  # type: ignore[no-untyped-def]
        if name.partition(".")[0] == "h5py":
            raise ImportError("not here")
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("trainer.megamedical.readers.formats.optional.import_module", without)
    with pytest.raises(DependencyError, match="pip install h5py"):
        load_array(tmp_path / "a.h5")
