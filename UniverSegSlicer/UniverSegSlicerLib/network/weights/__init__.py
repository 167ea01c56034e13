"""Where the weights come from: files, the catalogue, the user's cache and downloads. Imports no torch by itself."""

from __future__ import annotations

from .cache import cache_folder
from .catalogue import CatalogueEntry, Licence, read_catalogue, resource_folder
from .download import download_model
from .store import ModelStatus, list_models, locate_model, remove_model, verify_model

__all__ = [
    "CatalogueEntry",
    "Licence",
    "ModelStatus",
    "cache_folder",
    "download_model",
    "list_models",
    "locate_model",
    "read_catalogue",
    "remove_model",
    "resource_folder",
    "verify_model",
]
