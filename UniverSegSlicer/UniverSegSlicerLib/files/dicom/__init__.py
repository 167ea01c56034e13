"""DICOM: series and single files in."""

from __future__ import annotations

from .reading import is_dicom, read_dicom

__all__ = ["is_dicom", "read_dicom"]
