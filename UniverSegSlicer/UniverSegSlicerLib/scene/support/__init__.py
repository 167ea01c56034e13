"""The support set of a scene: marked slices (:mod:`.marks`), volumes and saved sets (:mod:`.sources`), their table.

:mod:`.rows` says which marked slices a run is about, :mod:`.elsewhere` what the other sources hold for it, and
:mod:`.examples` brings both into the labels of the run. :mod:`.applied_results` tells marks from what a result filled.
"""

from .table import SupportList

__all__ = ["SupportList"]
