"""Seeded splits by subject: the same subjects always get the same split, whatever else is in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

#: Shares of subjects, as in UniverSeg.
SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}


def split_subjects(dataset: str, subjects: Iterable[str], seed: int = 0) -> dict[str, str]:
    """Assign every subject of a data set to ``train``, ``val`` or ``test``: 60, 20 and 20 %.

    The order is that of a hash of seed, data set and subject, so it does not depend on the order of files. One or two
    subjects: train first, then val. From three subjects on no part is empty.

    Example:
        >>> sorted(split_subjects("x", "abcde").values())
        ['test', 'train', 'train', 'train', 'val']
    """
    ordered = sorted(set(subjects), key=lambda subject: _rank(f"{seed}/{dataset}/{subject}"))
    count = len(ordered)
    val = max(round(SHARES["val"] * count), 1 if count > 1 else 0)
    test = max(round(SHARES["test"] * count), 1 if count > 2 else 0)
    test = min(test, count - val - 1) if count > 2 else 0
    train = count - val - test
    names = ["train"] * train + ["val"] * val + ["test"] * test
    return dict(zip(ordered, names, strict=True))


def _rank(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
