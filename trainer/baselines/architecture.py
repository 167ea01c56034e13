"""What describes a baseline network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from UniverSegSlicerLib.errors import ModelError
from UniverSegSlicerLib.network.architecture import require_integer

#: Baselines by the name of their family.
FAMILIES = ("panet", "alpnet", "senet")


@dataclass(frozen=True)
class BaselineArchitecture:
    """The shape of one baseline network.

    Args:
        family: Of :data:`FAMILIES`.
        width: Channels of the features that are compared (PANet, ALPNet), or of every block (SENet).
        resolution: Side in pixels of the square slices that it was trained on.

    Raises:
        ModelError: A field is out of range.
    """

    query_channels: ClassVar[int] = 1
    size_multiple: ClassVar[int] = 32

    family: str
    width: int = 64
    resolution: int = 128

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ModelError(f"there is no baseline {self.family!r}; the baselines are {', '.join(FAMILIES)}.")
        require_integer("width", self.width, 8, 1024)
        require_integer("resolution", self.resolution, self.size_multiple, 1 << 14)
        if self.resolution % self.size_multiple:
            raise ModelError(f"resolution must be a multiple of {self.size_multiple}, not {self.resolution}.")

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return asdict(self)

    def to_json(self) -> str:
        """The fields as one line of JSON: the metadata entry ``architecture`` of a weight file."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> BaselineArchitecture:
        """The architecture that :meth:`to_dict` wrote; absent fields take their defaults.

        Raises:
            ModelError: A field is unknown or out of range.
        """
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ModelError(f"A baseline has no field {unknown[0]!r}.")
        return cls(**values)
