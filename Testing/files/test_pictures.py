"""2D images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files.pictures import read_label_picture, read_picture, write_array, write_picture

GREY = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)


@pytest.mark.parametrize("name", ["p.png", "p.tif", "p.tiff", "p.npy"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_pictures_are_read_exactly(tmp_path: Path, name: str, dtype: type) -> None:
    pixels = GREY.astype(dtype) * (1 if dtype == np.uint8 else 200)
    path = tmp_path / name
    if name.endswith("npy"):
        write_array(path, pixels)
    elif name.endswith("png"):
        write_picture(path, pixels)
    else:
        tifffile.imwrite(path, pixels)
    np.testing.assert_array_equal(read_picture(path), pixels)
    np.testing.assert_array_equal(read_label_picture(path), pixels)


def test_float_pictures_are_read_exactly(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).normal(size=(9, 8)).astype(np.float32)
    tifffile.imwrite(tmp_path / "p.tif", pixels)
    np.save(tmp_path / "p.npy", pixels)
    np.testing.assert_array_equal(read_picture(tmp_path / "p.tif"), pixels)
    np.testing.assert_array_equal(read_picture(tmp_path / "p.npy"), pixels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK"])
def test_colour_becomes_luma(tmp_path: Path, mode: str) -> None:
    colour = np.stack([GREY, GREY // 2, GREY // 3], axis=-1)
    image = Image.fromarray(colour).convert(mode)
    path = tmp_path / ("p.jpg" if mode == "CMYK" else "p.png")
    image.save(path)
    pixels = read_picture(path)
    assert pixels.shape == GREY.shape
    if mode != "CMYK":
        np.testing.assert_allclose(pixels, np.asarray(Image.fromarray(colour).convert("L")), atol=1)


def test_jpeg_is_read(tmp_path: Path) -> None:
    smooth = np.tile(np.arange(0, 240, 8, dtype=np.uint8), (20, 1))
    Image.fromarray(smooth).save(tmp_path / "p.jpeg", quality=95)
    np.testing.assert_allclose(read_picture(tmp_path / "p.jpeg"), smooth, atol=4)


def test_label_pictures_give_indices(tmp_path: Path) -> None:
    labels = (GREY % 4).astype(np.uint8)
    palette = Image.fromarray(labels, mode="P") if hasattr(Image, "mode") else Image.fromarray(labels).convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    palette.putdata(labels.ravel().tolist())
    palette.save(tmp_path / "l.png")
    np.testing.assert_array_equal(read_label_picture(tmp_path / "l.png"), labels)
    Image.fromarray(np.repeat(labels[..., None], 3, axis=-1)).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_label_picture(tmp_path / "grey.png"), labels)
    Image.fromarray(labels > 1).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_label_picture(tmp_path / "bits.png"), labels > 1)


def test_pictures_that_cannot_be_used(tmp_path: Path) -> None:
    for name in ("p.png", "p.jpg", "p.tif", "p.npy"):
        (tmp_path / name).write_bytes(b"no picture at all" * 9)
        with pytest.raises(InputError, match="is not a picture that can be read"):
            read_picture(tmp_path / name)
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(InputError, match="is empty"):
            read_picture(tmp_path / name)
    with pytest.raises(InputError, match="No such file"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(InputError, match="pictures end with"):
        read_picture(tmp_path / "none.svg")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="is not a picture"):
        read_picture(tmp_path / "objects.npy")
    np.save(tmp_path / "deep.npy", np.zeros((2, 3, 4, 5)))
    with pytest.raises(InputError, match="shape"):
        read_picture(tmp_path / "deep.npy")
    np.save(tmp_path / "nan.npy", np.full((3, 4), np.nan))
    with pytest.raises(InputError, match="NaN"):
        read_picture(tmp_path / "nan.npy")
    tifffile.imwrite(tmp_path / "pages.tif", np.zeros((9, 20, 30), np.uint8))
    with pytest.raises(InputError, match="9 pages"):
        read_picture(tmp_path / "pages.tif")


def test_truncated_pictures(tmp_path: Path) -> None:
    write_picture(tmp_path / "p.png", GREY)
    tifffile.imwrite(tmp_path / "p.tif", GREY)
    for name in ("p.png", "p.tif"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(InputError, match="is not a picture that can be read"):
            read_picture(tmp_path / name)


def test_colour_label_pictures_are_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "l.png", np.dstack([GREY, GREY, 255 - GREY]))
    with pytest.raises(InputError, match="colour"):
        read_label_picture(tmp_path / "l.png")
    np.save(tmp_path / "half.npy", np.full((3, 4), 0.5))
    with pytest.raises(InputError, match=r"0\.5"):
        read_label_picture(tmp_path / "half.npy")


def test_only_png_of_bytes_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.png"):
        write_picture(tmp_path / "p.jpg", GREY)
    with pytest.raises(InputError, match="float64"):
        write_picture(tmp_path / "p.png", GREY / 255)
    assert not list(tmp_path.iterdir())


MASK = np.pad(np.ones((4, 6), bool), ((2, 3), (1, 5)))


@pytest.mark.parametrize("name", ["p.png", "p.tif", "p.webp"])
@pytest.mark.parametrize(("ink", "value"), [(255, 255), (0, 1)])
def test_ink_on_a_transparent_ground_is_the_label(tmp_path: Path, name: str, ink: int, value: int) -> None:
    pixels = np.full((*MASK.shape, 4), ink, np.uint8)
    pixels[..., 3] = MASK * 255
    image = Image.fromarray(pixels)
    image.save(tmp_path / name, **({"lossless": True, "exact": True} if name.endswith("webp") else {}))
    np.testing.assert_array_equal(read_label_picture(tmp_path / name), MASK * value)


def test_what_is_transparent_is_background(tmp_path: Path) -> None:
    values = np.where(MASK, 3, 7).astype(np.uint8)
    values[3, 3] = 4
    Image.fromarray(np.stack([values, MASK * np.uint8(255)], axis=-1), "LA").save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_label_picture(tmp_path / "p.png"), np.where(MASK, values, 0))


@pytest.mark.parametrize("name", ["p.jpg", "p.JPEG", "named.png", "p.tif", "p.webp"])
def test_lossy_label_maps_are_refused(tmp_path: Path, name: str) -> None:
    image = Image.fromarray(MASK.astype(np.uint8) * 255)
    kinds = {"p.tif": {"format": "TIFF", "compression": "jpeg"}, "p.webp": {"format": "WEBP", "quality": 50}}
    image.save(tmp_path / name, **kinds.get(name, {"format": "JPEG"}))
    with pytest.raises(InputError, match="lossy"):
        read_label_picture(tmp_path / name)
    assert read_picture(tmp_path / name).shape == MASK.shape


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.tif"])
def test_pictures_are_turned_as_viewers_show_them(tmp_path: Path, name: str, orientation: int) -> None:
    raw = Image.fromarray((np.arange(63, dtype=np.uint8) * 4).reshape(7, 9).repeat(8, 0).repeat(8, 1))
    exif = Image.Exif()
    exif[274] = orientation
    raw.save(tmp_path / name, exif=exif, **({"quality": 100} if name == "p.jpg" else {}))
    turn = Image.Transpose
    turns = [None, None, turn.FLIP_LEFT_RIGHT, turn.ROTATE_180, turn.FLIP_TOP_BOTTOM, turn.TRANSPOSE, turn.ROTATE_270]
    method = [*turns, turn.TRANSVERSE, turn.ROTATE_90][orientation]
    shown = np.asarray(raw if method is None else raw.transpose(method), dtype=float)
    np.testing.assert_allclose(read_picture(tmp_path / name), shown, atol=3)


@pytest.mark.parametrize("name", ["p.bmp", "p.gif", "p.pgm", "P.PNG"])
def test_further_kinds_of_pictures(tmp_path: Path, name: str) -> None:
    Image.fromarray(GREY).save(tmp_path / name)
    np.testing.assert_allclose(read_picture(tmp_path / name), GREY, atol=1e-6)
    (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(InputError, match=f"{name} is not a picture") as caught:
        read_picture(tmp_path / name)
    assert "0x" not in str(caught.value)
