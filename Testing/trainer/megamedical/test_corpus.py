"""Real labelled images: the catalogue's declarations, the readers and the store on a few small sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.megamedical.corpus import catalogue_declarations
from trainer.megamedical.index import match_dataset
from trainer.megamedical.readers import read_case
from trainer.megamedical.standardize.plan import Settings
from trainer.megamedical.standardize.run import standardize
from trainer.megamedical.store import Store

pytestmark = pytest.mark.corpus

SMALL = ("faz_octa", "carotid_us", "icbm152")


@pytest.fixture(scope="module")
def store(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("corpus") / "store"
    declared = catalogue_declarations(corpus)
    reports = standardize([declared[name] for name in SMALL], corpus, folder, Settings((64, 128)))
    assert [report.status for report in reports] == ["written"] * len(SMALL)
    assert not any(report.problems for report in reports)
    return Store.open(folder)


def test_every_entry_of_the_catalogue_is_found_whole(corpus: Path) -> None:
    entries = json.loads((corpus / "catalogue.json").read_text(encoding="utf-8"))
    declared = catalogue_declarations(corpus)
    assert len(declared) == len(entries) >= 80
    for entry in entries:
        (match,) = match_dataset(declared[entry["id"]], corpus)
        assert len(match.cases) == entry["n"], entry["id"]
        assert not match.problems, entry["id"]
        if isinstance(entry["groups"], int):
            known = {case.subject for case in match.cases if case.subject != case.name}
            everyone = {case.subject for case in match.cases}
            # Pictures of an unknown subject stand for themselves.
            assert entry["groups"] in (len(known), len(everyone)), entry["id"]


def test_masks_are_those_of_the_files(corpus: Path, store: Store) -> None:
    images = store.images[store.images["dataset"] == "faz_octa"]
    assert set(images["split"]) == {"train", "val", "test"}
    folder = next(corpus.glob("*/faz_octa/labels"))
    for row in images.head(8).itertuples():
        label = np.asarray(Image.open(folder / f"{row.name}.png"))
        masks = store.masks[store.masks["image"] == row.image]
        assert sorted(masks["label"]) == sorted(set(np.unique(label).tolist()) - {0})
        for mask in masks.itertuples():
            share = (label == mask.label).sum() / max(label.shape) ** 2
            assert mask.area == pytest.approx(share, rel=1e-5)
            small = store.read_masks(mask.mask, 128)[0]
            assert small.mean() == pytest.approx(share, rel=0.1, abs=4 / 128**2)


def test_slices_of_a_real_volume_hold_what_the_volume_holds(corpus: Path, store: Store) -> None:
    declaration = catalogue_declarations(corpus)["icbm152"]
    (case,) = match_dataset(declaration, corpus)[0].cases
    (sample,) = list(read_case(case))
    assert sample.spacing == pytest.approx((1.5, 1.5, 1.5))
    columns = ["dataset", "axis", "spacing", "rows", "cols", "slice_index"]
    masks = store.masks.join(store.images.set_index("image")[columns], on="image")
    own = masks[masks["dataset"] == "icbm152"]
    assert np.allclose(own["spacing"], 1.0)
    for position in sample.masks.present():
        label = sample.masks.labels[position]
        litres = sample.masks.dense()[position].sum() * 1.5**3 / 1e6
        assert 0.2 < litres < 1.5  # grey and white matter of an adult
        for axis in (0, 1, 2):
            rows = own[(own["axis"] == axis) & (own["label"] == label.value)]
            # Slices of 1 mm out of voxels of 1.5 mm: every second one is kept, besides the largest and the middle one.
            middle = int(sample.image.shape[axis] * 1.5 + 0.5) // 2
            rows = rows[(rows["slice_index"] - middle) % 2 == 0]
            slices = (rows["area"] * np.maximum(rows["rows"], rows["cols"]) ** 2).sum() * 2 / 1e6
            assert slices == pytest.approx(litres, rel=0.03), (label.name, axis)
