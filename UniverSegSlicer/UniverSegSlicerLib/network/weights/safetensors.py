"""Reading and writing the safetensors format: eight bytes of header length, a JSON header, raw tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import ModelError
from ...writing import replacing_stream

_MAX_HEADER = 100_000_000
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Args:
        path: The file.

    Returns:
        Tensors by name, in their stored types on the CPU, and the ``__metadata__`` entries.

    Raises:
        ModelError: The file cannot be read, or is not a well-formed safetensors file: header and offsets are checked
            before anything is used.

    Source:
        The format of https://github.com/huggingface/safetensors.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}.") from error
    header, start = _header(path, content)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ModelError(f"{path}: the metadata of a safetensors file must be texts by name.")
    data = bytearray(content[start:])
    tensors, spans = {}, []
    for name, entry in header.items():
        begin, end, dtype, shape = _entry(path, name, entry, len(data))
        spans.append((begin, end))
        if begin == end:
            tensors[name] = torch.empty(shape, dtype=dtype)
        else:
            tensors[name] = torch.frombuffer(data[begin:end], dtype=dtype).reshape(shape)
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            raise ModelError(f"{path}: corrupt safetensors file: its tensors overlap or leave a gap at byte {begin}.")
        position = end
    if position != len(data):
        raise ModelError(f"{path}: corrupt safetensors file: {len(data)} bytes of data, {position} in its header.")
    return tensors, metadata


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors and metadata; the file appears whole or not at all.

    Args:
        path: The file; an old one of that name is replaced.
        tensors: Tensors by name, of any type that the format knows.
        metadata: Texts by name.

    Raises:
        OutputError: The file cannot be written.
        ValueError: A tensor's type has no name in the format.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    position = 0
    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    for name, tensor in flat.items():
        if tensor.dtype not in _NAMES:
            raise ValueError(f"{name} has type {tensor.dtype}, which safetensors cannot store.")
        size = tensor.numel() * tensor.element_size()
        offsets = [position, position + size]
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        position += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing_stream(Path(path)) as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for tensor in flat.values():
            stream.write(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())


def _header(path: Path, content: bytes) -> tuple[dict[str, Any], int]:
    if len(content) < 8:
        raise ModelError(f"{path}: {len(content)} bytes are no safetensors file.")
    length = int.from_bytes(content[:8], "little")
    if length > min(_MAX_HEADER, len(content) - 8):
        raise ModelError(f"{path}: not a safetensors file, or cut short: its header would have {length} bytes.")
    try:
        header = json.loads(content[8 : 8 + length], object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: corrupt safetensors file: its header is no JSON ({error}).") from error
    if not isinstance(header, dict):
        raise ModelError(f"{path}: corrupt safetensors file: its header is no JSON object.")
    return header, 8 + length


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice")
    return result


def _entry(path: Path, name: str, entry: Any, available: int) -> tuple[int, int, torch.dtype, list[int]]:
    wrong = f"{path}: corrupt safetensors file: tensor {name!r}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ModelError(f"{wrong} must have dtype, shape and data_offsets.")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ModelError(f"{wrong} has the unknown type {dtype!r}.")
    if not _naturals(shape) or not _naturals(offsets) or len(offsets) != 2:
        raise ModelError(f"{wrong} has shape {shape!r} and data_offsets {offsets!r}; both must be natural numbers.")
    begin, end = offsets
    if not begin <= end <= available:
        raise ModelError(f"{wrong} lies at bytes {begin} to {end} of {available}.")
    expected = math.prod(shape) * torch.empty(0, dtype=_DTYPES[dtype]).element_size()
    if end - begin != expected:
        raise ModelError(f"{wrong} of shape {shape} and type {dtype} needs {expected} bytes and has {end - begin}.")
    return begin, end, _DTYPES[dtype], shape


def _naturals(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)
