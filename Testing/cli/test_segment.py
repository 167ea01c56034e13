"""2D images through the command: folders in, a folder of masks out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from UniverSegSlicerLib.files.pictures import write_array, write_picture

from .conftest import Command
from .test_bad_input import assert_refused

SIZES = {"a": (40, 56), "b": (64, 64), "c": (33, 71)}


def disc(shape: tuple[int, int], shift: float) -> np.ndarray:
    """A bright disc, boolean (rows, cols)."""
    rows, cols = np.indices(shape)
    return (rows - shape[0] / 2) ** 2 + (cols - shape[1] / 2 - shift) ** 2 < (min(shape) / 4) ** 2


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """support/images, support/labels and queries with pictures of several kinds and sizes."""
    images, labels, queries = (tmp_path / name for name in ("images", "labels", "queries"))
    for folder in (images, labels, queries):
        folder.mkdir()
    for number, (stem, shape) in enumerate(SIZES.items()):
        mask = disc(shape, number - 1.0)
        pixels = (60 + 120 * mask + np.random.default_rng(number).normal(0, 9, shape)).clip(0, 255)
        write_picture(labels / f"{stem}.png", (mask * 255).astype(np.uint8))
        (queries / ".DS_Store").touch()
        (queries / f"._{stem}.png").write_bytes(b"\x00\x05\x16\x07")
        if stem == "a":
            write_picture(images / "a.png", pixels.astype(np.uint8))
            Image.fromarray(pixels.astype(np.uint8)).convert("RGB").save(queries / "a.jpg")
        elif stem == "b":
            tifffile.imwrite(images / "b.tif", (pixels * 200).astype(np.uint16))
            tifffile.imwrite(queries / "b.tiff", pixels.astype(np.float32))
        else:
            write_array(images / "c.npy", pixels.astype(np.float32))
            write_array(queries / "c.npy", pixels)
    (queries / "notes.txt").write_text("not an image")
    return tmp_path


def segment(command: Command, folders: Path, model: Path, *more: object, queries: str = "queries") -> object:
    support = ("--support-images", folders / "images", "--support-labels", folders / "labels")
    return command("segment", *support, "--images", folders / queries, "-o", folders / "out", "-m", model, *more)


def test_one_mask_of_its_size_for_every_image(folders: Path, tiny_model_path: Path, command: Command) -> None:
    done = segment(command, folders, tiny_model_path, "--ensemble", 2, "--logits", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["images"] == ["a", "b", "c"] and done.json["support"] == 3
    assert {path.name for path in (folders / "out").iterdir()} == {f"{s}.{e}" for s in SIZES for e in ("png", "npy")}
    for stem, shape in SIZES.items():
        with Image.open(folders / "out" / f"{stem}.png") as picture:
            assert picture.mode == "L"
            mask = np.asarray(picture)
        logits = np.load(folders / "out" / f"{stem}.npy")
        assert mask.shape == logits.shape == shape
        assert logits.dtype == np.float32 and np.isfinite(logits).all()
        assert np.array_equal(mask, np.where(logits > 0, 255, 0))


def test_a_support_set_file_stands_for_the_folders(folders: Path, tiny_model_path: Path, command: Command) -> None:
    assert segment(command, folders, tiny_model_path, "--seed", 4).code == 0
    first = {path.name: path.read_bytes() for path in (folders / "out").iterdir()}
    support = folders / "discs.npz"
    arguments = ("--images", folders / "images", "--image-labels", folders / "labels")
    assert command("support", "create", "-o", support, *arguments).code == 0
    queries = ("--images", folders / "queries", "-o", folders / "again", "--seed", 4)
    assert command("segment", "--support", support, *queries, "-m", tiny_model_path).code == 0
    assert {path.name: path.read_bytes() for path in (folders / "again").iterdir()} == first


def test_a_structure_that_is_present_is_never_left_out(folders: Path, tiny_model_path: Path, command: Command) -> None:
    assert segment(command, folders, tiny_model_path, "--present", "--logits").code == 0
    for stem in SIZES:
        with Image.open(folders / "out" / f"{stem}.png") as picture:
            mask = np.asarray(picture) > 0
        probability = 1 / (1 + np.exp(-np.load(folders / "out" / f"{stem}.npy").astype(np.float64)))
        cut = min(0.5, probability.max() / 2)
        sure = np.abs(probability - cut) > 1e-6
        assert mask.any()
        assert np.array_equal(mask[sure], (probability > cut)[sure])


def test_one_label_of_several(folders: Path, tiny_model_path: Path, command: Command) -> None:
    mask = disc(SIZES["b"], 0.0)
    labels = (mask * 2).astype(np.uint8)
    labels[:4] = 5
    write_picture(folders / "labels" / "b.png", labels)
    assert segment(command, folders, tiny_model_path, "--label", 5).code == 0
    assert_refused(segment(command, folders, tiny_model_path, "--label", 9), "--label 9", "2, 5, 255")


def lone_image(folders: Path) -> None:
    for stem in "defg":
        write_picture(folders / "images" / f"{stem}.png", np.zeros((32, 32), np.uint8))


def lone_label(folders: Path) -> None:
    (folders / "images" / "c.npy").unlink()


def two_of_one_stem(folders: Path) -> None:
    write_picture(folders / "queries" / "b.png", np.zeros((32, 32), np.uint8))


def another_size(folders: Path) -> None:
    write_picture(folders / "labels" / "a.png", np.ones((40, 57), np.uint8))


def no_label_anywhere(folders: Path) -> None:
    for stem, shape in SIZES.items():
        write_picture(folders / "labels" / f"{stem}.png", np.zeros(shape, np.uint8))


def cut_image(folders: Path) -> None:
    path = folders / "queries" / "a.jpg"
    path.write_bytes(path.read_bytes()[:100])


def empty_image(folders: Path) -> None:
    (folders / "queries" / "a.jpg").write_bytes(b"")


def pickled_array(folders: Path) -> None:
    np.save(folders / "queries" / "c.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)


def volume_instead(folders: Path) -> None:
    np.save(folders / "queries" / "c.npy", np.zeros((9, 32, 32)))


def no_images(folders: Path) -> None:
    for path in (folders / "queries").iterdir():
        path.unlink()


def no_folder(folders: Path) -> None:
    no_images(folders)
    (folders / "queries").rmdir()


CASES: dict[Callable[[Path], None], tuple[str, ...]] = {
    lone_image: ("do not pair", "d, e, f and 1 more"),
    lone_label: ("do not pair", "no image", " c."),
    two_of_one_stem: ("b.png and b.tiff",),
    another_size: ("a.png", "56 x 40", "57 x 40"),
    no_label_anywhere: ("no pixel is above 0",),
    cut_image: ("a.jpg is not a picture",),
    empty_image: ("a.jpg is empty",),
    pickled_array: ("c.npy is not a picture",),
    volume_instead: ("c.npy cannot be used: it has the shape (9, 32, 32)",),
    no_images: ("queries holds no image",),
    no_folder: ("queries is missing",),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_bad_folders(case: Callable[[Path], None], folders: Path, tiny_model_path: Path, command: Command) -> None:
    case(folders)
    assert_refused(segment(command, folders, tiny_model_path), *CASES[case])
    assert not (folders / "out").exists()


def test_options_that_do_not_go_together(folders: Path, command: Command) -> None:
    images = ("--images", folders / "queries", "-o", folders / "out")
    assert_refused(command("segment", *images), "--support-images")
    both = ("--support", folders / "x.npz", "--support-images", folders / "images")
    assert_refused(command("segment", *images, *both), "--support")
    (folders / "out").write_text("a file")
    support = ("--support-images", folders / "images", "--support-labels", folders / "labels")
    assert_refused(command("segment", *images, *support), "out is a file")


@pytest.mark.parametrize("folder", ["queries", "images", "labels"])
def test_pictures_that_are_read_are_never_overwritten(
    folders: Path, tiny_model_path: Path, command: Command, folder: str
) -> None:
    before = {path: path.read_bytes() for path in folders.rglob("*") if path.is_file()}
    (folders / "out").symlink_to(folders / folder)
    assert_refused(segment(command, folders, tiny_model_path), "holds inputs of this run")
    assert {path: path.read_bytes() for path in before} == before


def test_masks_of_one_name_are_refused(folders: Path, tiny_model_path: Path, command: Command) -> None:
    write_picture(folders / "queries" / "A.png", np.zeros((4, 5), np.uint8))
    assert_refused(segment(command, folders, tiny_model_path), "one file on many disks")
