"""Cases that a reader must not stumble over: channels, directions, raters, missing and damaged files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from Testing.trainer.declarations.builders import (
    run_length,
    write_dicom,
    write_hdf5,
    write_json,
    write_npy,
    write_picture,
    write_volume,
)
from Testing.trainer.megamedical.made import PICTURES, VOLUMES, declare, picture, volume, write_pictures
from trainer.megamedical.index import match_dataset
from trainer.megamedical.readers import read_case, split_case
from trainer.megamedical.sample import Sample
from UniverSegSlicerLib.errors import GeometryError, InputError


def read(group: dict[str, Any], root: Path) -> list[Sample]:
    return [s for m in match_dataset(declare(group), root) for case in m.cases for s in read_case(case)]


def variant(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A group with entries replaced; those of ``image`` and ``label`` are merged."""
    merged = {key: {**base[key], **changes.pop(key)} for key in ("image", "label") if key in changes}
    return {**base, **merged, **changes}


@pytest.mark.parametrize("axes", ["LPS", "RAS", "PIR", "SAL"])
def test_every_direction_of_storage_gives_the_same_array(tmp_path: Path, axes: str) -> None:
    image, label = volume()
    write_volume(tmp_path / "a" / "image.nii.gz", image, (2.0, 1.0, 0.5), axes)
    write_volume(tmp_path / "a" / "label.nii.gz", label, (2.0, 1.0, 0.5), axes)
    (sample,) = read(VOLUMES, tmp_path)
    np.testing.assert_array_equal(sample.image, image)
    np.testing.assert_allclose(sample.spacing, (2.0, 1.0, 0.5))
    np.testing.assert_array_equal(sample.masks.dense()[0], label == 1)
    assert not sample.notes


def test_four_channels_in_one_file(tmp_path: Path) -> None:
    image, label = volume()
    stack = np.stack([image + 100 * c for c in range(4)])
    write_volume(tmp_path / "a" / "image.nii.gz", stack, (1, 1, 1))
    write_volume(tmp_path / "a" / "label.nii.gz", label, (1, 1, 1))
    with pytest.raises(InputError, match="channel_axis"):
        read(VOLUMES, tmp_path)
    options = {"channel_axis": "last", "channels": ["f", "t1", "t1c", "t2"]}
    wanted = {"f": "FLAIR", "t2": "T2 MRI"}
    samples = read(variant(VOLUMES, image={"options": options}, modality=wanted), tmp_path)
    assert [s.modality for s in samples] == ["FLAIR", "T2 MRI"]
    np.testing.assert_array_equal(samples[1].image, stack[3])
    short = variant(VOLUMES, image={"options": {**options, "channels": ["f", "t1"]}})
    with pytest.raises(InputError, match="4 channels in the file, 2 in the declaration"):
        read(short, tmp_path)


def test_a_label_on_another_grid_is_refused_and_another_header_is_said(tmp_path: Path) -> None:
    image, label = volume()
    write_volume(tmp_path / "a" / "image.nii.gz", image, (1, 1, 1))
    write_volume(tmp_path / "a" / "label.nii.gz", label[:, 1:], (1, 1, 1))
    with pytest.raises(GeometryError, match="has the shape"):
        read(VOLUMES, tmp_path)
    plain = sitk.GetImageFromArray(label)
    plain.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))  # as NIfTI without a header has it
    sitk.WriteImage(plain, str(tmp_path / "a" / "label.nii.gz"))
    (sample,) = read(VOLUMES, tmp_path)
    assert "header of the label differs" in sample.notes[0]


def test_one_volume_per_class_and_a_missing_one(tmp_path: Path) -> None:
    image, label = volume()
    label_rule = {"pattern": r"^(?P<subject>\w+)/seg/(?P<class>\w+)\.nii\.gz$", "encoding": "classes",
                  "names": {"ball": "ball", "rod": "rod"}}  # fmt: skip
    group = {**VOLUMES, "label": label_rule, "example_label": "a/seg/ball.nii.gz"}
    write_volume(tmp_path / "a" / "image.nii.gz", image, (1, 1, 1))
    assert not read(group, tmp_path)  # no class file at all: unpaired
    write_volume(tmp_path / "a" / "seg" / "rod.nii.gz", (label == 2).astype(np.uint8), (1, 1, 1))
    (sample,) = read(group, tmp_path)
    assert sample.masks.present() == [1]
    empty = {**group, "label": {**label_rule, "absent": "empty"}}
    (tmp_path / "a" / "seg" / "rod.nii.gz").unlink()
    (sample,) = read(empty, tmp_path)
    assert sample.masks.present() == []


