"""Our reader and writer of the safetensors format against the library's, and against damaged files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch

from UniverSegSlicerLib.errors import ModelError, OutputError
from UniverSegSlicerLib.network.weights.safetensors import read_safetensors, write_safetensors

TENSORS = {
    "single": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 7,
    "half": torch.linspace(-1, 1, 5, dtype=torch.float16),
    "brain": torch.linspace(-1, 1, 4, dtype=torch.bfloat16),
    "double": torch.tensor(3.5, dtype=torch.float64),
    "whole": torch.arange(-2, 2).reshape(2, 1, 2),
    "truth": torch.tensor([True, False, True]),
    "none": torch.empty(0, 4),
}


def test_the_library_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "ours.safetensors"
    write_safetensors(path, TENSORS, {"architecture": "{}", "licence": "Apache-2.0"})
    found = safetensors.torch.load_file(path)
    assert set(found) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)
    with safetensors.safe_open(path, framework="pt") as opened:
        assert opened.metadata() == {"architecture": "{}", "licence": "Apache-2.0"}


def test_we_read_what_the_library_writes(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    safetensors.torch.save_file(TENSORS, path, metadata={"a": "b"})
    found, metadata = read_safetensors(path)
    assert metadata == {"a": "b"} and set(found) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


def test_strided_tensors_are_written_in_order(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    tensor = torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    write_safetensors(path, {"x": tensor, "t": tensor[0, 0].T})
    found = safetensors.torch.load_file(path)
    assert torch.equal(found["x"], tensor) and torch.equal(found["t"], tensor[0, 0].T)


def header(**changes: Any) -> dict[str, Any]:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    return {"x": {key: value for key, value in {**entry, **changes}.items() if value is not None}}


def packed(head: Any, data: bytes = bytes(8)) -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no safetensors file"),
        (b"\x01\x02", "no safetensors file"),
        ((1 << 62).to_bytes(8, "little") + b"{}", "cut short"),
        (packed(header())[:20], "cut short"),
        (packed(header(), bytes(4)), "lies at bytes 0 to 8 of 4"),
        (packed(b"\xff\xfe{"), "no JSON"),
        (packed(b"[" * 100_000), "no JSON"),
        (packed([]), "no JSON object"),
        (packed(b'{"x": {}, "x": {}}'), "occurs twice"),
        (packed({"x": 3}), "must have dtype, shape and data_offsets"),
        (packed(header(dtype=None)), "must have dtype"),
        (packed(header(dtype="F8")), "unknown type 'F8'"),
        (packed(header(dtype=["F32"])), "unknown type"),
        (packed(header(shape=[-2])), "natural numbers"),
        (packed(header(shape=[2.0])), "natural numbers"),
        (packed(header(shape=[True, 2])), "natural numbers"),
        (packed(header(shape="2")), "natural numbers"),
        (packed(header(data_offsets=[0])), "natural numbers"),
        (packed(header(data_offsets=[8, 0])), "lies at bytes"),
        (packed(header(shape=[3])), "needs 12 bytes and has 8"),
        (packed(header(shape=[1 << 40, 1 << 40])), "needs"),
        (packed(header(), bytes(12)), "12 bytes of data, 8 in its header"),
        (packed(header(data_offsets=[4, 12]), bytes(12)), "leave a gap"),
        (packed({**header(), "y": header()["x"]}), "overlap"),
        (packed({**header(), "__metadata__": {"a": 1}}), "metadata"),
        (packed({**header(), "__metadata__": []}), "metadata"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=words) as caught:
        read_safetensors(path)
    assert "damaged.safetensors" in str(caught.value)


def test_a_flipped_bit_anywhere_in_the_header_never_crashes(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"x": torch.ones(2), "y": torch.ones(3, dtype=torch.float16)}, {"a": "b"})
    content = path.read_bytes()
    length = 8 + int.from_bytes(content[:8], "little")
    refused = 0
    for position in range(length):
        for bit in (0, 3, 6):
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                read_safetensors(path)
            except ModelError:
                refused += 1
    # Letters of names and of the metadata, and some digits of shapes, may change unnoticed; most else may not.
    assert refused > length


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.safetensors", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            read_safetensors(path)


def test_types_without_a_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="complex64"):
        write_safetensors(tmp_path / "x.safetensors", {"x": torch.zeros(2, dtype=torch.complex64)})
    assert not list(tmp_path.iterdir())


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"x": torch.ones(2)})
    before = path.read_bytes()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_safetensors(path, {"x": torch.zeros(2000)})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_safetensors(tmp_path / "file" / "x.safetensors", {"x": torch.ones(2)})
