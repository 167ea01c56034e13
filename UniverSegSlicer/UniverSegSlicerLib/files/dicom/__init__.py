"""DICOM through pydicom and highdicom: series, enhanced objects, time points and stacks told apart, DICOM SEG.

Source: DICOM PS3.3 (https://dicom.nema.org/medical/dicom/current/output/html/part03.html).
"""

from __future__ import annotations

from .opening import is_dicom
from .reading import read_dicom, read_dicom_labels
from .segment_writing import check_segments_output, is_dicom_name, write_dicom_segments

__all__ = [
    "check_segments_output",
    "is_dicom",
    "is_dicom_name",
    "read_dicom",
    "read_dicom_labels",
    "write_dicom_segments",
]
