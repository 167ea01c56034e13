"""Which scan to mark next, and taking the marked one in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from Testing.cohort.conftest import GRID, Made, body
from Testing.cohort.records import record
from UniverSegSlicerLib.cohort import add_scan, rank_next, suggest
from UniverSegSlicerLib.cohort.inputs.supports import support_hash
from UniverSegSlicerLib.cohort.looks import distance
from UniverSegSlicerLib.errors import InputError
from UniverSegSlicerLib.files import read_label_map, write_label_map
from UniverSegSlicerLib.network import load_model
from UniverSegSlicerLib.segmentation import SupportSet


def around(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), np.sin(angle)]], np.float32)


def test_the_scan_that_brings_the_others_most_comes_first() -> None:
    """A crowd at 1 rad, one alone at 2 rad, and one like the support at 0."""
    angles = {"near": 0.0, "crowd a": 0.95, "crowd b": 1.0, "crowd c": 1.05, "alone": 2.0}
    looks = {name: around(angle) for name, angle in angles.items()}
    support = around(0.0)
    records = [
        replace(record(n), case=name, distance=distance(looks[name], support), suggested=(4, 2, 7, 1))
        for n, name in enumerate(angles)
    ]
    first, second = rank_next(records, looks, 2)
    assert (first.case, second.case) == ("crowd b", "alone") and first.gain > second.gain
    assert first.slices == (4, 2, 7)
    # One that all draws agree on needs no mark, however far it is.
    sure = {1: replace(records[0].labels[1], agreement=1.0)}
    unsure = {1: replace(records[0].labels[1], agreement=0.0)}
    doubted = [replace(r, labels=unsure if r.case == "alone" else sure) for r in records]
    assert rank_next(doubted, looks, 1)[0].case == "alone"
    assert rank_next([replace(r, error="gone") for r in records], looks, 2) == []


def test_suggest_mark_add_and_run_again(made: Made) -> None:
    made.run()
    (one,) = suggest(made.out)
    assert one.marks is not None and one.slices and one.volume.parent == made.volumes
    empty = read_label_map(one.marks)
    assert not empty.array.any() and empty.geometry.difference(GRID) is None
    assert str(one.marks) in one.marks.with_name(one.marks.name.replace("_marks.nii.gz", ".txt")).read_text()
    support, model = SupportSet.load(made.support), load_model(made.model, "cpu")
    with pytest.raises(InputError, match="is empty: mark slices"):
        add_scan(support, one.volume, one.marks, model=model)
    truth = body("abc".index(one.case))[1]
    marks = np.zeros_like(truth)
    marks[[1, 3]] = truth[[1, 3]]
    write_label_map(one.marks, marks, GRID)
    (again,) = suggest(made.out)
    assert np.array_equal(read_label_map(again.marks).array, marks), "what somebody marked stays"
    added = add_scan(support, one.volume, one.marks, model=model)
    assert len(added) == len(support) + 2 and len(added.scans) == 1
    assert np.array_equal(added.examples[-1].labels, truth[3])
    fewer = add_scan(added, one.volume, one.marks, model=None)
    assert len(fewer) == len(added) and not fewer.scans, "a scan that is there already is replaced"
    fewer.save(made.support)
    assert made.run().redone == 3
    assert made.run().redone == 0


def test_the_hash_of_a_support_is_of_what_counts(made: Made) -> None:
    support = SupportSet.load(made.support)
    known = support_hash(support, [1])
    assert support_hash(replace(support, provenance="elsewhere"), [1]) == known
    assert support_hash(support.using([0, 1]), [1]) != known
    left_out = replace(support, examples=(*support.examples, replace(support.examples[0], used=False)))
    assert support_hash(left_out, [1]) == known
    other = replace(support.examples[0], labels=5 * support.examples[0].labels, complete=False)
    more = replace(support, examples=(*support.examples, other))
    assert support_hash(more, [1]) == known and support_hash(more, [1, 5]) != known
