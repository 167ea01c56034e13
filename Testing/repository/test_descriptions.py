"""The files that describe the extension say the same things."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from PIL import Image

import UniverSegSlicerLib

#: Keys that the schema v1.0.1 of the Extensions Index knows; `scm_url`, `category` and `$schema` are required.
INDEX_KEYS = {"$schema", "category", "scm_url", "scm_revision", "scm_type", "build_dependencies", "build_subdirectory"}
INDEX_KEYS |= {"enabled", "tier"}


@pytest.fixture
def cmake(repository: Path) -> dict[str, str]:
    """The EXTENSION_ variables of the top-level CMakeLists.txt, and ``project``."""
    text = (repository / "CMakeLists.txt").read_text()
    values = dict(re.findall(r'^set\(EXTENSION_(\w+) "([^"]*)"\)', text, re.MULTILINE))
    project = re.search(r"^project\((\w+)\)", text, re.MULTILINE)
    assert project is not None
    return {**values, "PROJECT": project.group(1)}


@pytest.fixture
def index_entry(repository: Path) -> dict[str, object]:
    """The entry for the Extensions Index."""
    return json.loads((repository / "UniverSegSlicer.json").read_text())


@pytest.fixture
def s4ext(repository: Path) -> dict[str, str]:
    """The keywords of the legacy description file."""
    lines = (repository / "UniverSegSlicer.s4ext").read_text().splitlines()
    pairs = [line.partition(" ") for line in lines if line.strip() and not line.startswith("#")]
    return {key: value.strip() for key, _, value in pairs}


def test_s4ext_agrees_with_cmake(cmake: dict[str, str], s4ext: dict[str, str]) -> None:
    for key in ("homepage", "contributors", "iconurl", "description", "screenshoturls", "depends"):
        assert s4ext[key] == cmake[key.upper()], key


def test_s4ext_agrees_with_the_index_entry(index_entry: dict[str, object], s4ext: dict[str, str]) -> None:
    pairs = {"scm_url": "scmurl", "scm_revision": "scmrevision", "category": "category"}
    pairs["build_subdirectory"] = "build_subdirectory"
    for key, word in pairs.items():
        assert index_entry[key] == s4ext[word], key
    assert index_entry["tier"] == int(s4ext["tier"])
    assert index_entry["build_dependencies"] == s4ext["depends"].split()


def test_index_entry_is_what_the_index_takes(
    repository: Path, cmake: dict[str, str], index_entry: dict[str, object]
) -> None:
    assert (repository / f"{cmake['PROJECT']}.json").is_file(), "the entry is named as the project"
    assert not cmake["PROJECT"].startswith("Slicer"), "the index refuses extension names that begin with Slicer"
    assert {"$schema", "category", "scm_url"} <= set(index_entry) <= INDEX_KEYS
    assert b"\r" not in (repository / "UniverSegSlicer.json").read_bytes()


def test_urls_point_into_this_repository(
    repository: Path, cmake: dict[str, str], index_entry: dict[str, object]
) -> None:
    home = cmake["HOMEPAGE"]
    assert index_entry["scm_url"] == f"{home}.git"
    raw = home.replace("https://github.com", "https://raw.githubusercontent.com") + f"/{index_entry['scm_revision']}/"
    for url in [cmake["ICONURL"], *cmake["SCREENSHOTURLS"].split()]:
        assert url.startswith(raw), url
        assert (repository / url.removeprefix(raw)).is_file(), url


def test_icon_is_128_pixels_square(repository: Path) -> None:
    with Image.open(repository / "UniverSegSlicer.png") as icon:
        assert (icon.format, icon.size) == ("PNG", (128, 128))


def test_one_version(repository: Path) -> None:
    version = UniverSegSlicerLib.__version__
    citation = yaml.safe_load((repository / "CITATION.cff").read_text())
    assert citation["version"] == version
    changes = (repository / "CHANGELOG.md").read_text()
    released = re.search(r"^## \[(\d+\.\d+\.\d+)\]", changes, re.MULTILINE)
    assert released is not None and released.group(1) == version, "the newest release in CHANGELOG.md"


def test_citation_names_the_paper(repository: Path) -> None:
    citation = yaml.safe_load((repository / "CITATION.cff").read_text())
    assert citation["license"] == "Apache-2.0"
    paper = citation["references"][0]
    assert paper["year"] == 2023 and paper["authors"][0]["family-names"] == "Butoi"
