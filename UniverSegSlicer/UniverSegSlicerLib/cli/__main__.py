"""``python -m UniverSegSlicerLib.cli`` is ``universeg-slicer``."""

from . import main

main()
