"""What a network has seen already: slices and examples that come again are not looked at again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from torch import Tensor

Found = TypeVar("Found")


def content_of(planes: Tensor) -> list[bytes]:
    """What tells slices from one another: SHA-256 of each of (N, ...), float32 on the CPU."""
    shape = str(tuple(planes.shape[1:])).encode()
    return [hashlib.sha256(shape + plane.contiguous().numpy().tobytes()).digest() for plane in planes]


class Seen(Generic[Found]):
    """Results by the content that they were computed from; the ones that were not asked for longest go first.

    A draw of examples shares most of them with the next one, a click comes on the slice of the click before, and
    members of an ensemble look at the same queries; looking costs the encoder, recognising a hundredth of it.

    Args:
        most: Results to keep.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[bytes, Found] = OrderedDict()
        self._lock = Lock()

    def of(self, keys: Sequence[bytes], compute: Callable[[list[int]], Sequence[Found]]) -> list[Found]:
        """The results of ``keys``; ``compute`` gives those of the places in ``keys`` that it is told."""
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
        missing = {key: place for place, key in reversed(list(enumerate(keys))) if key not in found}
        places = sorted(missing.values())
        if places:
            found.update(zip((keys[place] for place in places), compute(places), strict=True))
        with self._lock:
            for key in keys:
                self._kept[key] = found[key]
                self._kept.move_to_end(key)
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
        return [found[key] for key in keys]
