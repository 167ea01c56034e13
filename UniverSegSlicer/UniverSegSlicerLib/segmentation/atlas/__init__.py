"""Labelled scans as atlases: laid over a new scan by registration, they vote on where its structures are.

:func:`.evidence.gather` is the way in. :mod:`.affine` and :mod:`.deformation` register, :mod:`.alignment` brings labels
over, :mod:`.credibility` says what is to be believed, and :mod:`.vote` weighs several scans. NumPy and SimpleITK only.
"""

from .evidence import AtlasEvidence, gather

__all__ = ["AtlasEvidence", "gather"]
