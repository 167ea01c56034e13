"""What a data set is: one declaration, read from YAML and checked against ``declaration.schema.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from trainer.yaml_files import read_yaml
from UniverSegSlicerLib.errors import InputError

Reader = Literal["volume", "stack", "image", "table", "json"]
Encoding = Literal[
    "values", "nonzero", "threshold", "ranges", "nearest", "colours", "channels", "classes", "rle", "polygons"
]
Role = Literal["train", "val", "heldout"]

#: Named groups that tell files of one image apart and so never pair an image with its label.
INNER_GROUPS = frozenset({"class", "rater", "channel", "slice"})

#: Encodings whose keys are the integers in the label file; their labels keep these numbers.
NUMBERED_ENCODINGS = frozenset({"values", "nearest"})

#: Distance between the label numbers of two raters.
RATER_STEP = 100_000


@dataclass(frozen=True)
class Licence:
    """Terms of the data. ``rank`` A permissive, B share-alike or non-commercial, C unknown or contradictory."""

    name: str
    commercial_use: Literal["yes", "no", "unclear", "unknown"]
    registration: Literal["none", "account", "form", "unknown"]
    rank: str = ""
    redistribution: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.rank:
            object.__setattr__(self, "rank", {"yes": "A", "no": "B"}.get(self.commercial_use, "C"))

    @property
    def needs_acceptance(self) -> bool:
        """Whether the owner wants an account or a signed form, so that the user must say that he has it."""
        return self.registration in ("account", "form")


@dataclass(frozen=True)
class Label:
    """One binary target: ``value`` is its number in the store, ``key`` what stands in the files."""

    value: int
    key: str
    name: str
    rater: str = ""


@dataclass(frozen=True)
class LabelRule:
    """Where the labels are and how their files become binary masks (see the schema for ``encoding``)."""

    patterns: tuple[str, ...]
    encoding: Encoding
    names: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    background: tuple[int, ...] = (0,)
    ignore: tuple[str, ...] = ()
    threshold: float = 127.0
    absent: Literal["empty", "unmatched"] = "unmatched"
    raters: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[Label, ...]:
        """All label channels in order: the names in their order, for every rater in turn."""
        plain = tuple(
            Label(int(key) if self.encoding in NUMBERED_ENCODINGS else position, key, name)
            for position, (key, name) in enumerate(self.names.items(), start=1)
        )
        if not self.raters:
            return plain
        return tuple(
            replace(
                label,
                value=label.value + RATER_STEP * turn,
                name=label.name if turn == 0 else f"{label.name} (rater {rater})",
                rater=key,
            )
            for turn, (key, rater) in enumerate(self.raters.items())
            for label in plain
        )


@dataclass(frozen=True)
class IntensityRule:
    """How values become [0, 1]: clip (``ct``: window; ``mr``: percentiles of what is above 0), then min-max."""

    rule: Literal["ct", "mr", "none"]
    window: tuple[float, float] = (-500.0, 1000.0)
    percentiles: tuple[float, float] = (0.5, 99.5)


@dataclass(frozen=True)
class Group:
    """A sub-population of a data set with one file layout: field of view, phase, release, modality."""

    name: str
    reader: Reader
    roots: tuple[str, ...]
    image_patterns: tuple[str, ...]
    image_options: Mapping[str, Any]
    label: LabelRule
    modality: str | Mapping[str, str]
    axes: tuple[int, ...]
    intensity: IntensityRule
    resample_mm: float | None
    example_image: str
    example_label: str
    pair_on: tuple[str, ...] | None = None
    subject_from: tuple[str, ...] = ("subject",)
    official_split: Mapping[str, str] = field(default_factory=dict)
    alternative_to: str = ""
    notes: tuple[str, ...] = ()

    def modality_of(self, channel: str | None) -> str | None:
        """The modality of a channel; None when the declaration leaves this channel out."""
        if isinstance(self.modality, str):
            return self.modality
        wanted = (channel or "").casefold()
        return next((name for key, name in self.modality.items() if key.casefold() == wanted), None)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Every modality of the group."""
        return (self.modality,) if isinstance(self.modality, str) else tuple(dict.fromkeys(self.modality.values()))

    @property
    def three_dimensional(self) -> bool:
        """Whether its cases are volumes."""
        return self.reader == "volume" or (
            self.reader == "stack" and not self.image_options.get("pages_are_samples", False)
        )


