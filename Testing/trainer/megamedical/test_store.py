"""The store: what was written comes back, by number, whole or in part."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from Testing.trainer.megamedical.made import PICTURES, VOLUMES, declare, picture, volume, write_pictures, write_volumes
from trainer.megamedical.standardize.intensity import to_unit
from trainer.megamedical.standardize.plan import Settings
from trainer.megamedical.standardize.resize import resize_image, resize_masks
from trainer.megamedical.standardize.run import standardize
from trainer.megamedical.store import Store
from trainer.megamedical.store.bench import measure_alternatives, measure_store
from trainer.megamedical.task_index import TaskFilter, list_tasks, rows_of_task
from trainer.megamedical.task_picture import draw_tasks
from UniverSegSlicerLib.errors import InputError

VESSELS = {**PICTURES, "modality": "T1 MRI"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two picture sets and a volume set at 16 and 32 pixels."""
    base = tmp_path_factory.mktemp("made")
    write_pictures(base / "in" / "discs", [f"d{i}" for i in range(6)])
    write_pictures(base / "in" / "more", [f"m{i}" for i in range(3)])
    write_volumes(base / "in" / "balls", ["x", "y", "z"])
    licence = {"name": "CC BY-NC 4.0", "commercial_use": "no", "registration": "none"}
    standardize(
        [
            declare({**PICTURES, "root": "discs"}, "discs"),
            declare({**VESSELS, "root": "more"}, "more", role="val", licence=licence),
            declare({**VOLUMES, "root": "balls"}, "balls"),
        ],
        base / "in",
        base / "store",
        Settings((16, 32)),
    )
    return base / "store"


def test_pictures_and_masks_come_back(made: Path) -> None:
    store = Store.open(made)
    assert store.resolutions == (16, 32)
    assert len(store) == len(store.images)
    rows = store.images[store.images["dataset"] == "discs"]
    for row in rows.itertuples():
        image, label = picture(int(row.name[1:]))
        unit = to_unit(image, declare(PICTURES).groups[0].intensity)
        expected = resize_image(unit, (1.0, 1.0), 32)
        np.testing.assert_array_equal(store.read_images([row.image], 32)[0], expected)
        masks = store.masks[store.masks["image"] == row.image]
        assert masks["label_name"].tolist() == ["disc", "square"]
        squares = resize_masks(np.stack([label == 1, label == 2]), (1.0, 1.0), 32)
        np.testing.assert_array_equal(store.read_masks(masks["mask"].to_numpy(), 32), squares)
        np.testing.assert_allclose(masks["area"], [(label == v).sum() / 52**2 for v in (1, 2)], rtol=1e-5)


def test_slices_of_volumes_are_in_place(made: Path) -> None:
    store = Store.open(made, ["balls"])
    image, label = volume()
    unit = to_unit(image, declare(VOLUMES).groups[0].intensity)
    some = store.images[store.images["subject"] == "y"]
    assert set(some["axis"]) == {0, 1, 2}
    for row in some.itertuples():
        plane = unit.take(row.slice_index, axis=row.axis)
        np.testing.assert_array_equal(store.read_images(row.image, 16)[0], resize_image(plane, (1.0, 1.0), 16))
        assert (row.rows, row.cols) == plane.shape
        assert row.spacing == 1.0
    ball = store.masks[(store.masks["label"] == 1) & store.masks["largest"]]
    joined = ball.join(store.images.set_index("image")[["axis", "slice_index", "subject"]], on="image")
    assert len(joined) == 9  # three subjects, three axes
    for row in joined.itertuples():
        areas = (label == 1).sum(axis=tuple(a for a in range(3) if a != row.axis))
        assert areas[row.slice_index] == areas.max()


def test_reading_in_any_order_and_across_data_sets(made: Path) -> None:
    store = Store.open(made)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(store), 200)
    whole = store.load(16)
    np.testing.assert_array_equal(store.read_images(rows, 16), whole.images[rows])
    masks = rng.integers(0, len(store.masks), 50)
    unpacked = np.unpackbits(whole.masks[masks], axis=1).reshape(-1, 16, 16)
    np.testing.assert_array_equal(store.read_masks(masks, 16), unpacked)
    part = np.array([5, 2, 11])
    loaded = store.load(16, part)
    np.testing.assert_array_equal(loaded.images, whole.images[part])
    own = store.masks[store.masks["image"].isin(part)]["mask"].to_numpy()
    np.testing.assert_array_equal(loaded.masks, whole.masks[own])
    assert store.read_images([], 16).shape == (0, 16, 16)


def test_splits_keep_subjects_together_and_roles_stay(made: Path) -> None:
    images = Store.open(made).images
    per_subject = images.groupby(["dataset", "subject"])["split"].nunique()
    assert (per_subject == 1).all()
    assert set(images[images["dataset"] == "balls"]["split"]) == {"train", "val", "test"}
    assert images.groupby("dataset")["role"].first().to_dict() == {"balls": "train", "discs": "train", "more": "val"}
    assert images.groupby("dataset")["rank"].first().to_dict() == {"balls": "A", "discs": "A", "more": "B"}


