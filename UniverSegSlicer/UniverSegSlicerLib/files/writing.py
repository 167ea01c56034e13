"""Volumes and label maps to files."""

from __future__ import annotations

from ..imaging.saving import WRITABLE, check_grid
from ..imaging.saving import save_label_map as write_label_map
from ..imaging.saving import save_volume as write_volume

__all__ = ["WRITABLE", "check_grid", "write_label_map", "write_volume"]
