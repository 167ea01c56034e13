"""Find the files of a declaration below a folder and pair images with labels; nothing is opened here."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from UniverSegSlicerLib.errors import InputError

from .declaration import INNER_GROUPS, Declaration, Group

#: Left behind by macOS and Windows in archives; never data.
_JUNK_FOLDERS = frozenset({"__MACOSX", ".git"})


@dataclass(frozen=True)
class Found:
    """One file: path relative to the root of its group (POSIX), and what the named groups caught."""

    path: str
    captures: Mapping[str, str]


@dataclass(frozen=True)
class Case:
    """What is read in one go: the images of one pairing key (by channel) and the label files that belong to them.

    ``rows`` is the half-open range of samples inside a table; None reads everything.
    """

    dataset: str
    group: Group
    root: Path
    name: str
    subject: str
    images: Mapping[str, tuple[Found, ...]]
    labels: tuple[Found, ...]
    official_split: str = ""
    rows: tuple[int, int] | None = None

    def path(self, found: Found) -> Path:
        """Where a file of this case is."""
        return self.root / found.path

    def files(self) -> list[Path]:
        """Every file of the case, images first."""
        return [self.path(f) for files in self.images.values() for f in files] + [self.path(f) for f in self.labels]


@dataclass
class GroupMatch:
    """What the patterns of one group found below a folder."""

    group: Group
    root: Path | None
    cases: list[Case] = field(default_factory=list)
    images_without_label: list[str] = field(default_factory=list)
    labels_without_image: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """One sentence for every file that was found and cannot be used, of a stack for every folder of slices."""
        name = self.group.name
        stacked = self.group.reader == "stack"
        return (
            [f"{name}: no label for the image {path}" for path in _shortened(self.images_without_label, stacked)]
            + [f"{name}: no image for the label {path}" for path in _shortened(self.labels_without_image, stacked)]
            + [f"{name}: a second file for the same image, left out: {path}" for path in self.duplicates]
        )


#: Files by folder, so that a folder with many data sets is listed once for all of them.
Listings = dict[Path, list[str]]


def match_dataset(declaration: Declaration, root: str | Path, listings: Listings | None = None) -> list[GroupMatch]:
    """Match every group of a declaration below ``root`` (the folder with all data sets, or the data set's own).

    Args:
        declaration: The data set.
        root: Where to look.
        listings: Kept between calls that see the same files; filled here.

    Raises:
        InputError: ``root`` is not a folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"The folder --root {root} does not exist.")
    matches = [match_group(declaration, group, root, listings) for group in declaration.groups]
    found = {match.group.name for match in matches if match.cases}
    # The same images in another packaging would be read twice.
    return [m if m.group.alternative_to not in found else GroupMatch(m.group, m.root) for m in matches]


def match_group(declaration: Declaration, group: Group, root: Path, listings: Listings | None = None) -> GroupMatch:
    """Match one group: the first candidate folder in which an image pattern matches is taken."""
    best: GroupMatch | None = None
    for folder in _candidate_roots(declaration.id, group, root):
        files = listings.get(folder) if listings is not None else None
        if files is None:
            files = list(list_files(folder))
            if listings is not None:
                listings[folder] = files
        match = _match_in(declaration.id, group, folder, files)
        if match.cases:
            return match
        if best is None or (_found(match) and not _found(best)):
            best = match
    return best if best is not None else GroupMatch(group, None)


def list_files(root: Path) -> Iterator[str]:
    """Relative POSIX paths of all files below ``root``, sorted, without the litter of archives.

    Linked folders are followed; a link that leads back up is not walked twice.
    """
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders[:] = []
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name not in _JUNK_FOLDERS)
        relative = Path(folder).relative_to(root).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        for name in sorted(names):
            if not name.startswith("._") and name != ".DS_Store":
                yield prefix + name


def pairing_groups(group: Group) -> tuple[str, ...]:
    """The named groups on which images and labels of a group agree."""
    if group.pair_on is not None:
        return group.pair_on
    images = _group_names(group.image_patterns)
    labels = _group_names(group.label.patterns)
    return tuple(sorted((images & labels) - INNER_GROUPS))


def _found(match: GroupMatch) -> bool:
    return bool(match.images_without_label or match.labels_without_image)


def _shortened(paths: list[str], stacked: bool) -> list[str]:
    if not stacked:
        return paths
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    return [first if not others else f"{first} and {len(others)} more beside it" for first, *others in folders.values()]


