"""Every declared data set, as real files in its published layout, through its own reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from Testing.trainer.declarations.content import Truth
from Testing.trainer.declarations.trees import build
from trainer.megamedical.declaration import builtin_declarations
from trainer.megamedical.index import match_dataset
from trainer.megamedical.readers import read_case
from trainer.megamedical.sample import Sample

DECLARATIONS = builtin_declarations()
PACKAGINGS = [
    pytest.param(name, alternatives, id=f"{name}, other packaging" if alternatives else name)
    for name, declaration in DECLARATIONS.items()
    for alternatives in sorted({bool(group.alternative_to) for group in declaration.groups})
]


@pytest.mark.parametrize(("name", "alternatives"), PACKAGINGS)
def test_reader_finds_what_was_written(name: str, alternatives: bool, tmp_path: Path) -> None:
    """Pairing, official split, picture, spacing and every mask by name, in the frame that the declaration promises."""
    declaration = DECLARATIONS[name]
    tree = build(declaration, tmp_path / name, alternatives=alternatives)

    matches = match_dataset(declaration, tmp_path)
    without_label = [path for match in matches for path in match.images_without_label]
    assert sorted(without_label) == sorted(tree.unpaired)
    assert not [problem for m in matches for problem in (*m.labels_without_image, *m.duplicates)]

    samples = [sample for match in matches for case in match.cases for sample in read_case(case)]
    assert len(samples) == len(tree.truths)
    for truth in tree.truths:
        _compare(_sample_of(truth, samples), truth)


def _sample_of(truth: Truth, samples: list[Sample]) -> Sample:
    """The one sample of a subject and modality, and of a row where many share a file."""
    wanted = (truth.group, truth.modality, truth.subject)
    found = [s for s in samples if (s.group, s.modality, s.subject) == wanted and s.name.endswith(truth.row)]
    assert len(found) == 1, f"{wanted} {truth.row}: {[(s.name, s.subject) for s in samples]}"
    return found[0]


def _compare(sample: Sample, truth: Truth) -> None:
    where = f"{sample.dataset} {sample.group} {sample.name}"
    assert not sample.notes, where
    assert sample.official_split == truth.official_split, where
    assert sample.image.shape == truth.image.shape, where
    difference = np.abs(sample.image.astype(np.float64) - truth.image)
    assert difference.max() <= truth.tolerance, where
    if truth.spacing:
        np.testing.assert_allclose(sample.spacing, truth.spacing, atol=1e-4, err_msg=where)
    dense = sample.masks.dense()
    assert [label.value for label in sample.masks.labels] == list(truth.masks), where
    for label, mask in zip(sample.masks.labels, dense, strict=True):
        np.testing.assert_array_equal(mask, truth.masks[label.value], err_msg=f"{where}: {label.name}")
