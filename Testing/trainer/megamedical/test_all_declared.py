"""All declared data sets in one folder, through the one command, into one store."""

from __future__ import annotations

import pytest

from Testing.trainer.declarations.trees import build
from trainer.megamedical.declaration import builtin_declarations
from trainer.megamedical.standardize.plan import Settings
from trainer.megamedical.standardize.run import DatasetReport, standardize
from trainer.megamedical.store import Store

DECLARED = builtin_declarations()


@pytest.fixture(scope="module")
def standardised(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, dict[str, DatasetReport]]:
    base = tmp_path_factory.mktemp("declared")
    for name, declaration in DECLARED.items():
        build(declaration, base / "in" / name, alternatives=False)
    reports = standardize(
        list(DECLARED.values()), base / "in", base / "store", Settings((16,)), accepted=list(DECLARED)
    )
    return Store.open(base / "store"), {report.dataset: report for report in reports}


@pytest.mark.parametrize("name", DECLARED)
def test_a_data_set_is_standardised_with_all_its_labels(
    standardised: tuple[Store, dict[str, DatasetReport]], name: str
) -> None:
    store, reports = standardised
    declaration = DECLARED[name]
    assert reports[name].status == "written"
    # The trees hold images without a label on purpose; nothing else may be wrong.
    assert all("no label for the image" in problem for problem in reports[name].problems)
    images = store.images[store.images["dataset"] == name]
    masks = store.masks[store.masks["image"].isin(images["image"])]
    groups = [group for group in declaration.groups if not group.alternative_to]
    assert set(images["group"]) == {group.name for group in groups}
    assert set(images["modality"]) == set(declaration.modalities)
    assert set(masks["label_name"]) == {label.name for group in groups for label in group.label.labels}
    assert set(images["role"]) == {declaration.role}
    assert images["rank"].iloc[0] == declaration.licence.rank
    for group in groups:
        assert set(images[images["group"] == group.name]["axis"]) == set(group.axes)
    assert set(images["split"]) == set(("train", "val", "test")[: images["subject"].nunique()])
