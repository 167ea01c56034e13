"""Fitting the weights of the evidence: known answers on made evidence, and the command from scans to weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from trainer.cli.app import run
from trainer.learning.fusion import evidence as fusion_evidence
from trainer.learning.fusion.evidence import SITUATIONS, Case, CaseEvidence, slices_to_weigh
from trainer.learning.fusion.fit import FitSettings, Sample, fit, present_numbers, temperatures
from trainer.learning.fusion.report import python_lines
from UniverSegSlicerLib.files import write_label_map, write_volume
from UniverSegSlicerLib.imaging import Geometry
from UniverSegSlicerLib.segmentation.propagation.guided.fusion import BETWEEN, Terms, Weights

SIDE = 16


def made(temperature: float = 0.0, cases: int = 4, slices: int = 6) -> Sample:
    """Random evidence between marks; the truth follows the present weights, by chance where a temperature is given."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(cases):
        maps = rng.normal(0, 2, (slices, 4, SIDE, SIDE)).astype(np.float16)
        factors = np.zeros((slices, 24), np.float32)
        factors[:, :6] = 1
        factors[:, 1] = 1 / (1 + 0.15 * np.arange(1, slices + 1))
        factors[:, [6, 7, 8, 9]] = rng.uniform(-0.3, 0.3)
        terms = Terms(torch.from_numpy(maps).float(), torch.from_numpy(factors))
        logits = terms.weighted(torch.tensor(BETWEEN.numbers()))[:, 0].numpy()
        chance = logits > 0 if not temperature else 1 / (1 + np.exp(-logits / temperature))
        truth = chance > rng.uniform(0, 1, logits.shape) if temperature else chance
        shown = np.ones((SIDE, SIDE), bool)
        case = Case(f"set{number % 2}", f"v{number}", 1, "even", 3)
        evidence = CaseEvidence(
            maps, factors, truth, shown, np.zeros(slices, np.int8), np.ones(slices, np.float32), np.float32(0)
        )
        found.append((case, evidence))
    return Sample(found)


def mean_dice(sample: Sample, numbers: torch.Tensor) -> float:
    return float(sample.dice((sample.logits(numbers) > 0).float()).mean())


def test_known_weights_are_found_from_bad_ones() -> None:
    sample = made()
    bad = torch.zeros(3, 24)
    bad[:, 0], bad[:, 5] = 1.0, 1.0
    found = fit(sample, FitSettings(penalty=0), start=bad)
    assert mean_dice(sample, bad) < 0.75 and mean_dice(sample, found) > 0.97
    known = present_numbers()[0, 2:6]
    assert torch.cosine_similarity(found[0, 2:6], known, dim=0) > 0.98
    # There is nothing of the other situations, so nothing of them changes.
    assert torch.equal(found[1:], bad[1:])


def test_a_penalty_holds_the_weights_and_the_network_can_be_left_out() -> None:
    sample = made()
    start = present_numbers()
    assert (fit(sample, FitSettings(penalty=1e3), start=start) - start).abs().max() < 1e-2
    without = fit(sample, FitSettings(), network=False)
    assert (without[:, [4, 13]] == 0).all()
    assert mean_dice(sample, without) < mean_dice(sample, fit(sample, FitSettings()))


def test_temperature_makes_chances_right() -> None:
    heat = temperatures(made(temperature=2.5), present_numbers())
    assert heat[0] == pytest.approx(2.5, rel=0.1)
    assert heat[2] == pytest.approx(SITUATIONS["around one"].temperature)


def test_every_data_set_weighs_the_same() -> None:
    weights = made(cases=3).alike()
    assert weights.tolist() == pytest.approx([0.25, 0.5, 0.25])
    assert made(cases=3).alike("set0").tolist() == [0, 1, 0]


def test_slices_within_and_around_the_structure() -> None:
    rows, shares = slices_to_weigh(np.arange(40, 80), (50, 60, 70), 200, 20)
    assert len(rows) == 20 and (np.diff(rows) > 0).all() and not {50, 60, 70} & set(rows.tolist())
    within = (rows >= 40) & (rows < 80)
    assert shares[within].sum() == pytest.approx(37) and shares[~within].sum() == pytest.approx(80)
    rows, shares = slices_to_weigh(np.arange(2, 5), (3,), 6, 20)
    assert rows.tolist() == [0, 1, 2, 4, 5] and (shares == 1).all()


def test_lines_for_the_code_are_the_weights() -> None:
    space: dict[str, object] = {"Weights": Weights}
    text = python_lines(SITUATIONS)
    exec(text, space)
    assert [space[name] for name in ("BETWEEN", "BEYOND", "AROUND_ONE")] == list(SITUATIONS.values())
    assert max(map(len, text.splitlines())) <= 120


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two data sets of one volume: discs that grow from slice to slice."""
    rows, cols = np.indices((32, 36))
    entries = []
    for seed, name in enumerate(("first", "second")):
        radius = [6 + 0.5 * n if 3 <= n < 11 else 0 for n in range(14)]
        truth = np.stack([np.hypot(rows - 15 - seed, cols - 18) < r for r in radius])
        noise = np.random.default_rng(seed).normal(0, 8, truth.shape)
        geometry = Geometry(truth.shape[::-1], (1.0, 1.0, 2.0))
        place = tmp_path / "scans" / name / "a"
        place.mkdir(parents=True)
        write_volume(place / "image.nii.gz", (100 + 80.0 * truth + noise).astype(np.float32), geometry)
        write_label_map(place / "label.nii.gz", truth.astype(np.uint16), geometry)
        entries.append({"id": name, "kind": "3d", "role": "val", "path": name, "labels": {"1": "disc"}})
    (tmp_path / "scans" / "catalogue.json").write_text(json.dumps(entries), encoding="utf-8")
    return tmp_path / "scans"


def test_from_scans_to_weights_and_again_without_new_evidence(
    scans: Path, tmp_path: Path, tiny_model_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    out = tmp_path / "out"
    command = ["fusion", "--data", str(scans), "-o", str(out), "--model", str(tiny_model_path), "--slices", "6"]
    assert run([*command, "--steps", "4"]) == 0
    said = capsys.readouterr().out
    assert "BEYOND = Weights(" in said and "| 4 marks, one end: all slices | 2 |" in said
    result = json.loads((out / "weights.json").read_text(encoding="utf-8"))
    assert result["data_sets"] == ["first", "second"] and result["cases"] == 10
    assert set(result["weights"]) == set(SITUATIONS)
    assert set(result["weights"]["beyond"]) == set(vars(BETWEEN))
    header, *rows = (out / "validation.csv").read_text(encoding="utf-8").splitlines()
    assert header == "dataset,volume,label,placement,marks,situation,method,dice,entropy" and len(rows) >= 48

    monkeypatch.setattr(fusion_evidence, "gather_case", None)
    assert run([*command, "--steps", "2", "--no-validate", "--datasets", "second"]) == 0
    assert "there is no validation" in capsys.readouterr().out


def test_wrong_input_in_words(scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        (["--data", str(tmp_path / "none")], "is no folder"),
        (["--data", str(scans), "--role", "test"], "expected val, train"),
        (["--data", str(scans), "--role", "train"], "holds no labelled volume"),
        (["--data", str(scans), "--datasets", "third"], "there is no 'third'"),
    ):
        assert run(["fusion", *arguments, "-o", str(tmp_path / "out")]) == 2
        assert said in capsys.readouterr().err
