"""The model in memory: loaded once, on the worker thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .dependencies import check_torch_works, collection_put_off

if TYPE_CHECKING:
    from ...network import InContextModel

#: Gets (name or path, device) and gives the model.
Loader = Callable[[str, str], "InContextModel"]


def load_from_catalogue(name: str, device: str) -> InContextModel:
    """Load a model of the catalogue or a file; called on the worker thread, where torch is imported for the first time.

    Raises:
        DependencyError: torch is missing or broken.
        ModelError: No such model, or its terms were not accepted.
    """
    with collection_put_off():
        check_torch_works()
        from ...network import load_model

        return load_model(name, device)


class ModelCache:
    """Keeps the last model: a second run does not load it again, and two do not fill the memory.

    Args:
        loader: How a model is loaded.
    """

    def __init__(self, loader: Loader = load_from_catalogue) -> None:
        self._loader = loader
        self._key: tuple[str, str] | None = None
        self._model: InContextModel | None = None

    def get(self, name: str, device: str) -> InContextModel:
        """The model; loaded when it is another one than last time. Worker thread only."""
        if self._model is None or self._key != (name, device):
            self._model = None  # let go before the next one is loaded
            self._model, self._key = self._loader(name, device), (name, device)
        return self._model
