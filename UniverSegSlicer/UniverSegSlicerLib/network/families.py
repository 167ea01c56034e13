"""The two families of networks: which one a weight file is of, and the network that its architecture describes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from ..errors import ModelError
from .architecture import Architecture, require_mapping
from .attentive.architecture import AttentiveArchitecture

if TYPE_CHECKING:
    from .attentive.model import AttentiveUniverSeg
    from .published.model import UniverSeg

AnyArchitecture: TypeAlias = Architecture | AttentiveArchitecture
AnyNetwork: TypeAlias = Union["UniverSeg", "AttentiveUniverSeg"]

#: The architectures by the name of their family; files without a name are of the published one.
FAMILIES: Mapping[str, type[Architecture] | type[AttentiveArchitecture]] = {
    "published": Architecture,
    AttentiveArchitecture.family: AttentiveArchitecture,
}


def architecture_from_dict(values: Any) -> AnyArchitecture:
    """The architecture that ``to_dict`` of either family wrote.

    Raises:
        ModelError: ``values`` is not a mapping, its family is not known, or a field is unknown or out of range.
    """
    require_mapping(values)
    family = values.get("family", "published")
    if not isinstance(family, str) or family not in FAMILIES:
        known = " and ".join(FAMILIES)
        raise ModelError(
            f"This model is of the family {family!r}; this version knows {known} networks. A newer version may load it."
        )
    return FAMILIES[family].from_dict({name: value for name, value in values.items() if name != "family"})


def architecture_from_json(text: str) -> AnyArchitecture:
    """The architecture in the metadata entry ``architecture`` of a weight file.

    Raises:
        ModelError: ``text`` is not JSON, or not an architecture.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ModelError(f"The architecture of a model is not JSON: {error}.") from error
    return architecture_from_dict(values)


def new_network(architecture: AnyArchitecture) -> AnyNetwork:
    """A network of this architecture with random weights."""
    if isinstance(architecture, AttentiveArchitecture):
        from .attentive.model import AttentiveUniverSeg

        return AttentiveUniverSeg(architecture)
    from .published.model import UniverSeg

    return UniverSeg(architecture)
