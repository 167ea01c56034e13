"""The catalogue of networks as the panel's combo box shows it."""

from __future__ import annotations

from slicer.i18n import tr as _

from ..errors import ModelError
from ..network.weights import download_model, list_models
from ..progress import CancelToken, ProgressCallback
from .sections.model import ModelChoice


class CatalogueStore:
    """Models that come with the extension or were downloaded, and those that can be."""

    def choices(self) -> list[ModelChoice]:
        """Every model of the catalogue; none when the installation is damaged (a run then says so)."""
        try:
            statuses = list_models()
        except ModelError:
            return []
        return [
            ModelChoice(
                status.entry.name,
                status.entry.title,
                status.ready,
                _("{title} is not on this computer yet. Its licence is {licence} ({url}). {terms}").format(
                    title=status.entry.title,
                    licence=status.entry.licence.name,
                    url=status.entry.licence.url,
                    terms=status.entry.licence.terms or "",
                ),
            )
            for status in statuses
        ]

    def download(self, name: str, progress: ProgressCallback, cancel: CancelToken) -> None:
        """Fetch a model whose terms were accepted; raises ModelError, OutputError or Cancelled."""
        download_model(name, accept_terms=True, progress=progress, cancel=cancel)
