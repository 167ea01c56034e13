"""The names file as people and their spreadsheet programs leave it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from UniverSegSlicerLib.errors import InputError

COMMAS = "LabelValue,Name,Color_R,Color_G,Color_B,Color_A\r\n7,Liver,1,2,3,255\r\n9,Größe,4,5,6,255\r\n"
SEMICOLONS = COMMAS.replace(",", ";")

LEFT_BY_SPREADSHEETS = {
    "commas": COMMAS.encode(),
    "byte order mark": b"\xef\xbb\xbf" + COMMAS.encode(),
    "semicolons": SEMICOLONS.encode(),
    "semicolons, Windows letters": SEMICOLONS.encode("cp1252"),
    "sep line": b"sep=;\r\n" + SEMICOLONS.encode("cp1252"),
    "tabs, UTF-16": COMMAS.replace(",", "\t").encode("utf-16"),
    "quoted": '"LabelValue";"Name";"Color_R";"Color_G";"Color_B"\n"7";"Liver";"1";"2";"3"\n"9";"Größe";"4";"5";"6"\n'
    .encode(),
    "decimal commas": "LabelValue;Name;Color_R;Color_G;Color_B\n7,0;Liver;1,00;2;3\n9,0;Größe;4;5;6\n".encode(),
    "empty lines at the end": (SEMICOLONS + ";;;;;\r\n;;;;;\r\n").encode(),
    "other case, spaces": COMMAS.replace("LabelValue,Name", " labelvalue , NAME").encode(),
    "line ends of old Macs": COMMAS.replace("\r\n", "\r").encode(),
    "background named": COMMAS.replace("7,", "0,background,0,0,0,0\r\n7,", 1).encode(),
}  # fmt: skip


@pytest.fixture
def names(tmp_path):
    pytest.importorskip("slicer")
    return tmp_path / "labels.csv"


@pytest.mark.parametrize("data", LEFT_BY_SPREADSHEETS.values(), ids=LEFT_BY_SPREADSHEETS)
def test_spreadsheets_are_read_and_written_again_as_they_were(names: Path, data: bytes) -> None:
    from UniverSegSlicerLib.scene.mrml.names import LabelName, read_names, write_names

    names.write_bytes(data)
    found = read_names(names)
    assert {key: value for key, value in found.values.items() if value} == {"Liver": 7, "Größe": 9}
    assert [line.colour for line in found.lines][-2:] == [(1, 2, 3), (4, 5, 6)]
    write_names(names, found.extended([LabelName(10, "Niere", (7, 8, 9)), LabelName(7, "Liver", (0, 0, 0))]))
    again = read_names(names)
    assert (again.delimiter, again.values) == (found.delimiter, {**found.values, "Niere": 10})


def test_columns_of_ones_own_stay_and_colours_may_be_missing(names: Path) -> None:
    from UniverSegSlicerLib.scene.mrml.names import LabelName, read_names, write_names

    names.write_text("Name;Reader;LabelValue\nLiver;Dr. Weiß;3\n", encoding="utf-8")
    found = read_names(names)
    write_names(names, found.extended([LabelName(3, "Liver", (1, 2, 3)), LabelName(4, "Spleen")]))
    again = read_names(names)
    assert [(line.name, line.value, line.more["Reader"]) for line in again.lines] == [
        ("Liver", 3, "Dr. Weiß"), ("Spleen", 4, ""),
    ]  # fmt: skip
    assert again.lines[0].colour == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LabelValue;Name\n1,5;Liver\n", "the value of 'Liver', '1,5', is not a whole number"),
        ("LabelValue,Name\n-1,Liver\n", "the value -1 of 'Liver' is not one of 0 to 65535"),
        ("LabelValue,Name\n70000,Liver\n", "70000"),
        ("LabelValue,Name\n,Liver\n", "'' *, is not a whole number"),
        ("LabelValue,Name\n5,\n", "the value '5' has no name"),
        ("Value;Label\n1;Liver\n", "it has the columns Value, Label"),
        ("", "it has the columns of nothing"),
        ("LabelValue,Name\n1,Liver\n1,Spleen\n", "has the value 1 twice"),
        ("LabelValue;Name\n1;Liver\n2;Liver\n", "has the name 'Liver' twice"),
    ],
)
def test_what_is_no_table_of_labels_is_refused_in_words(names: Path, text: str, words: str) -> None:
    from UniverSegSlicerLib.scene.mrml.names import read_names

    names.write_text(text)
    with pytest.raises(InputError, match=words):
        read_names(names)


def test_zero_is_the_background_and_no_label(world, tmp_path) -> None:
    from UniverSegSlicerLib.scene.mrml.export import export_nifti

    mask = np.zeros((4, 5, 6), np.uint8)
    mask[1, 2, 3] = 1
    volume = world.volume(np.zeros(mask.shape, np.int16))
    segmentation = world.segmentation(volume, {"Liver": mask})
    (tmp_path / "labels.csv").write_text("LabelValue;Name\n0;Liver\n")
    with pytest.raises(InputError, match=r"labels\.csv gives 'Liver' the value 0, which is the background"):
        export_nifti(volume, segmentation, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]
    (tmp_path / "labels.csv").write_text("LabelValue;Name\n0;background\n3;Spleen\n")
    assert export_nifti(volume, segmentation, tmp_path).values == {"Liver": 4}
    assert "background" in (tmp_path / "labels.csv").read_text()
