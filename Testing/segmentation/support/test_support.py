"""Support sets: making, choosing among, saving and reading them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from UniverSegSlicerLib.errors import GeometryError, InputError, OutputError
from UniverSegSlicerLib.imaging import IntensityWindow
from UniverSegSlicerLib.segmentation import SupportExample, SupportSet


@pytest.fixture
def support(phantom) -> SupportSet:
    marks = phantom.marks([6, 12, 18])
    return SupportSet.from_volume(phantom.volume, marks, label_names={1: "shell", 2: "core — inner"}, source="phantom")


def test_marked_slices_are_kept_at_native_resolution(support: SupportSet, phantom) -> None:
    assert [(e.axis, e.index, e.source) for e in support.examples] == [("k", n, "phantom") for n in (6, 12, 18)]
    window = IntensityWindow.of(phantom.volume.array)
    for example in support.examples:
        np.testing.assert_array_equal(example.image, window.apply(phantom.volume.array[example.index]))
        np.testing.assert_array_equal(example.labels, phantom.truth[example.index])
        assert example.spacing == (1.0, 1.0)
    assert support.label_values == (1, 2)


@pytest.mark.parametrize(("axis", "spacing"), [(0, (1, 1)), (1, (2, 1)), (2, (2, 1))])
def test_spacing_follows_the_axis(phantom, axis: int, spacing: tuple[float, float]) -> None:
    support = SupportSet.from_volume(phantom.volume, phantom.marks([28], axis) if axis else phantom.marks([12]))
    assert support.examples[0].spacing == spacing


def test_an_example_supports_what_it_holds_or_is_known_to_lack(phantom) -> None:
    marks = phantom.marks([12], values=(1,))
    open_set = SupportSet.from_volume(phantom.volume, marks)
    assert len(open_set.supporting(1)) == 1 and len(open_set.supporting(2)) == 0
    told = SupportSet.from_volume(phantom.volume, marks, "k", [0, 12])
    assert len(told.supporting(1)) == 2 and len(told.supporting(2)) == 2


def test_examples_can_be_left_out(support: SupportSet) -> None:
    part = support.using([1])
    assert [e.used for e in part.examples] == [False, True, False]
    assert [e.index for e in part.supporting(1)] == [12]
    assert [e.used for e in support.examples] == [True] * 3
    with pytest.raises(InputError, match="among the 3"):
        support.using([3])


def test_sets_can_be_joined(support: SupportSet) -> None:
    other = SupportSet.from_pairs([np.eye(9)], [np.eye(9)], label_names={1: "line", 5: "five"}, provenance="pictures")
    both = support.merged(other)
    assert len(both) == 4
    assert both.label_names == {1: "shell", 2: "core — inner", 5: "five"}
    assert both.provenance == "phantom + pictures"


def test_pairs_are_complete_and_have_a_window_each() -> None:
    images = [np.arange(20.0).reshape(4, 5), np.arange(6, dtype=np.uint8).reshape(2, 3) * 30]
    support = SupportSet.from_pairs(images, [im > 3 for im in images], sources=["a", "b"])
    assert all(e.complete and e.image.min() == 0 and e.image.max() == 1 for e in support.examples)


def test_what_does_not_fit_is_named(phantom) -> None:
    image = np.zeros((4, 5))
    with pytest.raises(InputError, match="1 support images and 2 label maps"):
        SupportSet.from_pairs([image], [image, image])
    with pytest.raises(InputError, match=r"left\.png: .*differ in shape"):
        SupportSet.from_pairs([image], [image.T], sources=["left.png"])
    with pytest.raises(InputError, match="cannot be used"):
        SupportSet.from_pairs([image], [image + 0.5])
    with pytest.raises(InputError, match="outside"):
        SupportExample(image + 2, image)
    with pytest.raises(InputError, match="spacing"):
        SupportExample(image, image, (0.0, 1.0))
    with pytest.raises(GeometryError, match="one grid"):
        SupportSet.from_volume(phantom.volume, phantom.truth[1:])
    with pytest.raises(InputError, match="no slice is marked"):
        SupportSet.from_volume(phantom.volume, np.zeros_like(phantom.truth))
    with pytest.raises(InputError, match="k:24 is outside"):
        SupportSet.from_volume(phantom.volume, phantom.truth, "k", [24])


def test_a_file_gives_back_everything(support: SupportSet, tmp_path: Path) -> None:
    support = support.merged(SupportSet.from_pairs([np.eye(9)], [np.eye(9)])).using([0, 3])
    support.save(tmp_path / "set.npz")
    back = SupportSet.load(tmp_path / "set.npz")
    assert back.label_names == support.label_names and back.provenance == support.provenance
    assert len(back) == len(support)
    for a, b in zip(support.examples, back.examples, strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.labels, b.labels)
        assert a.image.dtype == b.image.dtype == np.float32
        for name in ("spacing", "source", "axis", "index", "used", "complete"):
            assert getattr(a, name) == getattr(b, name)
    assert [p.name for p in tmp_path.iterdir()] == ["set.npz"]


def test_the_ending_is_the_users_choice_and_an_empty_set_is_a_set(tmp_path: Path) -> None:
    SupportSet().save(tmp_path / "set.support")
    assert len(SupportSet.load(tmp_path / "set.support")) == 0


def test_unwritable_places(support: SupportSet, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        support.save(tmp_path / "missing" / "set.npz")


def rewritten(path: Path, **members: object) -> None:
    """Replace members of an archive: bytes as they are, arrays as .npy, a dict as the metadata's fields."""
    with zipfile.ZipFile(path) as archive:
        data = {name: archive.read(name) for name in archive.namelist()}
    for name, member in members.items():
        value = member
        if isinstance(member, dict):
            fields = json.loads(np.load(io.BytesIO(data["metadata.npy"])).tobytes())
            value = np.frombuffer(json.dumps({**fields, **member}).encode(), np.uint8)
        if value is None:
            del data[f"{name}.npy"]
        elif isinstance(value, bytes):
            data[f"{name}.npy"] = value
        else:
            buffer = io.BytesIO()
            np.save(buffer, value, allow_pickle=True)
            data[f"{name}.npy"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in data.items():
            archive.writestr(name, value)


def refuses_when_rewritten(support: SupportSet, path: Path, words: str, members: dict) -> None:
    """A saved set with these members replaced is refused in a sentence that has ``words`` and names the file."""
    support.save(path)
    rewritten(path, **members)
    with pytest.raises(InputError, match=words) as caught:
        SupportSet.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"metadata": {"version": 99}}, "version is 99"),
        ({"metadata": {"format": "else"}}, "format is 'else'"),
        ({"metadata": {"examples": [{}]}}, "KeyError"),
        ({"metadata": {"examples": 3}}, "TypeError"),
        ({"metadata": {"label_names": {"a": "b"}}}, "ValueError"),
        ({"metadata": None}, "no metadata"),
        ({"metadata": np.array([1.0])}, "TypeError"),
        ({"metadata": np.frombuffer(b"{not json", np.uint8)}, "JSON"),
        ({"image_1": None}, "KeyError"),
        ({"image_1": np.zeros((60, 70))}, "float64"),
        ({"image_1": np.full((60, 70), np.nan, np.float32)}, "outside"),
        ({"image_1": np.zeros((6, 7), np.float32)}, "differ in shape"),
        ({"labels_1": np.zeros((60, 70), np.int32)}, "int32"),
        ({"image_1": np.array([{}], dtype=object)}, "ValueError"),
        ({"image_1": b"no array"}, "no array"),
    ],
)
def test_every_corruption_is_a_sentence(support: SupportSet, tmp_path: Path, members: dict, words: str) -> None:
    refuses_when_rewritten(support, tmp_path / "set.npz", words, members)


@pytest.mark.parametrize("part", [0, 1, 100, 0.3, 0.7, 0.99])
def test_truncated_files(support: SupportSet, tmp_path: Path, part: float) -> None:
    path = tmp_path / "set.npz"
    support.save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data)) if isinstance(part, float) else part])
    with pytest.raises(InputError, match="is not a usable support set"):
        SupportSet.load(path)


def test_flipped_bits_do_not_pass(support: SupportSet, tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    support.save(path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(data) // 2, 20):
        broken = bytearray(data)
        broken[place] ^= 0xFF
        path.write_bytes(broken)
        try:
            SupportSet.load(path)
        except InputError:
            continue
        # A bit that the archive does not use, such as a time stamp.
        assert len(SupportSet.load(path)) == len(support)


def test_a_zip_bomb_is_not_unpacked(support: SupportSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "set.npz"
    support.save(path)
    monkeypatch.setattr("UniverSegSlicerLib.segmentation.support.file._LARGEST_FILE", 1000)
    with pytest.raises(InputError, match="too large"):
        SupportSet.load(path)


def test_missing_files_and_other_archives(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        SupportSet.load(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="no metadata"):
        SupportSet.load(tmp_path / "other.npz")
