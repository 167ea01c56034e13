"""JPEG Extended of 12 bits, through GDCM: pydicom leaves it to packages under another licence than ours."""

from __future__ import annotations

import contextlib
from typing import Any

#: The decoder among those of pydicom.
LABEL = "universegslicer"

#: What pydicom asks of a decoding plugin.
DECODER_DEPENDENCIES = {"1.2.840.10008.1.2.4.51": ("gdcm",)}


def is_available(uid: str) -> bool:
    """Whether GDCM is there for this syntax."""
    try:
        import gdcm  # noqa: F401
    except ImportError:
        return False
    return uid in DECODER_DEPENDENCIES


def register(decoder: Any) -> None:
    """Add the decoder to pydicom's of JPEG Extended, once."""
    # pydicom says so by this error.
    with contextlib.suppress(ValueError):
        decoder.add_plugin(LABEL, (__name__, "decode_frame"))


def decode_frame(source: bytes, runner: Any) -> bytes:
    """Decode one frame of 12 bits into 16 (pydicom's signature of plugins).

    Raises:
        RuntimeError: GDCM does not take it.
    """
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(source)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(str(runner.photometric_interpretation))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(runner.transfer_syntax))))
    bits = runner.bits_stored
    image.SetPixelFormat(gdcm.PixelFormat(1, runner.bits_allocated, bits, bits - 1, runner.pixel_representation))
    buffer = image.GetBuffer()
    if not buffer:
        raise RuntimeError("not decoded")
    return bytes(buffer.encode("utf-8", "surrogateescape"))
