"""Export to NIfTI."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _

from ...errors import InputError
from ...scene.interface import ExportOptions
from ..context import Context


class ExportSection:
    """Writes the segments as files on the grid of the volume."""

    def __init__(self, context: Context) -> None:
        self._context = context
        context.ui.exportButton.clicked.connect(lambda: context.attempt(self._export))

    def _export(self) -> None:
        parameters = self._context.parameters
        if str(parameters.exportFolder) in ("", "."):
            raise InputError(_("Choose a folder to export to."))
        report = self._context.logic.export(
            parameters.volume,
            parameters.segmentation,
            ExportOptions(folder=Path(parameters.exportFolder), single_files=parameters.exportSingleSegments),
        )
        said = _("Written: {label_map} and {names}.").format(
            label_map=report.label_map.name, names=report.names_file.name
        )
        if report.overlap_voxels:
            said += " " + _("{count} voxels belong to several segments; the later one has them.").format(
                count=report.overlap_voxels
            )
        if report.note:
            said += " " + report.note
        self._context.said = said
