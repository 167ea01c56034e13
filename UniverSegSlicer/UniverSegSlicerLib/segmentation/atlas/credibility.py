"""Whether a registration is to be believed, and why not, in words.

The limits lie between what was measured for right and for wrong pairs of scans; docs/decisions.md has the figures.
"""

from __future__ import annotations

import numpy as np

from .affine import Affine
from .alignment import Aligned, Placed

# A structure of another person is not half as long, nor twice.
_STRETCH = (0.6, 1.7)
# Correlation of the surroundings after affine registration, and of even contrast around the structure at the end.
_SIMILARITY, _LIKENESS = 0.55, 0.54
# The new scan's voxels may be so many times as long as the labelled one's.
_COARSER = 4.0
# Share of the structure that lies within the new scan, and share of it where the deformation may fold.
_INSIDE, _FOLDED = 0.85, 0.02


def doubt_of_place(placed: Placed) -> str | None:
    """Why the place of a labelled scan in the new one is not to be believed; None where it is."""
    affine = placed.affine
    if affine.similarity < _SIMILARITY or _mirrored(affine):
        return (
            f"nothing in the new scan looks like it (correlation {affine.similarity:.2f}, {_SIMILARITY:g} are needed): "
            "another part of the body, another modality, or mirrored"
        )
    smallest, largest = affine.stretch
    if smallest < _STRETCH[0] or largest > _STRETCH[1]:
        return (
            f"it fits only when stretched {smallest:.2f} to {largest:.2f} times ({_STRETCH[0]:g} to {_STRETCH[1]:g} "
            "are believed): part of the structure may be missing"
        )
    coarser = placed.coarser
    if coarser > _COARSER:
        return f"the new scan's voxels are {coarser:.1f} times as long ({_COARSER:g} times are believed)"
    if placed.inside < _INSIDE:
        return f"only {100 * placed.inside:.0f} % of the structure would lie within the new scan"
    return None


def doubt_of_fit(aligned: Aligned) -> str | None:
    """Why the fit of an aligned scan is not to be believed; None where it is."""
    if aligned.likeness < _LIKENESS:
        return (
            f"around the structure the scans stay unlike (correlation {aligned.likeness:.2f}, {_LIKENESS:g} are "
            "needed): another modality, mirrored, or far larger voxels"
        )
    if aligned.folded > _FOLDED:
        return f"it fits only when {100 * aligned.folded:.0f} % of the structure is folded"
    return None


def _mirrored(affine: Affine) -> bool:
    return float(np.linalg.det(affine.matrix)) <= 0