def _group_names(patterns: tuple[str, ...]) -> set[str]:
    return {name for pattern in patterns for name in re.compile(pattern).groupindex}


def _candidate_roots(dataset: str, group: Group, root: Path) -> list[Path]:
    candidates = [base / sub for base in (root / dataset, root) for sub in group.roots]
    return [folder for folder in dict.fromkeys(candidates) if folder.is_dir()]


def _match_in(dataset: str, group: Group, folder: Path, files: list[str]) -> GroupMatch:
    image_patterns = [re.compile(pattern, re.IGNORECASE) for pattern in group.image_patterns]
    label_patterns = [re.compile(pattern, re.IGNORECASE) for pattern in group.label.patterns]
    images: list[Found] = []
    labels: list[Found] = []
    for path in files:
        for patterns, bucket in ((image_patterns, images), (label_patterns, labels)):
            caught = next((m for m in (p.search(path) for p in patterns) if m), None)
            if caught:
                bucket.append(Found(path, {key: value or "" for key, value in caught.groupdict().items()}))
    match = GroupMatch(group, folder)
    _pair(dataset, match, images, labels)
    return match


def _key(found: Found, on: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(found.captures.get(name, "").casefold() for name in on)


def _pair(dataset: str, match: GroupMatch, images: list[Found], labels: list[Found]) -> None:
    group, folder = match.group, match.root
    assert folder is not None
    on = pairing_groups(group)
    labels_by_key: dict[tuple[str, ...], list[Found]] = {}
    for found in labels:
        labels_by_key.setdefault(_key(found, on), []).append(found)
    # One json or one table describes many images, so there every image file is a case of its own.
    images_by_case: dict[tuple[str, ...], list[Found]] = {}
    for found in images:
        own = (found.path,) if group.reader == "json" else ()
        images_by_case.setdefault(_key(found, on) + own, []).append(found)
    subjects = _subject_table(group, folder)
    used: set[tuple[str, ...]] = set()
    for case_key, files in images_by_case.items():
        key = case_key[: len(on)]
        channels = _channels(match, files)
        if key not in labels_by_key and not _may_be_empty(group):
            match.images_without_label.extend(f.path for f in files)
            continue
        used.add(key)
        first = files[0]
        name = "/".join(first.captures.get(n, "") for n in on) if on and group.reader != "json" else _stem(first.path)
        match.cases.append(
            Case(
                dataset=dataset,
                group=group,
                root=folder,
                name=name or group.name,
                subject=_subject(dataset, group, first, name, subjects),
                images=channels,
                labels=tuple(labels_by_key.get(key, ())),
                official_split=_official_split(group, first),
            )
        )
    for key, label_files in labels_by_key.items():
        if key not in used:
            match.labels_without_image.extend(f.path for f in label_files)


def _channels(match: GroupMatch, files: list[Found]) -> dict[str, tuple[Found, ...]]:
    channels: dict[str, list[Found]] = {}
    for found in files:
        channel = found.captures.get("channel", "")
        if channel in channels and match.group.reader != "stack":
            match.duplicates.append(found.path)
        else:
            channels.setdefault(channel, []).append(found)
    return {channel: tuple(found) for channel, found in channels.items()}


def _may_be_empty(group: Group) -> bool:
    return group.label.encoding == "classes" and group.label.absent == "empty"


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name.split('.')[0]}" if folder else name.split(".")[0]


def _official_split(group: Group, found: Found) -> str:
    caught = found.captures.get("split", "").casefold()
    return next((ours for theirs, ours in group.official_split.items() if theirs.casefold() == caught), "")


def _subject(dataset: str, group: Group, found: Found, name: str, table: Mapping[str, str] | None) -> str:
    if not group.subject_from:
        return dataset
    subject = "_".join(found.captures.get(part, "") for part in group.subject_from)
    if table is not None:
        subject = table.get(subject, "") or name
    return subject or name


def _subject_table(group: Group, folder: Path) -> dict[str, str] | None:
    """File value to subject from a csv beside the files (tables look their rows up themselves)."""
    option = group.image_options.get("subjects")
    if option is None or group.reader == "table" or "row" not in option:
        return None
    path = folder / option["file"]
    if not path.is_file():
        raise InputError(f"The table of subjects {path} is missing.")
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return {row[option["row"]]: row[option["column"]] for row in csv.DictReader(stream)}
