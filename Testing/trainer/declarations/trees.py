"""A tiny tree of real files in the published layout of a data set, with the truth that its reader must find."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from Testing.trainer.declarations import builders, content
from Testing.trainer.declarations.content import Array, Masks, Tree, Truth
from Testing.trainer.declarations.paths import bumped, first_match, has_group, subject_names, vary
from Testing.trainer.declarations.tables import build_table
from trainer.megamedical.declaration import Declaration, Group

SUBJECTS = 3
#: How the voxel axes of the subjects run in the files; the reader must turn them all to LPS.
STORED_AXES = ("RAS", "PIR", "LIA", "LPS")
#: Label files of further raters that lie elsewhere than the one of the example.
RATER_EXAMPLES = {
    ("WMH", "o3"): "additional_annotations/observer_o3/training/Amsterdam/GE3T/100/result.nii.gz",
    ("WMH", "o4"): "additional_annotations/observer_o4/training/Amsterdam/GE3T/100/result.nii.gz",
}


def build(declaration: Declaration, folder: Path, *, alternatives: bool = False) -> Tree:
    """Build every group of a data set below ``folder``, or the groups that are other packagings of the same images."""
    tree = Tree()
    builder = {"volume": _build_files, "image": _build_files, "stack": _build_stack, "json": _build_json}
    for number, group in enumerate(declaration.groups):
        if bool(group.alternative_to) != alternatives:
            continue
        root = folder / group.roots[0]
        if group.reader == "table":
            tree.truths.extend(build_table(group, root))
        else:
            builder[group.reader](declaration.id, group, root, 100 * number, tree)
    return tree


def official_split(group: Group, path: str) -> str:
    """What the folders of an image say about its split, in our names."""
    return group.official_split.get(first_match(group.image_patterns, path).groupdict().get("split") or "", "")


def _build_files(dataset: str, group: Group, root: Path, seed: int, tree: Tree) -> None:
    """One image file per channel and one label file per rater or class; the last subject has no label."""
    volume = group.reader == "volume"
    for step, subject in enumerate(subject_names(group, SUBJECTS + 1)):
        number = seed + step
        turned = volume and group.image_options.get("orient", True)
        axes = STORED_AXES[step % len(STORED_AXES)] if turned else "LPS"
        masks = content.masks_of(group, number, content.VOLUME if volume else content.PICTURE)
        labelled = step < SUBJECTS
        if not labelled:
            masks = {value: np.zeros_like(mask) for value, mask in masks.items()}
        for channel, path in _channel_paths(group, subject).items():
            place = 1000 * number + sum(map(ord, channel))
            writer = _write_volume_image if volume else _write_picture_image
            found, tolerance = writer(group, root / path, place, axes)
            if not labelled and group.label.absent != "empty":
                tree.unpaired.append(path)
                continue
            for name, image in found.items():
                tree.truths.append(
                    Truth(
                        group=group.name,
                        subject=subject,
                        modality=group.modality_of(name or channel) or "left out",
                        image=image,
                        masks=masks,
                        spacing=content.SPACING if volume else (),
                        official_split=official_split(group, path),
                        tolerance=tolerance,
                    )
                )
        if labelled:
            _write_labels(dataset, group, root, subject, masks, number, axes)


def _channel_paths(group: Group, subject: str) -> dict[str, str]:
    path = vary(group.image_patterns, group.example_image, subject=subject)
    if not has_group(group.image_patterns, "channel"):
        return {"": path}
    assert not isinstance(group.modality, str)
    return {channel: vary(group.image_patterns, path, channel=channel) for channel in group.modality}


def _write_volume_image(group: Group, path: Path, seed: int, axes: str) -> tuple[dict[str, Array], float]:
    names = [str(name) for name in group.image_options.get("channels", [""])]
    volumes = [content.volume_image(seed + number) for number in range(len(names))]
    builders.write_volume(path, np.stack(volumes) if len(names) > 1 else volumes[0], content.SPACING, axes)
    return dict(zip(names, volumes, strict=True)), 1e-3


def _write_picture_image(group: Group, path: Path, seed: int, axes: str) -> tuple[dict[str, Array], float]:
    colours = content.coloured(group) or path.name.lower().endswith((".ppm.gz", ".ppm"))
    stored = content.colour_image(seed) if colours else content.picture_image(seed)
    builders.write_picture(path, stored)
    lossy = path.suffix.lower() in (".jpg", ".jpeg")
    return {"": content.grey_of(stored) if colours else stored}, 6.0 if lossy else 1e-3


def _write_labels(dataset: str, group: Group, root: Path, subject: str, masks: Masks, seed: int, axes: str) -> None:
    rule = group.label
    path = vary(rule.patterns, group.example_label, subject=subject)
    if rule.encoding == "classes":
        for label in rule.labels:
            array = masks[label.value].astype(np.uint8)
            _write_label(group, root / vary(rule.patterns, path, **{"class": label.key}), array, axes)
        return
    for rater in rule.raters or [""]:
        array = content.stored_map(rule, masks, rater, seed)
        _write_label(group, root / _rater_path(dataset, group, path, rater, subject), array, axes)


def _rater_path(dataset: str, group: Group, path: str, rater: str, subject: str) -> str:
    if not rater:
        return path
    if (dataset, rater) in RATER_EXAMPLES:
        return vary(group.label.patterns, RATER_EXAMPLES[dataset, rater], subject=subject)
    return vary(group.label.patterns, path, rater=rater)


def _write_label(group: Group, path: Path, array: Array, axes: str) -> None:
    if group.reader == "volume":
        builders.write_volume(path, array, content.SPACING, axes)
    elif path.suffix == ".mat":
        builders.write_matlab(path, {group.label.options["key"]: array, "other": np.zeros((2, 2))})
    elif path.suffix == ".gif":
        # Two colours, black and white: the file holds 0 and 1, and means 0 and 255.
        builders.write_picture(path, (array > 0).astype(np.uint8), palette=[0, 0, 0, 255, 255, 255])
    elif path.name.endswith(".ppm.gz") or group.label.options.get("grey") == 0:
        builders.write_picture(path, np.repeat(array.astype(np.uint8)[..., None], 3, axis=-1))
    elif group.label.encoding == "classes" and path.suffix == ".tif":
        builders.write_picture(path, array.astype(np.uint8), palette=[0, 0, 0, 255, 0, 0])
    else:
        builders.write_picture(path, array.astype(np.uint8))


def _build_stack(dataset: str, group: Group, root: Path, seed: int, tree: Tree) -> None:
    """A file per slice, or a tif with a page per slice."""
    if group.image_options.get("order") == "page":
        _build_pages(group, root, seed, tree)
        return
    shape = (content.SLICES, *content.PICTURE)
    for step, subject in enumerate(subject_names(group, SUBJECTS + 1)):
        number = seed + step
        masks = content.masks_of(group, number, shape)
        labelled = step < SUBJECTS
        for turn, (channel, path) in enumerate(_channel_paths(group, subject).items()):
            images, spacing = [], ()
            for place, name in enumerate(_slice_names(group.image_patterns, path, skip=turn)):
                image = content.picture_image(1000 * number + 50 * turn + place)
                images.append(image)
                spacing = _write_slice(group, root / vary(group.image_patterns, path, slice=name), image, place)
                if not labelled:
                    tree.unpaired.append(vary(group.image_patterns, path, slice=name))
            if labelled:
                modality = group.modality_of(channel) or "left out"
                tree.truths.append(Truth(group.name, subject, modality, np.stack(images), masks, spacing))
        if labelled:
            path = vary(group.label.patterns, group.example_label, subject=subject)
            array = content.stored_map(group.label, masks, "", number).astype(np.uint8)
            for place, name in enumerate(_slice_names(group.label.patterns, path)):
                builders.write_picture(root / vary(group.label.patterns, path, slice=name), array[place])


def _slice_names(patterns: tuple[str, ...], path: str, skip: int = 0) -> list[str]:
    """Names of all slices; ``skip`` shifts them, because the channels of one scan have files of other numbers."""
    first = first_match(patterns, path)["slice"]
    shift = 0 if first.isdigit() else 100 * skip
    return [bumped(first, place + shift)[0] for place in range(content.SLICES)]


def _write_slice(group: Group, path: Path, image: Array, place: int) -> tuple[float, ...]:
    if path.suffix == ".dcm":
        position = builders.ORIGIN[2] + place * content.SPACING[0]
        builders.write_dicom(path, image, instance=place + 1, position=position, spacing=content.SPACING)
        return content.SPACING
    channel = group.image_options.get("grey")
    if isinstance(channel, int):
        colours = np.stack([255 - image, image // 2, image // 3], axis=-1)
        colours[..., channel] = image
        image = colours
    builders.write_picture(path, image)
    return ()


def _build_pages(group: Group, root: Path, seed: int, tree: Tree) -> None:
    images = [content.picture_image(seed + page) for page in range(SUBJECTS)]
    masks = [content.masks_of(group, seed + page, content.PICTURE) for page in range(SUBJECTS)]
    labels = [content.stored_map(group.label, found, "", 1).astype(np.uint8) for found in masks]
    builders.write_pages(root / group.example_image, np.stack(images))
    builders.write_pages(root / group.example_label, np.stack(labels))
    assert isinstance(group.modality, str)
    for page in range(SUBJECTS):
        number = str(page + 1)
        truth = Truth(group.name, f"train_{number}", group.modality, images[page], masks[page], row=f"train/{number}")
        tree.truths.append(truth)


def _build_json(dataset: str, group: Group, root: Path, seed: int, tree: Tree) -> None:
    """Pictures beside one json of run-length codes; the pictures of the last subject have no findings, so no entry."""
    coded = {}
    for step, subject in enumerate(subject_names(group, SUBJECTS + 1)):
        for turn, (channel, path) in enumerate(_channel_paths(group, subject).items()):
            number = seed + 10 * turn + step
            found, tolerance = _write_picture_image(group, root / path, 1000 * number, "")
            masks = content.masks_of(group, number, content.PICTURE)
            if step == SUBJECTS:
                masks = {value: np.zeros_like(mask) for value, mask in masks.items()}
            else:
                key = group.label.options["json_key"].format(**first_match(group.image_patterns, path).groupdict())
                coded[key] = {label.key: builders.run_length(masks[label.value]) for label in group.label.labels}
            modality = group.modality_of(channel) or "left out"
            split = official_split(group, path)
            tree.truths.append(Truth(group.name, subject, modality, found[""], masks, (), split, tolerance))
    builders.write_json(root / group.example_label, coded)
