"""What a network is made of, as plain data that travels with its weights."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal

from ..errors import ModelError

#: What the planes of a query mean, in order; a network with fewer query channels knows the first ones only.
QUERY_PLANES = ("image", "positive clicks", "negative clicks", "prior mask")

_MAX_WIDTH = 4096
_MAX_DEPTH = 8


@dataclass(frozen=True)
class Architecture:
    """The shape of one UniverSeg network.

    Args:
        query_channels: Planes of a query, in the order of :data:`QUERY_PLANES`. The published v1 has one, the image.
        encoder: Features of every encoder block, from full resolution downwards. The decoder mirrors it without the
            last one.
        cross_activation: Whether a LeakyReLU follows the cross convolution. False in the published v1.
        normalization: ``"group"`` normalises the output of every query and support convolution, after its LeakyReLU,
            over channels and pixels together, without parameters. ``"none"`` in the published v1.
        resolution: Side in pixels of the square slices that it was trained on.

    Raises:
        ModelError: A field is out of range.

    Source:
        Butoi et al., UniverSeg, ICCV 2023, as released (v1), generalised in the number of query channels.
    """

    #: It is shown slices at ``resolution`` only; see the attentive family's.
    finest: ClassVar[int] = 1

    query_channels: int = 1
    encoder: tuple[int, ...] = (64, 64, 64, 64)
    cross_activation: bool = False
    normalization: Literal["none", "group"] = "none"
    resolution: int = 128

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoder", tuple(self.encoder))
        require_integer("query_channels", self.query_channels, 1, len(QUERY_PLANES))
        if not 1 <= len(self.encoder) <= _MAX_DEPTH:
            raise ModelError(f"encoder must name 1 to {_MAX_DEPTH} blocks, not {len(self.encoder)}.")
        for width in self.encoder:
            require_integer("encoder", width, 1, _MAX_WIDTH)
        if not isinstance(self.cross_activation, bool):
            raise ModelError(f"cross_activation must be true or false, not {self.cross_activation!r}.")
        if self.normalization not in ("none", "group"):
            raise ModelError(f"normalization must be 'none' or 'group', not {self.normalization!r}.")
        require_integer("resolution", self.resolution, self.size_multiple, 1 << 14)
        if self.resolution % self.size_multiple:
            raise ModelError(f"resolution must be a multiple of {self.size_multiple}, not {self.resolution}.")

    @property
    def decoder(self) -> tuple[int, ...]:
        """Features of every decoder block, from the deepest upwards; those of the skip that joins it are the same."""
        return self.encoder[-2::-1] if len(self.encoder) > 1 else ()

    @property
    def size_multiple(self) -> int:
        """Rows and columns of a slice must be multiples of this (8 for four encoder blocks)."""
        return int(2 ** (len(self.encoder) - 1))

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return {**asdict(self), "encoder": list(self.encoder)}

    def to_json(self) -> str:
        """The fields as one line of JSON: the metadata entry ``architecture`` of a weight file."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Architecture:
        """The architecture that :meth:`to_dict` wrote; absent fields take their defaults.

        Raises:
            ModelError: ``values`` is not a mapping, or a field is unknown or out of range.
        """
        require_fields(values, {field.name for field in fields(cls)}, lists=("encoder",))
        return cls(**values)


def require_fields(values: object, known: Collection[str], lists: Collection[str]) -> None:
    """Raise ModelError unless ``values`` is a mapping of ``known`` fields, of which ``lists`` hold lists."""
    require_mapping(values)
    assert isinstance(values, Mapping)
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ModelError(f"Unknown field {unknown[0]!r} in an architecture; this version is older than the model.")
    for name in lists:
        if not isinstance(values.get(name, ()), list | tuple):
            raise ModelError(f"{name} must be a list of integers, not {values[name]!r}.")


def require_mapping(values: object) -> None:
    """Raise ModelError unless ``values`` is what a JSON object becomes."""
    if not isinstance(values, Mapping):
        raise ModelError(f"An architecture must be a JSON object, not {type(values).__name__}.")


def require_integer(name: str, value: object, low: int, high: int) -> None:
    """Raise ModelError unless ``value`` of the field ``name`` is an integer from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ModelError(f"{name} must be an integer from {low} to {high}, not {value!r}.")
