"""The values of frames: decoded by pydicom and its decoders, and rescaled each by its own slope and intercept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...errors import InputError
from ...imaging.sitk_images import quiet_stderr
from . import jpeg12
from .frames import Frame
from .opening import Instance, in_words, library

# No compression of DICOM makes a thousandth of a scan; below the second number nothing can go wrong.
_LARGEST_RATIO, _HARMLESS = 1100, 64 << 20
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"


def values_of(frames: Sequence[Frame]) -> np.ndarray:
    """The values of frames of one size as an array (K, J, I): whole numbers where all of them are, else float32.

    Raises:
        InputError: Voxels that are missing, cut off, damaged, or packed in a way that no decoder here knows.
    """
    stored = _stored(frames)
    slopes = [_slope(frame, stored[k]) for k, frame in enumerate(frames)]
    if all(pair == (1.0, 0.0) for pair in slopes):
        return stored
    if stored.dtype.kind in "iu" and all(float(a).is_integer() and float(b).is_integer() for a, b in slopes):
        return _whole(stored, slopes)
    out = np.empty(stored.shape, np.float32)
    for k, (slope, intercept) in enumerate(slopes):
        with np.errstate(over="ignore"):
            out[k] = stored[k] * np.float64(slope) + intercept
        if not np.isfinite(out[k]).all() and np.isfinite(stored[k]).all():
            raise InputError(f"{frames[k].source.path} cannot be used: its Rescale Slope is {slope:g}.")
    return out


def _whole(stored: np.ndarray, slopes: Sequence[tuple[float, float]]) -> np.ndarray:
    """Rescale whole numbers by whole numbers, into the smallest type of 16 bits or more that holds the results."""
    ends = [
        (float(part.min()) * slope + intercept, float(part.max()) * slope + intercept)
        for part, (slope, intercept) in zip(stored, slopes, strict=True)
    ]
    low, high = min(min(pair) for pair in ends), max(max(pair) for pair in ends)
    kind = next(
        (t for t in (np.int16, np.uint16, np.int32) if np.iinfo(t).min <= low and high <= np.iinfo(t).max), np.float64
    )
    out = np.empty(stored.shape, kind)
    for k, (slope, intercept) in enumerate(slopes):
        # In 64 bits: the products of large numbers may not fit into the type of what is stored, only their sums.
        wide = stored[k].astype(np.int32 if kind is np.int16 and stored.dtype.itemsize <= 2 else np.float64)
        out[k] = wide * type(wide.flat[0])(slope) + type(wide.flat[0])(intercept)
    return out


def _slope(frame: Frame, stored: np.ndarray) -> tuple[float, float]:
    slope = 1.0 if frame.slope is None else frame.slope
    if slope == 0 and stored.min() != stored.max():
        raise InputError(f"{frame.source.path} cannot be used: its Rescale Slope is 0.")
    return slope, frame.intercept or 0.0


def check_slopes(frames: Sequence[Frame], stored: np.ndarray) -> None:
    """Refuse slices without a slope among slices with one, unless they are blank."""
    if all(f.slope is None for f in frames) or all(f.slope is not None for f in frames):
        return
    others = {(f.slope, f.intercept or 0.0) for f in frames if f.slope is not None}
    if others == {(1.0, 0.0)}:
        return
    for frame, part in zip(frames, stored, strict=True):
        if frame.slope is None and part.any():
            raise InputError(
                f"{frame.source.path} has no Rescale Slope, which other slices of its series have: nothing says what "
                "its values mean."
            )


def _stored(frames: Sequence[Frame]) -> np.ndarray:
    """The stored values of frames (K, J, I)."""
    out: np.ndarray | None = None
    by_file: dict[int, list[int]] = {}
    for k, frame in enumerate(frames):
        by_file.setdefault(id(frame.source), []).append(k)
    for places in by_file.values():
        source = frames[places[0]].source
        found = decode(source, [frames[k].index for k in places])
        if out is None:
            out = np.empty((len(frames), *found.shape[1:]), found.dtype)
        elif out.dtype != found.dtype:
            common = np.result_type(out.dtype, found.dtype)
            out = out.astype(common)
        if len(frames) == len(found):
            out[places] = found
        else:
            for k, part in zip(places, found, strict=True):
                out[k] = part
    assert out is not None
    check_slopes(frames, out)
    return out


def decode(source: Instance, indices: Sequence[int]) -> np.ndarray:
    """The stored values of some frames of a file, (N, rows, columns), in the byte order of this machine.

    Raises:
        InputError: See :func:`values_of`.
    """
    from pydicom.pixels import get_decoder
    from pydicom.pixels.utils import as_pixel_options

    with in_words(source.path):
        if source.pixels is None:
            raise InputError(f"{source.path} holds no image: it has no pixel data.")
        syntax = library().uid.UID(source.syntax)
        try:
            decoder = get_decoder(syntax)
        except NotImplementedError as error:
            raise _packed(source, syntax) from error
        if syntax == _JPEG_EXTENDED:
            jpeg12.register(decoder)
        if not decoder.is_available:
            raise _packed(source, syntax)
        options: dict[str, Any] = {
            "samples_per_pixel": 1,
            "photometric_interpretation": "MONOCHROME2",
            "bits_stored": source.header.get("BitsAllocated"),
        }
        options |= as_pixel_options(source.header, number_of_frames=source.frames, pixel_keyword=source.pixels.keyword)
        if source.pixels.kind:
            options["pixel_vr"] = source.pixels.kind
        if source.pixels.keyword != "PixelData":
            options["bits_allocated"] = 64 if source.pixels.keyword.startswith("Double") else 32
        shift = _shift(source, options)
        data = _voxel_bytes(source, options, syntax)
        try:
            if syntax.is_encapsulated:
                with quiet_stderr():  # decoders print what they do not like
                    found = np.stack(list(_unpacked(source, decoder, data, options, indices)))
            else:
                whole = decoder.as_array(data, raw=True, **options)[0]
                found = whole.reshape(source.frames, source.rows, source.columns)
                found = found if list(indices) == list(range(source.frames)) else found[list(indices)]
        except (InputError, MemoryError):
            raise
        except Exception as error:  # decoders raise every type
            raise InputError(f"{source.path} is damaged or cut off: its voxels cannot be decoded.") from error
        found = found.astype(found.dtype.newbyteorder("="), copy=False)
        found = found >> shift if shift else found
        if source.header.get("ModalityLUTSequence"):  # a table in place of a slope
            found = library().pixels.apply_modality_lut(found, source.header)
        return found


def _shift(source: Instance, options: dict[str, Any]) -> int:
    """How many bits lie below those of the values (High Bit, in files of the last century); else 0."""
    bits, high = int(options.get("bits_stored") or 0), source.header.get("HighBit")
    if not isinstance(high, int) or not bits or not bits <= high < options["bits_allocated"]:
        return 0
    options["bits_stored"] = high + 1
    return high + 1 - bits


def _voxel_bytes(source: Instance, options: dict[str, Any], syntax: Any) -> bytes:
    """The value of the element with the voxels, once it is clear that the file can hold what its header tells of."""
    pixels, bits = source.pixels, int(options.get("bits_allocated") or 0)
    assert pixels is not None
    if bits not in (1, 8, 16, 32, 64):
        raise InputError(f"{source.path} has {bits} bits per voxel, which no reader here takes; 8, 16 or 32 are usual.")
    if pixels.keyword == "PixelData" and options.get("pixel_representation") not in (0, 1):
        raise InputError(f"{source.path} is damaged: it does not say whether its voxels have a sign.")
    if not 1 <= int(options.get("bits_stored") or 0) <= bits:
        raise InputError(f"{source.path} is damaged: its Bits Stored is {options.get('bits_stored')}, of {bits}.")
    promised = (source.rows * source.columns * source.frames * bits + 7) // 8
    if syntax.is_deflated:
        whole = library().dcmread(source.path, force=True)
        data = bytes(whole[pixels.keyword].value)
        present = len(data)
    else:
        present = min(pixels.length, source.path.stat().st_size - pixels.start)
        data = b""
    if promised > (max(_HARMLESS, _LARGEST_RATIO * present) if syntax.is_encapsulated else present) or present <= 0:
        raise InputError(
            f"{source.path} is cut off or damaged: its header tells of {promised} bytes of voxels, and {present} bytes "
            "are there."
        )
    if not syntax.is_encapsulated:
        present = promised + promised % 2 if present > promised else promised
    if syntax.is_deflated:
        return data[:present]
    with source.path.open("rb") as file:
        file.seek(pixels.start)
        return file.read(present)


def _unpacked(
    source: Instance, decoder: Any, data: bytes, options: dict[str, Any], indices: Sequence[int]
) -> Iterator[np.ndarray]:
    """Decode compressed frames one by one."""
    from pydicom.encaps import encapsulate, generate_frames

    plugin = _plugin(decoder, options)
    wanted = set(indices)
    offsets = options.pop("extended_offsets", None)
    frames: dict[int, np.ndarray] = {}
    one = {**options, "number_of_frames": 1}
    for index, packed in enumerate(generate_frames(data, number_of_frames=source.frames, extended_offsets=offsets)):
        if index in wanted:
            size = claimed_size(packed)
            if size is not None and size != (source.rows, source.columns):
                raise InputError(f"{source.path} is damaged: its header and its compressed voxels tell of other sizes.")
            frames[index] = decoder.as_array(encapsulate([packed]), index=0, raw=True, decoding_plugin=plugin, **one)[0]
    if len(frames) < len(wanted):
        raise InputError(f"{source.path} is cut off: {len(frames)} of {source.frames} compressed frames are there.")
    return iter([frames[index] for index in indices])


def _plugin(decoder: Any, options: dict[str, Any]) -> str:
    """The decoder to take where one of several is better; empty for whichever comes first."""
    wanted = ""
    if decoder.UID in _JPEG_2000:
        wanted = "pylibjpeg"
    elif decoder.UID == _JPEG_EXTENDED and options.get("bits_stored") != 8:
        wanted = jpeg12.LABEL
    return wanted if wanted in decoder.available_plugins else ""


def claimed_size(data: bytes) -> tuple[int, int] | None:
    """Rows and columns that the head of a JPEG or JPEG 2000 stream tells of; None where it is neither.

    Decoders reserve memory for them before they look at the rest.
    """
    if data[:4] == b"\xff\x4f\xff\x51":
        x, y, left, top = (int.from_bytes(data[at : at + 4], "big") for at in (8, 12, 16, 20))
        return y - top, x - left
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            rows, columns = (int.from_bytes(data[at + k : at + k + 2], "big") for k in (5, 7))
            return rows, columns
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _packed(source: Instance, syntax: Any) -> InputError:
    return InputError(
        f"{source.path} is compressed in a way that cannot be read here ({syntax.name}); save it uncompressed first, "
        "as with dcmdjpeg or gdcmconv --raw."
    )
