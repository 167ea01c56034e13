"""Tables: one file with many samples, as in PanNuke (npy), TUCC (HDF5) and HMC-QU (video and MATLAB)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from Testing.trainer.declarations import builders, content
from Testing.trainer.declarations.content import Truth
from Testing.trainer.declarations.paths import subject_names, vary
from trainer.megamedical.declaration import Group

ROWS = 4
#: The video frame, counted from 1, to which the first mask belongs.
FIRST_FRAME = 3


def build_table(group: Group, root: Path) -> list[Truth]:
    """Build the table of a group, whatever its format."""
    builder = {".npy": _build_npy, ".hdf5": _build_hdf5, ".avi": _build_video}
    return builder[Path(group.example_image).suffix](group, root)


def _build_npy(group: Group, root: Path) -> list[Truth]:
    truths = []
    for fold in "12":
        values = {"fold": fold, "subject": f"fold{fold}"}
        images = np.stack([content.colour_image(50 * int(fold) + row) for row in range(ROWS)])
        labels = np.zeros((ROWS, *content.PICTURE, len(group.label.names) + 1))
        for row in range(ROWS):
            masks = content.masks_of(group, 50 * int(fold) + row, content.PICTURE)
            for place, mask in enumerate(masks.values()):
                labels[row, ..., place][mask] = row + 1 + place  # the number of the nucleus
            labels[row, ..., -1] = ~np.any(list(masks.values()), axis=0)  # the background channel
            assert isinstance(group.modality, str)
            grey = content.grey_of(images[row])
            name = f"fold{fold}/{row:05d}"
            truths.append(Truth(group.name, name.replace("/", "_"), group.modality, grey, masks, row=name))
        image_path = vary(group.image_patterns, group.example_image, **values)
        label_path = vary(group.label.patterns, group.example_label, **values)
        builders.write_npy(root / image_path, images.astype(np.float64))
        builders.write_npy(root / label_path, labels)
    return truths


def _build_hdf5(group: Group, root: Path) -> list[Truth]:
    """Two clips of two frames each; annot_id ends in an underscore as published."""
    truths, clips = [], ["1_", "1_", "2_", "2_"]
    images = np.stack([content.picture_image(row) for row in range(ROWS)])
    labels = np.zeros((ROWS, *content.PICTURE), np.uint8)
    for row, clip in enumerate(clips):
        masks = content.masks_of(group, row, content.PICTURE)
        labels[row] = content.stored_map(group.label, masks, "", row)
        assert isinstance(group.modality, str)
        truths.append(Truth(group.name, clip, group.modality, images[row], masks, row=f"dataset/{row:05d}"))
    arrays = {
        group.image_options["key"]: images,
        group.label.options["key"]: labels,
        "annot_id": clips,
        "frame_num": np.arange(ROWS) % 2,
    }
    builders.write_hdf5(root / group.example_image, arrays)
    return truths


def _build_video(group: Group, root: Path) -> list[Truth]:
    """Videos of eight frames with masks of 224 x 224 from the third frame on, and the workbook that says so."""
    frames_rule = group.image_options["frames"]
    truths, rows = [], [[frames_rule["name"], frames_rule["start"], "last"]]
    size = 224
    for step, subject in enumerate(subject_names(group, 2)):
        shape = (8, 120, 160)
        frames = np.stack([content.picture_image(100 * step + number, shape[1:]) for number in range(shape[0])])
        builders.write_avi(root / vary(group.image_patterns, group.example_image, subject=subject), frames)
        labels = np.zeros((ROWS, size, size), np.uint8)
        for row in range(ROWS):
            top, left = 56 + 28 * row, 28 + 56 * step
            labels[row, top : top + 56, left : left + 84] = 1
            # The mask is the whole frame squeezed: 120 rows stand in 224, 160 columns in 224.
            true = np.zeros(shape[1:], bool)
            down, right = shape[1] / size, shape[2] / size
            true[round(top * down) : round((top + 56) * down), round(left * right) : round((left + 84) * right)] = True
            assert isinstance(group.modality, str)
            image = frames[FIRST_FRAME - 1 + row]
            masks, name = {group.label.labels[0].value: true}, f"{subject}/{row:05d}"
            truths.append(Truth(group.name, subject, group.modality, image, masks, tolerance=8.0, row=name))
        label_path = vary(group.label.patterns, group.example_label, subject=subject)
        builders.write_matlab(root / label_path, {group.label.options["key"]: labels})
        rows.append([subject, FIRST_FRAME, FIRST_FRAME + ROWS - 1])
    builders.write_xlsx(root / frames_rule["file"], rows)
    return truths
