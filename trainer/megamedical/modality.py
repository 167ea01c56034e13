"""Families of modalities: data sets name them freely, tables and pictures want a few."""

from __future__ import annotations

import re

#: The first that matches wins.
_FAMILIES = (
    ("ultrasound", r"ultrasound|echo"),
    ("OCT", r"\boct\b|octa|coherence|oct angiography"),
    ("fundus", r"fundus|retina|retcam"),
    ("X-ray", r"x-?ray|radiograph|mammogra"),
    ("endoscopy", r"endoscop|colonoscop|laparoscop|fetoscop"),
    ("dermoscopy", r"dermoscop|skin"),
    ("microscopy", r"microscop|histolog|h&e|\bpas\b|cytolog|stain|\bdic\b"),
    ("CT", r"\bct\b|tomograph"),
    ("MR", r"\bmri?\b|\bt1|\bt2|flair|adc|\bdwi\b|mtt|ttp|tmax|rcb[fv]|mprage|dixon|\bcine\b"),
)


def family(modality: str) -> str:
    """The family of a modality: CT, MR, ultrasound, X-ray, fundus, OCT, endoscopy, dermoscopy, microscopy or other.

    Example:
        >>> family("contrast chest CT"), family("H&E microscopy"), family("T1 MRI")
        ('CT', 'microscopy', 'MR')
    """
    lowered = modality.lower()
    return next((name for name, pattern in _FAMILIES if re.search(pattern, lowered)), "other")
