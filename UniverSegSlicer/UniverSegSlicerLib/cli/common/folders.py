"""Folders of 2D images: what is in them, and which image belongs to which label map."""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError
from ...files.pictures import READABLE

#: At most so many names stand in an error.
_SHOWN = 3


def list_pictures(folder: Path) -> dict[str, Path]:
    """The pictures of a folder (not of its subfolders) by stem, in the order of their names.

    Files that start with a dot (macOS archives are full of them) and files of other kinds are left out.

    Raises:
        InputError: No such folder, no picture in it, or two pictures with one stem.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is {'a file' if folder.exists() else 'missing'}; a folder of images is needed.")
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror or error}.") from error
    pictures: dict[str, Path] = {}
    for path in files:
        if path.name.startswith(".") or path.suffix.lower() not in READABLE:
            continue
        if path.stem in pictures:
            raise InputError(
                f"{folder} holds both {pictures[path.stem].name} and {path.name}; one file per stem is needed."
            )
        pictures[path.stem] = path
    if not pictures:
        raise InputError(f"{folder} holds no image ({', '.join(READABLE)}).")
    return pictures


def pair_by_stem(images: Path, labels: Path) -> list[tuple[str, Path, Path]]:
    """Pair every image with the label map of the same stem: (stem, image, label map), in order.

    Raises:
        InputError: An image or a label map without its partner, or either folder cannot be used.
    """
    ours, theirs = list_pictures(images), list_pictures(labels)
    without_label, without_image = sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys())
    if without_label or without_image:
        parts = []
        if without_label:
            parts.append(f"no label map in {labels} for {_some(without_label)}")
        if without_image:
            parts.append(f"no image in {images} for {_some(without_image)}")
        raise InputError(f"images and labels do not pair by stem: {' and '.join(parts)}.")
    return [(stem, ours[stem], theirs[stem]) for stem in ours]


def _some(stems: list[str]) -> str:
    more = len(stems) - _SHOWN
    return ", ".join(stems[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