@dataclass(frozen=True)
class Declaration:
    """One data set: what it is, under which terms, and its groups."""

    id: str
    title: str
    citation: str
    source: str
    licence: Licence
    role: Role
    domain: str
    groups: tuple[Group, ...]
    confidence: Mapping[str, str]
    year: str = ""
    paper: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    uncertain: tuple[str, ...] = ()
    known_flaws: tuple[str, ...] = ()
    shares_data_with: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def task_count(self) -> int:
        """Tasks that the declaration promises for one way of slicing: groups × modalities × axes × labels."""
        groups = [group for group in self.groups if not group.alternative_to]
        return sum(len(g.modalities) * len(g.axes) * len(g.label.labels) for g in groups)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Every modality of every group."""
        return tuple(dict.fromkeys(name for group in self.groups for name in group.modalities))


@cache
def schema() -> dict[str, Any]:
    """The JSON schema of a declaration."""
    text = Path(__file__).with_name("declaration.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def parse_declaration(data: Any, source: str = "declaration") -> Declaration:
    """Check a declaration (as loaded from YAML) and make a :class:`Declaration` of it.

    Raises:
        InputError: The schema is violated, a pattern does not compile, an example does not match its pattern, or
            a label key does not fit its encoding; the message names ``source`` and the field.
    """
    from jsonschema import Draft202012Validator

    data = _with_text_keys(data)
    errors = sorted(Draft202012Validator(schema()).iter_errors(data), key=lambda e: list(map(str, e.absolute_path)))
    if errors:
        where = "/".join(map(str, errors[0].absolute_path)) or "top level"
        raise InputError(f"{source}: {where}: {errors[0].message}")
    declaration = Declaration(
        id=data["id"],
        title=data["title"],
        citation=data["citation"],
        source=data["source"],
        licence=Licence(**data["licence"]),
        role=data["role"],
        domain=data["domain"],
        groups=tuple(_parse_group(group) for group in data["groups"]),
        confidence=data["confidence"],
        year=str(data.get("year", "")),
        paper=data.get("paper", {}),
        counts=data.get("counts", {}),
        **{key: tuple(data.get(key, ())) for key in ("uncertain", "known_flaws", "shares_data_with", "notes")},
    )
    for group in declaration.groups:
        _check_group(group, f"{source}: group {group.name!r}")
    names = [group.name for group in declaration.groups]
    if len(set(names)) != len(names):
        raise InputError(f"{source}: two groups have the same name: {sorted(names)}")
    for group in declaration.groups:
        if group.alternative_to and group.alternative_to not in names:
            raise InputError(f"{source}: group {group.name!r}: alternative_to {group.alternative_to!r} is no group")
    return declaration


def load_declaration(path: str | Path) -> Declaration:
    """Read one YAML file (see :func:`parse_declaration` for what is checked)."""
    path = Path(path)
    return parse_declaration(read_yaml(path, "The declaration"), path.name)


@cache
def builtin_declarations() -> Mapping[str, Declaration]:
    """The declarations that come with the package, by id, in the order of their ids."""
    folder = Path(__file__).with_name("datasets")
    loaded = [load_declaration(path) for path in sorted(folder.glob("*.yaml"))]
    return {declaration.id: declaration for declaration in sorted(loaded, key=lambda d: d.id.casefold())}


def _with_text_keys(data: Any) -> Any:
    """YAML gives integer keys for label values; JSON schema and this package want text."""
    if isinstance(data, dict):
        return {str(key): _with_text_keys(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_with_text_keys(item) for item in data]
    return data


def _as_tuple(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _parse_group(data: Mapping[str, Any]) -> Group:
    label = data["label"]
    intensity = data["intensity"]
    volume = data["reader"] == "volume"
    return Group(
        name=data["name"],
        reader=data["reader"],
        roots=_as_tuple(data.get("root", ".")),
        image_patterns=_as_tuple(data["image"]["pattern"]),
        image_options=data["image"].get("options", {}),
        label=LabelRule(
            patterns=_as_tuple(label["pattern"]),
            encoding=label["encoding"],
            names=label["names"],
            options=label.get("options", {}),
            background=tuple(label.get("background", (0,))),
            ignore=tuple(map(str, label.get("ignore", ()))),
            threshold=float(label.get("threshold", 127.0)),
            absent=label.get("absent", "unmatched"),
            raters=label.get("raters", {}),
        ),
        modality=data["modality"],
        axes=tuple(data.get("axes", (0, 1, 2) if volume else (0,))),
        intensity=IntensityRule(
            intensity["rule"],
            tuple(intensity.get("window", (-500.0, 1000.0))),
            tuple(intensity.get("percentiles", (0.5, 99.5))),
        ),
        resample_mm=data.get("resample_mm", 1.0 if volume else None),
        example_image=data["example_image"],
        example_label=data["example_label"],
        pair_on=tuple(data["pair_on"]) if "pair_on" in data else None,
        subject_from=tuple(data.get("subject_from", ("subject",))),
        official_split=data.get("official_split", {}),
        alternative_to=data.get("alternative_to", ""),
        notes=tuple(data.get("notes", ())),
    )


def _check_group(group: Group, where: str) -> None:
    for kind, patterns, example in (
        ("image", group.image_patterns, group.example_image),
        ("label", group.label.patterns, group.example_label),
    ):
        compiled = []
        for pattern in patterns:
            try:
                compiled.append(re.compile(pattern, re.IGNORECASE))
            except re.error as error:
                raise InputError(f"{where}: the {kind} pattern {pattern!r} does not compile: {error}") from error
        if not any(pattern.search(example) for pattern in compiled):
            raise InputError(f"{where}: example_{kind} {example!r} does not match the {kind} pattern")
    for key in group.label.names:
        _check_key(group.label.encoding, key, where)
    if group.label.encoding in ("nonzero", "threshold") and len(group.label.names) != 1:
        raise InputError(f"{where}: the encoding {group.label.encoding} has one name, got {len(group.label.names)}")
    if group.label.encoding == "classes" and "(?P<class>" not in "".join(group.label.patterns):
        raise InputError(f"{where}: the encoding classes needs a named group class in the label pattern")


def _check_key(encoding: str, key: str, where: str) -> None:
    shapes = {
        "values": r"-?\d+",
        "nearest": r"-?\d+",
        "channels": r"\d+",
        "ranges": r"-?\d+\.\.-?\d+",
        "colours": r"\d+,\s*\d+,\s*\d+",
    }
    if encoding in shapes and not re.fullmatch(shapes[encoding], key):
        raise InputError(f"{where}: the label key {key!r} does not fit the encoding {encoding} ({shapes[encoding]})")
