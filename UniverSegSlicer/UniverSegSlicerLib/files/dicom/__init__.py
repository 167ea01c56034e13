"""DICOM through pydicom and highdicom: series, enhanced objects, time points and stacks told apart, DICOM SEG.

Source: DICOM PS3.3 (https://dicom.nema.org/medical/dicom/current/output/html/part03.html).
"""

from __future__ import annotations

from .opening import is_dicom
from .reading import read_dicom

__all__ = ["is_dicom", "read_dicom"]
