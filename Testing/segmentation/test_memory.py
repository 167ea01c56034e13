"""Memory of a large volume."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import importlib.util, resource, sys
import numpy as np
from UniverSegSlicerLib.imaging import Geometry, Volume
from UniverSegSlicerLib.segmentation import PropagationSettings, propagate

spec = importlib.util.spec_from_file_location("stand_in", sys.argv[1])
stand_in = importlib.util.module_from_spec(spec)
sys.modules["stand_in"] = stand_in
spec.loader.exec_module(stand_in)

array = np.zeros((300, 512, 512), np.uint8)
array[:, 100:400, 100:400] = 100
array[:, 200:300, 200:300] = 200
marks = np.zeros(array.shape, np.uint8)
for n in range(20, 300, 60):
    marks[n, 200:300, 200:300] = 1
    marks[n, 120:180, 120:180] = 2
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model = stand_in.BrightnessModel(resolution=128)
model.queries = type("Nothing", (), {"append": lambda self, item: None})()
settings = PropagationSettings(strategy="prior")
propagate(Volume(array, Geometry((512, 512, 300))), marks, model=model, settings=settings)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes there")
def test_a_volume_of_512_by_512_by_300_stays_under_a_gigabyte_and_a_half() -> None:
    stand_in = Path(__file__).with_name("conftest.py")
    run = subprocess.run([sys.executable, "-c", SCRIPT, str(stand_in)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 1_500_000
