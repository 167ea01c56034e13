"""What importing costs."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("room", ["imaging", "segmentation"])
def test_importing_brings_no_torch(room: str) -> None:
    """Slicer imports these rooms before torch is installed."""
    script = f"import sys, UniverSegSlicerLib.{room}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
