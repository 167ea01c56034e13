"""Entries in Slicer's module Sample Data: a generated scan that needs no network, and a public one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

CATEGORY = "UniverSeg"
#: The brain MR that Slicer itself offers; a public scan whose hash is known.
PUBLIC_NAME = "UniverSegMRHead"
PUBLIC_URL = (
    "https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/"
    "cc211f0dfd9a05ca3841ce1141b292898b2dd2d3f08286affadf823a7e58df93"
)
PUBLIC_HASH = "SHA256:cc211f0dfd9a05ca3841ce1141b292898b2dd2d3f08286affadf823a7e58df93"
#: Slices that are marked in the generated scan.
MARKED = (15, 30, 45)


def register(icons: Path) -> None:
    """Add both to the module Sample Data; ``icons`` holds the thumbnails."""
    import SampleData

    logic = SampleData.SampleDataLogic
    logic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName="UniverSegPhantom",
        thumbnailFileName=str(icons / "UniverSegPhantom.png"),
        # Nothing is fetched; Sample Data wants the lists of an address and a file all the same.
        uris="generated",
        fileNames="UniverSegPhantom",
        nodeNames="UniverSegPhantom",
        customDownloader=load_phantom,
    )
    logic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=PUBLIC_NAME,
        uris=PUBLIC_URL,
        fileNames="MR-head.nrrd",
        nodeNames="MRHead",
        checksums=PUBLIC_HASH,
    )


def load_phantom(_source: Any = None) -> list[Any]:
    """Make the generated scan, with three slices marked; returns the new nodes."""
    from ..scene.mrml.sample import add_sample

    volume, segmentation = add_sample(slicer.mrmlScene, MARKED)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    slicer.util.showStatusMessage(_("Generated a scan with three marked slices."), 3000)
    return [volume, segmentation]
