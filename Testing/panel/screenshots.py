"""Write pictures of the panel in its main states: ``python Testing/panel/screenshots.py FOLDER [--dark]``.

They show the widgets of the ``.ui`` file under the stand-in for Slicer, with an untrained network: for looking at
layout, wording and greyed-out buttons. ``--dark`` takes a dark palette, and the environment variable
``QT_SCALE_FACTOR`` another scaling. Pictures of the panel in a real Slicer are made by the module's self test.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "UniverSegSlicer")]

#: What Slicer leaves for a panel in a window of 1280 x 800: width and height in pixels.
ROOM = (450, 640)


def main(folder: Path, dark: bool = False) -> None:
    """Go through the states and take a picture of each."""
    import standin

    application = standin.install()
    if dark:
        application.setStyle("Fusion")
        application.setPalette(standin.dark_palette())
    import torch
    from conftest import RESOURCES, Desk

    from UniverSegSlicerLib.network import Architecture, UniverSeg
    from UniverSegSlicerLib.network.weights.files import write_network
    from UniverSegSlicerLib.panel.sections.folding import FOLDED
    from UniverSegSlicerLib.panel.views.icons import set_icons

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        torch.manual_seed(7)
        model = Path(scratch) / "tiny.safetensors"
        write_network(model, UniverSeg(Architecture(query_channels=4, encoder=(8, 8, 8, 8))))
        desk = Desk(application, model)
        set_icons(desk.ui, RESOURCES / "Icons")
        desk.root.resize(*ROOM)
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
        desk.wait(lambda: desk.phase == "preview", 300)
        shoot("4-preview")
        desk.press("applyButton")
        shoot("5-applied")
        desk.ui.exportPathLineEdit.setCurrentPath("")
        desk.press("exportButton")
        shoot("6-problem")
        for section in FOLDED:
            getattr(desk.ui, section).setProperty("collapsed", False)
        desk.panel.folder._problems = {"scan-7": "scans/scan-7.nii.gz is cut off: 1,200 of 4,800 bytes are there."}
        desk.panel.folder._show_problems()
        desk.application.processEvents()
        desk.root.resize(ROOM[0], desk.root.sizeHint().height())
        shoot("7-everything-open")
        desk.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--dark" in sys.argv[2:])
