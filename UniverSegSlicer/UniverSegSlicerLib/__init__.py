"""UniverSegSlicer: in-context segmentation of medical volumes from a few marked slices."""

from .processors import wait_quietly

__version__ = "0.1.0"

# Here, because it has to come before torch is loaded, whoever loads it: command line, Python, Slicer or a worker.
wait_quietly()
