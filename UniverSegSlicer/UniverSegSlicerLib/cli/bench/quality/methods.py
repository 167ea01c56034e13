"""What is compared: names of methods to functions from a marked case to a boolean volume."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import InputError
from ....files.labelled_scans import MarkedCase
from ....segmentation import STRATEGIES, Propagation, PropagationSettings, propagate
from .classic import CLASSIC, Method

if TYPE_CHECKING:
    from ....network import InContextModel

#: Methods with our network, besides the names of strategies.
OURS = ("default", "default-told")

#: What a method is called in tables.
TITLES = {
    "default": "UniverSegSlicer",
    "default-told": "UniverSegSlicer, told the ends",
    "nearest": "nearest marked slice copied",
    "shapes": "shape-based interpolation (signed distances)",
    "contours": "morphological contour interpolation (ITK)",
    "growcut": "grow-cut (Slicer's Grow from seeds)",
    "randomwalk": "random walker (scikit-image)",
    "biomedisa": "Biomedisa's smart interpolation",
    "independent": "every slice on its own (UniverSeg's protocol)",
    "cascade": "in-context cascade",
    "nearest-told": "nearest marked slice copied, told the ends",
    "shapes-told": "shape-based interpolation, told the ends",
    "contours-told": "contour interpolation, told the ends",
    "growcut-told": "grow-cut, told the ends",
}

#: Methods that nobody is told the ends for: what our default is compared with.
BASELINES = ("nearest", "shapes", "contours", "growcut", "randomwalk", "biomedisa", "independent", "cascade")

#: Methods that take minutes a volume, or packages of their own; a run measures them when they are named.
ON_REQUEST = ("randomwalk", "biomedisa")


def all_methods() -> tuple[str, ...]:
    """The methods of a full run."""
    return tuple(name for name in TITLES if name not in ON_REQUEST)


def needs_network(name: str) -> bool:
    """Whether a method uses the model."""
    return name not in CLASSIC


def method_of(name: str, model: InContextModel | None) -> Method:
    """The function behind a name.

    Args:
        name: Of :data:`TITLES`, a strategy, or one of these with settings of :class:`PropagationSettings` behind it:
            ``default:passes=1,smooth=0``.
        model: The network, for methods that need one.

    Raises:
        InputError: No such method or setting; a network is needed.
    """
    if name in CLASSIC:
        return CLASSIC[name]
    settings = settings_of(name)
    if model is None:
        raise InputError(f"the method {name!r} needs a model.")
    told = name.partition(":")[0] == "default-told"

    def ours(case: MarkedCase) -> np.ndarray:
        return run_ours(case.with_ends_marked() if told else case, model, settings).labels > 0

    return ours


def run_ours(
    case: MarkedCase, model: InContextModel, settings: PropagationSettings, confidence: bool = False
) -> Propagation:
    """Propagate the marks of a case."""
    return propagate(
        case.image,
        case.marks.astype(np.uint16),
        model=model,
        axis=case.axis,
        marked_indices=case.marked,
        settings=settings,
        confidence=confidence,
    )


def settings_of(name: str) -> PropagationSettings:
    """The settings that a method's name stands for.

    Raises:
        InputError: No such method or setting.
    """
    base, _, changes = name.partition(":")
    if base not in OURS and base not in STRATEGIES:
        known = ", ".join(dict.fromkeys([*TITLES, *STRATEGIES]))
        raise InputError(f"there is no method {base!r}; the methods are {known}.")
    values: dict[str, Any] = {} if base in OURS else {"strategy": base}
    fields = {field.name: field.type for field in dataclasses.fields(PropagationSettings)}
    for part in filter(None, changes.split(",")):
        key, equals, text = (piece.strip() for piece in part.partition("="))
        if key not in fields or not equals:
            raise InputError(f"{part!r} in the method {name!r} is not a setting such as passes=1.")
        values[key] = _value(text)
    return PropagationSettings(**values)


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
