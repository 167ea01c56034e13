"""The commands as a user types them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from PIL import Image

from Testing.trainer.megamedical.made import PICTURES, declared, write_pictures, write_volumes
from trainer.cli.app import run
from trainer.megamedical.declaration import builtin_declarations, load_declaration


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A declaration of one's own and its data."""
    write_pictures(tmp_path / "in" / "mine", ["a", "b", "c", "d", "e"])
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(declared(PICTURES, "mine")), encoding="utf-8")
    return path


def test_list_shows_every_declared_set_with_its_confidence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["datasets", "list"]) == 0
    out = capsys.readouterr().out
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    for name, declaration in builtin_declarations().items():
        assert name in lines
        assert declaration.confidence["layout"] in lines[name]
        assert f" {declaration.task_count} " in lines[name]
    assert "53 of UniverSeg's MegaMedical" in out


def test_list_says_what_is_present(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["datasets", "list", "--root", str(tmp_path / "in"), "--declarations", str(own)]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert " yes " in lines["mine"]
    assert " no " in lines["ACDC"]


def test_check_shows_matches_labels_and_a_sheet(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in" / "mine" / "labels" / "e.png").unlink()
    arguments = ["datasets", "check", "mine", "--root", str(tmp_path / "in"), "--declarations", str(own)]
    assert run([*arguments, "--sheet", str(tmp_path / "sheet.png")]) == 0
    out = capsys.readouterr().out
    assert "4 cases of 4 subjects" in out
    assert "no label for the image images/e.png" in out
    assert "labels found: disc, square" in out
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 1000
        assert len(sheet.convert("RGB").getcolors(1 << 24)) > 100


def test_check_of_an_absent_set_shows_what_was_looked_for(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["datasets", "check", "ACDC", "--root", str(tmp_path / "in")]) == 2
    out = capsys.readouterr().out
    assert "image pattern:" in out
    assert "an example:" in out
    assert run(["datasets", "check", "ACDD", "--root", str(tmp_path / "in")]) == 2
    assert "Did you mean ACDC" in capsys.readouterr().err


def test_add_writes_a_template_that_is_a_declaration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "liver.yaml"
    assert run(["datasets", "add", "liver_of_ours", "--output", str(path)]) == 0
    declaration = load_declaration(path)
    assert declaration.id == "liver_of_ours"
    write_volumes(tmp_path / "in", ["case1"])
    store = tmp_path / "store"
    arguments = ["--root", str(tmp_path / "in"), "--store", str(store), "--declarations", str(path)]
    assert run(["standardize", *arguments, "--datasets", "liver_of_ours", "--resolution", "16"]) == 0
    assert "written" in capsys.readouterr().out
    assert run(["datasets", "add", "liver_of_ours", "--output", str(path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert run(["datasets", "add", "bad name", "--output", str(tmp_path / "x.yaml")]) == 2


def test_from_standardize_to_tasks(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(tmp_path / "store")
    arguments = ["--root", str(tmp_path / "in"), "--declarations", str(own), "--store", store]
    assert run(["standardize", *arguments, "--resolution", "32,16"]) == 0
    out = capsys.readouterr().out
    assert "5 pictures and 10 masks" in out
    assert "more are declared and not below" in out
    table = tmp_path / "tasks.csv"
    assert run(["tasks", "list", "--store", store, "--csv", str(table)]) == 0
    assert "2 tasks (2 mid) in 1 data sets" in capsys.readouterr().out
    assert table.read_text(encoding="utf-8").count("\n") == 3
    assert run(["tasks", "list", "--store", store, "--modality", "CT"]) == 0
    assert "0 tasks" in capsys.readouterr().out
    assert run(["tasks", "picture", "--store", store, "--output", str(tmp_path / "t.png")]) == 0
    assert (tmp_path / "t.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--datasets", "mine", "--resolution", "abc"], "give numbers separated by commas"),
        (["--datasets", "mine", "--resolution", "100"], "multiple of 8"),
        (["--datasets", "nobody"], "no data set 'nobody'"),
        (["--datasets", "mine", "--backend", "spark"], "choose one of loky, dask, ray"),
        (["--datasets", "ACDC"], "is it the right folder"),
    ],
)
def test_wrong_input_is_one_sentence(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    base = ["standardize", "--root", str(tmp_path / "in"), "--store", str(tmp_path / "s"), "--declarations", str(own)]
    assert run([*base, *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_unknown_options_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["standardize", "--sideways"]) == 2
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for command in ("datasets", "standardize", "tasks", "bench", "train"):
        assert command in out


def test_a_broken_declaration_names_file_and_field(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = yaml.safe_load(own.read_text(encoding="utf-8"))
    data["groups"][0]["reader"] = "paper"
    own.write_text(yaml.safe_dump(data), encoding="utf-8")
    assert run(["datasets", "list", "--declarations", str(own)]) == 2
    assert "mine.yaml: groups/0/reader" in capsys.readouterr().err
    own.write_text("id: [", encoding="utf-8")
    assert run(["datasets", "list", "--declarations", str(own)]) == 2
    assert "not valid YAML" in capsys.readouterr().err
