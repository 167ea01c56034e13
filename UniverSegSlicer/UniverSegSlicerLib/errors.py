"""The errors that reach a user. The message is one clear sentence: what was given, what was expected, what to do."""

from __future__ import annotations


class UniverSegError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(UniverSegError, ValueError):
    """Something that the user gave (image, label map, option) cannot be used as it is.

    Attributes:
        argument: Name of the argument that is at fault, for whoever knows it under another name; "" for no single one.
    """

    def __init__(self, message: str = "", *, argument: str = "") -> None:
        super().__init__(message)
        self.argument = argument


class GeometryError(InputError):
    """Two grids that should be one differ (size, spacing, origin or direction)."""


class ModelError(UniverSegError):
    """A model is unknown, corrupt, of another architecture, or its terms were not accepted."""


class OutputError(UniverSegError):
    """A result could not be written; nothing half-written is left behind."""


class DependencyError(UniverSegError):
    """A Python package that this step needs is missing or broken."""


class Cancelled(UniverSegError):
    """The user cancelled the work; the state is as it was before."""

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__(message)
