"""The weights of the guided strategy: gathered evidence, fitted on labelled scans, written down.

In this order: :func:`.evidence.gather_all`, :func:`.fit.fitted_weights`, :func:`.report.write_fusion`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from UniverSegSlicerLib.front_door import on_demand

if TYPE_CHECKING:
    from .evidence import gather_all
    from .fit import FitSettings, Sample, fitted_weights, leave_one_out
    from .report import write_fusion

__all__ = ["FitSettings", "Sample", "fitted_weights", "gather_all", "leave_one_out", "write_fusion"]

__getattr__ = on_demand(
    __name__,
    {
        "FitSettings": "fit",
        "Sample": "fit",
        "fitted_weights": "fit",
        "gather_all": "evidence",
        "leave_one_out": "fit",
        "write_fusion": "report",
    },
)
