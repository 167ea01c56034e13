"""UniverSegSlicer: in-context segmentation of medical volumes from a few marked slices."""

__version__ = "0.1.0"
