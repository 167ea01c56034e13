"""Declarations generated from a catalogue: many small sets in one folder, as ``catalogue.json`` describes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from UniverSegSlicerLib.errors import InputError

from .declaration import Declaration, parse_declaration


def catalogue_declarations(root: str | Path) -> dict[str, Declaration]:
    """Make a declaration of every entry of ``<root>/catalogue.json``, by id.

    2D entries are pairs of PNG (``images/NNN.png``, ``labels/NNN.png``) with ``subjects.csv``; 3D entries are folders
    with ``image.nii.gz`` and ``label.nii.gz``.

    Raises:
        InputError: The catalogue is missing or not as expected.
    """
    path = Path(root) / "catalogue.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The catalogue {path} cannot be read ({error}).") from error
    return {entry["id"]: parse_declaration(_declare(entry, Path(root)), entry["id"]) for entry in entries}


def _declare(entry: Mapping[str, Any], root: Path) -> dict[str, Any]:
    group = _pictures(entry) if entry["kind"] == "2d" else _volumes(entry, root)
    evidence = entry.get("licence_evidence", "")
    return {
        "id": entry["id"],
        "title": entry["title"],
        "citation": entry.get("citation", ""),
        "source": entry["source"],
        "licence": {
            "name": entry["licence"],
            "rank": entry["rank"],
            "commercial_use": "yes" if entry["rank"] == "A" else "unclear",
            "registration": "none",
            "note": evidence,
        },
        "role": entry["role"],
        "domain": entry["anatomy"],
        "groups": [group],
        "confidence": {"layout": "seen_in_data", "labels": "seen_in_documentation", "licence": "seen_in_documentation"},
        "notes": [entry["notes"]] if entry.get("notes") else [],
    }


def _pictures(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": entry["id"],
        "root": entry["path"],
        "reader": "image",
        "image": {
            "pattern": r"^images/(?P<subject>\d+)\.png$",
            "options": {"subjects": {"file": "subjects.csv", "row": "pair", "column": "subject"}},
        },
        "label": {"pattern": r"^labels/(?P<subject>\d+)\.png$", "encoding": "values", "names": entry["labels"]},
        "modality": entry["modality"],
        "intensity": {"rule": "none"},
        "example_image": "images/001.png",
        "example_label": "labels/001.png",
    }


def _volumes(entry: Mapping[str, Any], root: Path) -> dict[str, Any]:
    cases = sorted(p.parent.name for p in (root / entry["path"]).glob("*/image.nii.gz"))
    if not cases:
        raise InputError(f"{entry['id']}: there is no image.nii.gz below {root / entry['path']}.")
    subject, parts = _subject_pattern(cases, entry["groups"] if isinstance(entry["groups"], int) else len(cases))
    modality = entry["modality"]
    rule = "ct" if re.match(r"CT\b", modality) else "mr" if modality.startswith("MR") else "none"
    several = any(mark in modality for mark in ("/", ",")) and "channel" in subject
    return {
        "name": entry["id"],
        "root": entry["path"],
        "reader": "volume",
        "image": {"pattern": rf"^{subject}/image\.nii\.gz$"},
        "label": {"pattern": rf"^{subject}/label\.nii\.gz$", "encoding": "values", "names": entry["labels"]},
        "modality": {part: f"MR {part.upper()}" for part in parts} if several else modality,
        "pair_on": [name for name in ("subject", "channel", "case") if f"<{name}>" in subject],
        "subject_from": ["subject"] if "<subject>" in subject else [],
        "intensity": {"rule": rule},
        # A specimen of a few millimetres would vanish at 1 mm.
        **({"resample_mm": None} if "micro" in modality else {}),
        "example_image": f"{cases[0]}/image.nii.gz",
        "example_label": f"{cases[0]}/label.nii.gz",
    }


def _subject_pattern(cases: list[str], subjects: int) -> tuple[str, list[str]]:
    """A pattern for the folder of a case with the subject in it, and the names of the channels.

    The number of subjects decides: as many as cases; one for all; or the text before the first underscore.
    """
    if subjects == len(cases):
        return r"(?P<subject>[^/]+)", []
    if subjects == 1:
        return r"(?P<channel>[^/]+)", cases
    prefixes = {case.partition("_")[0] for case in cases}
    if len(prefixes) == subjects:
        return r"(?P<subject>[^/_]+)_(?P<channel>[^/]+)", sorted({case.partition("_")[2] for case in cases})
    return r"(?P<subject>[^/]+)", []
