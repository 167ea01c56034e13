"""NIfTI-1, NIfTI-2 and Analyze files: nibabel reads and writes their headers, and their grids go through unchanged."""

from .pairs import is_nifti, is_nifti_name
from .reading import read_nifti
from .writing import write_nifti

__all__ = ["is_nifti", "is_nifti_name", "read_nifti", "write_nifti"]