def test_wrong_numbers_names_and_resolutions_are_refused(made: Path, tmp_path: Path) -> None:
    store = Store.open(made)
    with pytest.raises(InputError, match="has images 0 to"):
        store.read_images([len(store)], 16)
    with pytest.raises(InputError, match="has masks 0 to"):
        store.read_masks([-1], 16)
    with pytest.raises(InputError, match=r"has the resolutions \[16, 32\], asked for 64"):
        store.read_images([0], 64)
    with pytest.raises(InputError, match="no data set nope"):
        Store.open(made, ["nope"])
    with pytest.raises(InputError, match="no store"):
        Store.open(tmp_path)


def test_a_newer_layout_is_refused(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store" / "discs"
    folder.mkdir(parents=True)
    facts = json.loads((made / "discs" / "shard.json").read_text(encoding="utf-8"))
    (folder / "shard.json").write_text(json.dumps({**facts, "format": 99}), encoding="utf-8")
    with pytest.raises(InputError, match="layout 99"):
        Store.open(tmp_path / "store")


def test_a_store_travels_to_workers_without_its_maps(made: Path) -> None:
    store = Store.open(made)
    first = store.read_images([3], 32)
    copy = pickle.loads(pickle.dumps(store))
    assert len(pickle.dumps(store)) < 200_000
    np.testing.assert_array_equal(copy.read_images([3], 32), first)
    assert store.verify() == []


def test_tasks_are_counted_by_slicing(made: Path) -> None:
    store = Store.open(made)
    tasks = list_tasks(store)
    discs = tasks[tasks["dataset"] == "discs"]
    assert discs["slicing"].tolist() == ["mid", "mid"]  # a picture is not three tasks
    assert discs["images"].tolist() == [6, 6]
    assert (discs["train"] + discs["val"] + discs["test"]).tolist() == [6, 6]
    balls = tasks[(tasks["dataset"] == "balls") & (tasks["axis"] == 0)]
    assert set(zip(balls["slicing"], balls["label_name"], strict=True)) == {
        ("all", "ball"), ("all", "rod"), ("max", "ball"), ("max", "rod"), ("mid", "rod"),
    }  # fmt: skip
    rod = balls[(balls["slicing"] == "all") & (balls["label"] == 2)].iloc[0]
    assert (rod["images"], rod["subjects"]) == (36, 3)
    rows = rows_of_task(store, rod)
    assert len(rows) == 36
    assert store.read_masks(rows["mask"].to_numpy(), 32).any(axis=(1, 2)).all()


def test_filters(made: Path) -> None:
    store = Store.open(made)
    assert set(list_tasks(store, TaskFilter(ranks=["B"]))["dataset"]) == {"more"}
    assert set(list_tasks(store, TaskFilter(roles=["train"]))["dataset"]) == {"discs", "balls"}
    assert set(list_tasks(store, TaskFilter(modalities=["mr"]))["dataset"]) == {"more"}
    assert set(list_tasks(store, TaskFilter(modalities=["ultra"]))["dataset"]) == {"discs"}
    assert set(list_tasks(store, TaskFilter(slicings=["max"]))["slicing"]) == {"max"}
    assert set(list_tasks(store, TaskFilter(datasets=["DISCS"]))["dataset"]) == {"discs"}
    assert (list_tasks(store, TaskFilter(min_area=0.02))["area"] >= 0.02).all()
    assert list_tasks(store, TaskFilter(min_subjects=4))["dataset"].unique().tolist() == ["discs"]
    with pytest.raises(InputError, match="sideways"):
        TaskFilter(slicings=["sideways"])
    with pytest.raises(InputError, match="fractions"):
        TaskFilter(min_area=0.5, max_area=0.1)


@pytest.mark.parametrize("kind", ["sunburst", "bars"])
def test_picture_of_the_tasks(made: Path, tmp_path: Path, kind: str) -> None:
    tasks = list_tasks(Store.open(made))
    path = draw_tasks(tasks, tmp_path / "tasks.svg", kind)
    drawn = path.read_text(encoding="utf-8")
    assert "<!-- balls" in drawn
    assert "MR" in drawn
    with pytest.raises(InputError, match="pie"):
        draw_tasks(tasks, tmp_path / "tasks.svg", "pie")
    with pytest.raises(InputError, match="no task"):
        draw_tasks(tasks[:0], tmp_path / "tasks.svg", kind)
    with pytest.raises(InputError, match=r"must end in \.png"):
        draw_tasks(tasks, tmp_path / "tasks.jpg", kind)


def test_measurement_reads_the_same_samples_in_every_format(made: Path) -> None:
    pytest.importorskip("zarr")
    pytest.importorskip("lmdb")
    store = Store.open(made)
    figures = [measure_store(store, 32, seconds=0.02), *measure_alternatives(store, 32, 64, seconds=0.02)]
    assert len({figure.name for figure in figures}) == 6
    for figure in figures:
        assert figure.one_by_one > 0
        assert figure.batches > 0
        assert figure.megabytes > 0
