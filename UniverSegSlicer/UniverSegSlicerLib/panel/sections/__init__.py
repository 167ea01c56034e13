"""The sections of the panel, one file each: they share :class:`..context.Context` and do not know one another."""

from .click import ClickSection
from .export import ExportSection
from .folder import FolderHost, FolderSection
from .folding import Settings, remember_sections
from .model import ModelSection, ModelStore
from .report import ReportSection
from .review import ReviewSection
from .run import RunSection
from .support import SupportSection

__all__ = [
    "ClickSection",
    "ExportSection",
    "FolderHost",
    "FolderSection",
    "ModelSection",
    "ModelStore",
    "ReportSection",
    "ReviewSection",
    "RunSection",
    "Settings",
    "SupportSection",
    "remember_sections",
]
