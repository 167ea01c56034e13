"""BIDS data sets: their images, and label maps as derivatives (BIDS 1.10, "Segmentations")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ... import __version__
from ...errors import InputError
from ...writing import write_whole
from .case import Case, without_ending

DESCRIPTION = "dataset_description.json"
#: The ``desc`` entity of our label maps.
DESC = "universeg"
_BIDS_VERSION = "1.10.0"
# Suffixes that stand for labels or for no image of a body.
_NO_IMAGES = ("dseg", "probseg", "mask", "bold", "sbref", "dwi", "epi", "fieldmap", "phasediff", "events")


def is_bids(place: Path) -> bool:
    """Whether a folder is a BIDS data set."""
    return (place / DESCRIPTION).is_file()


def bids_cases(root: Path, output: Path, suffix: str | None) -> list[Case]:
    """The images of all subjects, with the names of their derivatives.

    Args:
        root: The data set; its derivatives are left out.
        output: The output folder, which may lie in it.
        suffix: The images' suffix (``T1w``, ``ct``); needed where the data set has several.

    Raises:
        InputError: No image, or several suffixes and none chosen.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(root.glob("sub-*/**/sub-*")):
        if not path.name.endswith((".nii", ".nii.gz")) or path.resolve().is_relative_to(output.resolve()):
            continue
        kind = without_ending(path.name).rpartition("_")[2]
        if kind not in _NO_IMAGES:
            found.setdefault(kind, []).append(path)
    counted = ", ".join(f"{kind} ({len(paths)})" for kind, paths in sorted(found.items()))
    if suffix is None and len(found) > 1:
        raise InputError(f"{root} has images of several kinds, {counted}; choose one.", argument="suffix")
    if suffix is not None and suffix not in found:
        raise InputError(
            f"{root} has no image with the suffix {suffix}; it has {counted or 'none'}.", argument="suffix"
        )
    cases = []
    for path in found.get(suffix or next(iter(found), ""), []):
        entities = without_ending(path.name).rpartition("_")[0]
        inside = path.parent.relative_to(root)
        cases.append(Case(entities, path, (inside / f"{entities}_desc-{DESC}_dseg.nii.gz").as_posix()))
    return cases


def label_table(names: Mapping[int, str]) -> str:
    """The ``.tsv`` that says what the values of a label map mean."""
    rows = ["index\tname", "0\tBackground"]
    rows += [f"{value}\t{' '.join(name.split())}" for value, name in sorted(names.items())]
    return "\n".join(rows) + "\n"


def write_description(output: Path, source: Path) -> None:
    """Write ``dataset_description.json`` of the derivatives."""
    try:
        name = json.loads((source / DESCRIPTION).read_text(encoding="utf-8")).get("Name", source.name)
    except (OSError, ValueError, AttributeError):
        name = source.name
    content = {
        "Name": f"UniverSegSlicer label maps of {name}",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "UniverSegSlicer", "Version": __version__}],
        "SourceDatasets": [{"URL": source.resolve().as_uri()}],
    }
    write_whole(output / DESCRIPTION, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
