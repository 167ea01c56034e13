"""Parts of a result that no chain of slices connects with a mark."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from ...imaging import Box


def detached(found: np.ndarray, marks: Mapping[int, np.ndarray], filled: np.ndarray) -> np.ndarray | None:
    """The parts of a result that touch no mark; corners count as touching.

    A structure is in one piece, as long as its marks do not say otherwise. So nothing is detached where one marked
    slice shows several parts that lie apart in the result too: there may be more of them that no mark shows. Where the
    result is torn between two marks, what lies between the outermost ones stays. What goes on into slices that were
    not looked at may touch a mark beyond them.

    Args:
        found: Boolean (N, rows, cols), the result with its marked slices.
        marks: Slice number to boolean mask (rows, cols).
        filled: Numbers of the slices that were looked at, besides the marked ones.

    Returns:
        Boolean (N, rows, cols), or None where nothing is detached or nothing is marked.
    """
    marks = {n: mask for n, mask in marks.items() if mask.any()}
    box = Box.around(found)
    present = np.flatnonzero(found.any(axis=(1, 2)))
    if not marks or box is None:
        return None
    within = (slice(int(present[0]), int(present[-1]) + 1), *box.slices)
    image = sitk.GetImageFromArray(found[within].astype(np.uint8))
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(image, True))
    # By number of the part: whether it is held; the background is not asked.
    held = np.zeros(int(parts.max()) + 1, bool)
    held[0] = True
    for n, mask in marks.items():
        if present[0] <= n <= present[-1]:
            touched = np.unique(parts[n - present[0]][mask[box.slices]])
            if np.count_nonzero(touched) > 1:
                return None
            held[touched] = True
    torn = np.count_nonzero(held[1:]) > 1
    seen = np.zeros(len(found) + 2, bool)
    seen[[0, -1]] = True
    seen[np.asarray(filled, int) + 1] = True
    seen[np.array(list(marks), int) + 1] = True
    for row, n in enumerate(range(present[0], present[-1] + 1)):
        goes_on = not (seen[n] and seen[n + 2])
        if goes_on or (torn and min(marks) < n < max(marks)):
            held[np.unique(parts[row])] = True
    if held.all():
        return None
    result = np.zeros(found.shape, bool)
    result[within] = ~held[parts]
    return result


def remove_detached(
    labels: np.ndarray,
    confidence: np.ndarray | None,
    marks: Mapping[int, Mapping[int, np.ndarray]],
    filled: np.ndarray,
) -> dict[int, int]:
    """Remove detached parts of all labels, and say how many voxels that were by label value.

    Args:
        labels: (N, rows, cols) label map with its marked slices, changed in place; any memory layout.
        confidence: (N, rows, cols), set to 0 where something was removed; or None.
        marks: Label value to slice number to boolean mask (rows, cols).
        filled: Numbers of the slices that were looked at, besides the marked ones.
    """
    removed = {}
    for value, masks in marks.items():
        parts = detached(labels == value, masks, filled)
        if parts is not None:
            labels[parts] = 0
            if confidence is not None:
                confidence[parts] = 0
            removed[value] = int(np.count_nonzero(parts))
    return removed
