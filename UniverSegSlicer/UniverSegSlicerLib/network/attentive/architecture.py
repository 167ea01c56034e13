"""What an attentive network is made of, as plain data that travels with its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal

from ...errors import ModelError
from ..architecture import QUERY_PLANES, require_fields, require_integer

#: Coarsest stride of the encoder: rows and columns of a slice are multiples of it.
_COARSEST = 32

_LEVELS = 5
_MAX_WIDTH = 1024


@dataclass(frozen=True)
class AttentiveArchitecture:
    """The shape of one attentive network.

    Args:
        encoder: Name of the encoder, which looks at query and support slices alike.
        widths: Features of the decoder at strides 2, 4, 8, 16 and 32; the first one serves full resolution too.
        heads: Attention heads of every cross block.
        head_channels: Channels in which a head compares query and support; three more hold the position.
        value_channels: Channels that a head brings over from the support, beside the label itself.
        fine_channels: Features of the cross block at full resolution.
        key_sides: Rows and columns to which the support's positions of one slice are averaged at most, at strides 4, 8,
            16 and 32. What attention costs is proportional to their squares.
        enlarge: Factor by which slices are enlarged before the encoder; 2 sees thin structures better and costs four
            times as much.
        resolution: Side in pixels of the square slices that it was trained on.
        finest: Slices may be shown in so many times as many pixels a side; their features were trained with, too.

    Raises:
        ModelError: A field is out of range.
    """

    family: ClassVar[str] = "attentive"
    query_channels: ClassVar[int] = len(QUERY_PLANES)

    encoder: Literal["efficientnet-lite0"] = "efficientnet-lite0"
    widths: tuple[int, ...] = (16, 32, 48, 64, 96)
    heads: int = 4
    head_channels: int = 29
    value_channels: int = 4
    fine_channels: int = 8
    key_sides: tuple[int, ...] = (8, 16, 16, 16)
    enlarge: int = 1
    resolution: int = 128
    finest: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        object.__setattr__(self, "key_sides", tuple(self.key_sides))
        if self.encoder != "efficientnet-lite0":
            raise ModelError(f"encoder must be 'efficientnet-lite0', not {self.encoder!r}.")
        if len(self.widths) != _LEVELS:
            raise ModelError(f"widths must name {_LEVELS} levels, not {len(self.widths)}.")
        if len(self.key_sides) != _LEVELS - 1:
            raise ModelError(f"key_sides must name {_LEVELS - 1} levels, not {len(self.key_sides)}.")
        for width in self.widths:
            require_integer("widths", width, 2, _MAX_WIDTH)
        for side in self.key_sides:
            require_integer("key_sides", side, 1, 256)
        require_integer("heads", self.heads, 1, 64)
        require_integer("head_channels", self.head_channels, 1, 256)
        require_integer("value_channels", self.value_channels, 0, self.head_channels + 2)
        require_integer("fine_channels", self.fine_channels, 1, 256)
        require_integer("enlarge", self.enlarge, 1, 4)
        require_integer("finest", self.finest, 1, 4)
        require_integer("resolution", self.resolution, _COARSEST, 1 << 14)
        if self.resolution % self.size_multiple:
            raise ModelError(f"resolution must be a multiple of {self.size_multiple}, not {self.resolution}.")

    @property
    def size_multiple(self) -> int:
        """Rows and columns of a slice must be multiples of this."""
        return _COARSEST

    def to_dict(self) -> dict[str, Any]:
        """The fields, and the family, as JSON-ready values."""
        return {"family": self.family, **asdict(self), "widths": list(self.widths), "key_sides": list(self.key_sides)}

    def to_json(self) -> str:
        """The fields as one line of JSON: the metadata entry ``architecture`` of a weight file."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AttentiveArchitecture:
        """The architecture that :meth:`to_dict` wrote; absent fields take their defaults.

        Raises:
            ModelError: A field is unknown or out of range.
        """
        values = {name: value for name, value in values.items() if name != "family"}
        require_fields(values, {field.name for field in fields(cls)}, lists=("widths", "key_sides"))
        return cls(**values)
