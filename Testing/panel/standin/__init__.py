"""A thin stand-in for what the panel uses of ``qt``, ``ctk`` and the qMRML widgets, over PySide6.

It holds real widgets with real signals: buttons are pressed, combo boxes emit, the ``.ui`` file of the
extension is loaded as it is. It imitates the few qMRML classes
by what their public headers promise, and nothing beyond what the panel calls. What only a real Slicer can show
(painting, slice views, the Segment Editor's effects) is tested by the module's self test in Slicer.
"""

from __future__ import annotations

from .install import dark_palette, install

__all__ = ["dark_palette", "install"]
