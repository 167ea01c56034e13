"""Examples from elsewhere, kept in the scene and saved with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.segmentation.support.set import SupportSet

SHAPE = (6, 8, 10)


def stored_set(path: Path, names: dict[int, str] | None = None) -> SupportSet:
    rng = np.random.default_rng(1)
    images = [rng.random((9, 7)) for _ in range(3)]
    labels = [(rng.random((9, 7)) > 0.5).astype(np.uint8) for _ in range(3)]
    support = SupportSet.from_pairs(images, labels, label_names=names or {1: "Liver"}, provenance="test")
    support.save(path)
    return support


def pair(world: Any, name: str = "Other") -> tuple[Any, Any]:
    volume = world.volume(np.zeros(SHAPE, np.int16), name=name)
    return volume, world.segmentation(volume, {"a": np.ones(SHAPE)}, f"{name} seg")


def test_sources_come_and_go(world, tmp_path):
    from UniverSegSlicerLib.scene.support import sources

    assert sources.list_sources(world.scene) == []
    volume, segmentation = pair(world)
    first = sources.add_pair(world.scene, volume, segmentation)
    with pytest.raises(InputError, match="in the support set already"):
        sources.add_pair(world.scene, volume, segmentation)
    stored_set(tmp_path / "livers.npz")
    second = sources.add_file(world.scene, tmp_path / "livers.npz")
    found = sources.list_sources(world.scene)
    assert [(source.key, source.kind, source.title, source.used) for source in found] == [
        (first, "pair", "Other + Other seg", True),
        (second, "file", "livers.npz", True),
    ]
    assert found[0].volume is volume
    assert found[0].segmentation is segmentation
    sources.set_source_used(world.scene, second, False)
    assert [source.used for source in sources.list_sources(world.scene)] == [True, False]
    texts = world.scene.GetNumberOfNodesByClass("vtkMRMLTextNode")
    sources.remove_source(world.scene, second)
    sources.remove_source(world.scene, first)
    assert sources.list_sources(world.scene) == []
    assert world.scene.GetNumberOfNodesByClass("vtkMRMLTextNode") == texts - 1
    assert world.scene.IsNodePresent(volume)
    # Keys are never given twice while something may still name them.
    assert sources.add_pair(world.scene, volume, segmentation) == "pair-1"


def test_the_file_itself_is_not_needed_any_more(world, tmp_path):
    from UniverSegSlicerLib.scene.support import sources

    original = stored_set(tmp_path / "livers.npz")
    sources.add_file(world.scene, tmp_path / "livers.npz")
    (tmp_path / "livers.npz").unlink()
    again = sources.load_stored(sources.list_sources(world.scene)[0])
    assert len(again) == 3
    assert again.label_names == {1: "Liver"}
    for ours, theirs in zip(again.examples, original.examples, strict=True):
        np.testing.assert_array_equal(ours.image, theirs.image)
        np.testing.assert_array_equal(ours.labels, theirs.labels)


def test_bad_files_and_lost_data_are_refused_in_words(world, tmp_path):
    from UniverSegSlicerLib.scene.support import sources

    (tmp_path / "no.npz").write_bytes(b"PK not a zip")
    with pytest.raises(InputError, match=r"no\.npz"):
        sources.add_file(world.scene, tmp_path / "no.npz")
    with pytest.raises(InputError, match=r"missing\.npz"):
        sources.add_file(world.scene, tmp_path / "missing.npz")
    assert sources.list_sources(world.scene) == []
    stored_set(tmp_path / "livers.npz")
    sources.add_file(world.scene, tmp_path / "livers.npz")
    source = sources.list_sources(world.scene)[0]
    for text in ("!", "AAAA", ""):
        source.text.SetText(text)
        with pytest.raises(InputError, match=r"'livers\.npz' cannot be used"):
            sources.load_stored(source)
    world.scene.RemoveNode(source.text)
    with pytest.raises(InputError, match="its data is missing from the scene"):
        sources.load_stored(sources.list_sources(world.scene)[0])


def test_deleted_nodes_of_a_pair_are_noticed(world):
    from UniverSegSlicerLib.scene.support import sources

    volume, segmentation = pair(world)
    other_volume, other_segmentation = pair(world, "Third")
    sources.add_pair(world.scene, volume, segmentation)
    sources.add_pair(world.scene, other_volume, other_segmentation)
    world.scene.RemoveNode(volume)
    first, second = sources.list_sources(world.scene)
    assert first.volume is None
    assert first.segmentation is segmentation
    assert second.volume is other_volume


@pytest.mark.parametrize("ending", ["mrml", "mrb"])
def test_saved_scene_reopens_with_everything(world, tmp_path, ending):
    """Marks, record, switched-off slices, pairs and embedded files, through Slicer's own reader and writer."""
    import slicer

    from UniverSegSlicerLib.scene.support import marks, sources, switched_off

    volume, segmentation = pair(world)
    marks.remember_result(segmentation, ["a"], volume, "k", [1, 3])
    switched_off.set_used(segmentation, "k", 3, False)
    sources.add_pair(world.scene, volume, segmentation)
    stored_set(tmp_path / "livers.npz")
    key = sources.add_file(world.scene, tmp_path / "livers.npz")
    sources.set_source_used(world.scene, key, False)

    world.save(tmp_path, ending)
    loaded = type(world)()
    loaded.load(tmp_path, ending)
    again = sources.list_sources(loaded.scene)
    assert [(source.kind, source.used) for source in again] == [("pair", True), ("file", False)]
    assert len(sources.load_stored(again[1])) == 3
    rows = marks.marked_slices(again[0].segmentation, ["a"], again[0].volume)
    assert [(row.axis, row.index, row.used) for row in rows] == [("k", 1, True), ("k", 3, False)]
    assert isinstance(loaded.scene, slicer.vtkMRMLScene)