def test_two_raters_of_a_picture(tmp_path: Path) -> None:
    image, label = picture(0)
    write_picture(tmp_path / "images" / "a.png", image)
    write_picture(tmp_path / "one" / "a.png", (label == 1).astype(np.uint8))
    write_picture(tmp_path / "two" / "a.png", (label > 0).astype(np.uint8))
    rule = {"pattern": r"^(?P<rater>one|two)/(?P<subject>\w+)\.png$", "encoding": "nonzero", "names": {"x": "disc"},
            "raters": {"one": "first", "two": "second"}}  # fmt: skip
    (sample,) = read({**PICTURES, "label": rule, "example_label": "one/a.png"}, tmp_path)
    first, second = sample.masks.dense()
    np.testing.assert_array_equal(first, label == 1)
    np.testing.assert_array_equal(second, label > 0)
    assert [entry.name for entry in sample.masks.labels] == ["disc", "disc (rater second)"]


def test_picture_and_mask_of_another_size(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a"])
    write_picture(tmp_path / "labels" / "a.png", np.zeros((5, 5), np.uint8))
    with pytest.raises(GeometryError, match=r"labels/a\.png"):
        read(PICTURES, tmp_path)


STACK: dict[str, Any] = {
    "name": "all",
    "reader": "stack",
    "image": {"pattern": r"^(?P<subject>\w+)/img_(?P<slice>\d+)\.(?:png|dcm)$"},
    "label": {"pattern": r"^(?P<subject>\w+)/seg_(?P<slice>\d+)\.png$", "encoding": "values", "names": {1: "a"}},
    "modality": "MR",
    "intensity": {"rule": "mr"},
    "example_image": "a/img_1.png",
    "example_label": "a/seg_1.png",
}


def write_stack(folder: Path, count: int = 11) -> np.ndarray:
    volume_ = np.zeros((count, 6, 7), np.uint8)
    for index in range(count):
        volume_[index] = 10 * index
        mask = np.zeros((6, 7), np.uint8)
        mask[0, index % 7] = 1
        write_picture(folder / f"img_{index + 1}.png", volume_[index])
        write_picture(folder / f"seg_{index + 1}.png", mask)
    return volume_


def test_slices_are_ordered_by_number_not_by_name(tmp_path: Path) -> None:
    expected = write_stack(tmp_path / "a")  # img_10 sorts before img_2 by name
    (sample,) = read(STACK, tmp_path)
    np.testing.assert_array_equal(sample.image, expected)
    positions = sample.masks.dense()[0].any(axis=1).argmax(axis=1)
    np.testing.assert_array_equal(positions, np.arange(11) % 7)


def test_a_stack_with_a_lost_label_slice_is_refused_unless_it_means_empty(tmp_path: Path) -> None:
    write_stack(tmp_path / "a", 4)
    (tmp_path / "a" / "seg_3.png").unlink()
    with pytest.raises(InputError, match=r"1 image slices have no label slice.*img_3"):
        read(STACK, tmp_path)
    (sample,) = read(variant(STACK, label={"absent": "empty"}), tmp_path)
    assert sample.masks.dense()[0].any(axis=(1, 2)).tolist() == [True, True, False, True]
    (tmp_path / "a" / "img_4.png").unlink()
    with pytest.raises(InputError, match="1 label slices have no image slice"):
        read(variant(STACK, label={"absent": "empty"}), tmp_path)
    with pytest.raises(InputError, match=r"3 image slices, but 2 label slices|3 image slices, but 3"):
        write_picture(tmp_path / "a" / "img_4.png", np.zeros((6, 7), np.uint8))
        (tmp_path / "a" / "img_3.png").unlink()
        (tmp_path / "a" / "seg_4.png").unlink()
        read(variant(STACK, label={"options": {"match": "order"}}), tmp_path)


def test_dicom_slices_by_position_with_rescale(tmp_path: Path) -> None:
    for number, position in ((1, 30.0), (2, 10.0), (3, 20.0)):
        array = np.full((6, 7), int(position), np.int16)
        write_dicom(tmp_path / "a" / f"img_{number}.dcm", array, instance=4 - number, position=position,
                    spacing=(4.0, 0.7, 0.8))  # fmt: skip
        write_picture(tmp_path / "a" / f"seg_{number}.png", np.full((6, 7), number == 1, np.uint8))
    (sample,) = read(variant(STACK, image={"options": {"order": "position"}}), tmp_path)
    assert np.all(np.diff(sample.image[:, 0, 0]) > 0)
    np.testing.assert_allclose(sample.spacing, (10.0, 0.7, 0.8))
    assert sample.masks.dense()[0].any(axis=(1, 2)).tolist() == [False, False, True]


TABLE: dict[str, Any] = {
    "name": "all",
    "reader": "table",
    "image": {"pattern": r"^(?P<subject>images)\.npy$"},
    "label": {"pattern": r"^masks\.npy$", "encoding": "channels", "names": {0: "a", 1: "b"}},
    "modality": "H&E microscopy",
    "intensity": {"rule": "none"},
    "example_image": "images.npy",
    "example_label": "masks.npy",
}


def test_a_table_is_split_into_rows_and_every_row_is_a_subject(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (7, 8, 9, 3), dtype=np.uint8)
    labels = rng.integers(0, 2, (7, 8, 9, 2), dtype=np.int32) * 5
    write_npy(tmp_path / "images.npy", images)
    write_npy(tmp_path / "masks.npy", labels)
    (match,) = match_dataset(declare(TABLE), tmp_path)
    parts = split_case(match.cases[0], 3)
    assert [part.rows for part in parts] == [(0, 3), (3, 6), (6, 7)]
    samples = [sample for part in parts for sample in read_case(part)]
    assert len({sample.subject for sample in samples}) == 7
    np.testing.assert_array_equal(samples[5].masks.dense(), np.moveaxis(labels[5] > 0, -1, 0))
    write_npy(tmp_path / "masks.npy", labels[:6])
    with pytest.raises(InputError, match="6 masks for 7 images"):
        list(read_case(match.cases[0]))


def test_subjects_of_rows_from_arrays_and_from_a_table(tmp_path: Path) -> None:
    frames = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
    write_hdf5(
        tmp_path / "images.h5", {"image": frames, "mask": (frames > 40) * 255, "who": np.array([[3], [3], [4], [4]])}
    )
    base = {
        **TABLE,
        "image": {"pattern": r"^(?P<file>images)\.h5$", "options": {"key": "image", "subject_keys": ["who"]}},
        "label": {"pattern": r"^(?P<file>images)\.h5$", "options": {"key": "mask"}, "encoding": "threshold",
                  "names": {255: "a"}},
        "example_image": "images.h5",
        "example_label": "images.h5",
    }  # fmt: skip
    assert [sample.subject for sample in read(base, tmp_path)] == ["3", "3", "4", "4"]
    (tmp_path / "who.csv").write_text("frame,patient\n0,x\n1,x\n2,y\n3,\n", encoding="utf-8")
    options = {"key": "image", "subjects": {"file": "who.csv", "column": "patient", "row": "frame"}}
    by_table = {**base, "image": {**base["image"], "options": options}}
    subjects = [sample.subject for sample in read(by_table, tmp_path)]
    assert subjects[:3] == ["x", "x", "y"]
    assert subjects[3] not in ("x", "y", "")


JSON: dict[str, Any] = {
    "name": "all",
    "reader": "json",
    "image": {"pattern": r"^img/(?P<subject>\w+)\.png$"},
    "label": {"pattern": r"^ann\.json$", "encoding": "rle", "names": {"Lung": "lung", "Heart": "heart"},
              "options": {"json_kind": "keyed", "json_key": "{subject}"}},
    "modality": "X-ray",
    "intensity": {"rule": "none"},
    "example_image": "img/a.png",
    "example_label": "ann.json",
}  # fmt: skip


def test_masks_of_a_json_overlap_and_unknown_names_are_said(tmp_path: Path) -> None:
    image, label = picture(0)
    write_picture(tmp_path / "img" / "a.png", image)
    entry = {"Lung": run_length(label > 0), "heart": run_length(label == 1), "Bone": run_length(label == 2)}
    write_json(tmp_path / "ann.json", {"a": entry})
    (sample,) = read(JSON, tmp_path)
    np.testing.assert_array_equal(sample.masks.dense(), np.stack([label > 0, label == 1]))
    assert "'Bone'" in sample.notes[0]
    write_json(tmp_path / "ann.json", {"b": entry})
    with pytest.raises(InputError, match="no entry 'a'"):
        read(JSON, tmp_path)
    write_json(tmp_path / "ann.json", {"a": {"Lung": run_length(label[1:] > 0)}})
    with pytest.raises(GeometryError, match="has the size"):
        read(JSON, tmp_path)
    (tmp_path / "ann.json").write_text('{"a": ', encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        read(JSON, tmp_path)


def test_coco_and_labelme(tmp_path: Path) -> None:
    image, _ = picture(0)
    write_picture(tmp_path / "img" / "a.png", image)
    square = [2, 3, 7, 3, 7, 9, 2, 9]
    coco = {
        "images": [{"id": 5, "file_name": "img/a.png"}],
        "categories": [{"id": 1, "name": "Heart"}],
        "annotations": [{"image_id": 5, "category_id": 1, "segmentation": [square]},
                        {"image_id": 6, "category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}],
    }  # fmt: skip
    (tmp_path / "ann.json").write_text(json.dumps(coco), encoding="utf-8")
    polygons = variant(JSON, label={"encoding": "polygons", "options": {"json_kind": "coco"}})
    (sample,) = read(polygons, tmp_path)
    assert sample.masks.dense().sum(axis=(1, 2)).tolist() == [0, 30]
    shapes = {"shapes": [{"label": "lung", "points": np.reshape(square, (-1, 2)).tolist()}]}
    (tmp_path / "ann.json").write_text(json.dumps(shapes), encoding="utf-8")
    single = variant(JSON, label={"encoding": "polygons", "options": {"json_kind": "labelme"}})
    (sample,) = read(single, tmp_path)
    assert sample.masks.dense().sum(axis=(1, 2)).tolist() == [30, 0]
