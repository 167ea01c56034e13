"""Write pictures of the panel in its main states: ``python Testing/panel/screenshots.py FOLDER``.

They show the widgets of the ``.ui`` file under the stand-in for Slicer, with an untrained network: for looking at
layout, wording and greyed-out buttons. Pictures of the panel in a real Slicer are made by the module's self test.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "UniverSegSlicer")]


def main(folder: Path) -> None:
    """Go through the states and take a picture of each."""
    import standin

    application = standin.install()
    import torch
    from conftest import Desk

    from UniverSegSlicerLib.network import Architecture, UniverSeg
    from UniverSegSlicerLib.network.weights.files import write_network

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        torch.manual_seed(7)
        model = Path(scratch) / "tiny.safetensors"
        write_network(model, UniverSeg(Architecture(query_channels=4, encoder=(8, 8, 8, 8))))
        desk = Desk(application, model)
        desk.root.resize(460, 1500)
        desk.root.show()

        def shoot(name: str) -> None:
            desk.settle()
            desk.root.grab().save(str(folder / f"{name}.png"))

        shoot("1-no-volume")
        desk.sample()
        shoot("2-ready")
        desk.press("segmentButton")
        desk.wait(lambda: desk.logic.state.fraction > 0 or desk.phase == "preview")
        desk.root.grab().save(str(folder / "3-running.png"))
        desk.wait(lambda: desk.phase == "preview")
        shoot("4-preview")
        desk.press("applyButton")
        shoot("5-applied")
        desk.ui.exportPathLineEdit.setCurrentPath("")
        desk.press("exportButton")
        shoot("6-problem")
        desk.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
