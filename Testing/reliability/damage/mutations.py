"""How a file gets damaged, or forged: bytes, numbers, pieces; in gzip and zip also what is inside."""

from __future__ import annotations

import gzip
import io
import random
import re
import struct
import zipfile
import zlib

#: Numbers that break readers: ends of the types, and sizes of memory that nobody has.
_INTEGERS = (0, 1, -1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 1 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40)
_FLOATS = (0.0, -1.0, float("nan"), float("inf"), 1e38, 1e-38, 1e308)
_TEXTS = (
    b"0", b"-1", b"99999999999999999999", b"1e999", b"nan", b"null", b"true", b"[]", b"{}", b'""', b"'", b"\xff\xfe",
    b"../../x", b"!!python/object/apply:os.system ['touch /tmp/pwned']", b"&a [*a, *a]", b"\x00", b"[[[[[[[[",
)  # fmt: skip
_HEADER = 600


def mutate(data: bytes, name: str, rng: random.Random) -> bytes:
    """One to four changes of a file; those of the inside keep the outside whole, so that readers get to see them."""
    if rng.random() < 0.5:
        if name.endswith(".gz"):
            return gzip.compress(_changed(gzip.decompress(data), rng), 1)
        if data[:4] == b"PK\x03\x04":
            return _inside_zip(data, rng)
        if name.endswith(".nrrd") and b"encoding: gzip" in data:
            head, _, body = data.partition(b"\n\n")
            voxels = zlib.decompress(body, 31)
            if rng.random() < 0.7:
                return _changed(head, rng) + b"\n\n" + body
            return head + b"\n\n" + gzip.compress(_changed(voxels, rng), 1)
    return _changed(data, rng)


def _changed(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(_CHANGES)(data, rng)
    return data


def _place(data: bytes, rng: random.Random) -> int:
    """Half of the changes hit the header."""
    return rng.randrange(max(1, min(len(data), _HEADER) if rng.random() < 0.5 else len(data)))


def _bit(data: bytes, rng: random.Random) -> bytes:
    return _put(data, _place(data, rng), lambda old: bytes([old[0] ^ (1 << rng.randrange(8))]) if old else b"\x00", 1)


def _byte(data: bytes, rng: random.Random) -> bytes:
    return _put(data, _place(data, rng), lambda _: bytes([rng.randrange(256)]), 1)


def _number(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        value = struct.pack(rng.choice("<>") + rng.choice("fd"), _float(rng))
    else:
        size = rng.choice((1, 2, 4, 8))
        value = (rng.choice(_INTEGERS) % (1 << (8 * size))).to_bytes(size, rng.choice(("little", "big")))
    return _put(data, _place(data, rng), lambda _: value, len(value))


def _float(rng: random.Random) -> float:
    value = rng.choice(_FLOATS)
    return min(value, 3e38) if value == value else value


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)]


def _drop(data: bytes, rng: random.Random) -> bytes:
    place = _place(data, rng)
    return data[:place] + data[place + rng.choice((1, 4, 100)) :]


def _insert(data: bytes, rng: random.Random) -> bytes:
    place = _place(data, rng)
    return data[:place] + rng.randbytes(rng.choice((1, 4, 100))) + data[place:]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    place = _place(data, rng)
    return data[:place] + data[place : place + 64] * rng.choice((2, 50)) + data[place + 64 :]


def _text(data: bytes, rng: random.Random) -> bytes:
    """Exchange a word or a number of a text by another."""
    words = list(re.finditer(rb"[A-Za-z_]{2,}|-?\d+(\.\d+)?", data[: 1 << 14]))
    if not words:
        return _byte(data, rng)
    word = rng.choice(words)
    return data[: word.start()] + rng.choice(_TEXTS) + data[word.end() :]


_CHANGES = (_bit, _byte, _byte, _number, _number, _number, _truncate, _drop, _insert, _repeat, _text, _text)


def _put(data: bytes, place: int, value: object, length: int) -> bytes:
    return data[:place] + value(data[place : place + length]) + data[place + length :]  # type: ignore[operator]


def _inside_zip(data: bytes, rng: random.Random) -> bytes:
    """The same archive with one member changed, renamed, doubled or left out."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w") as archive:
        names = source.namelist()
        chosen, how = rng.choice(names), rng.choice(("change", "change", "change", "change", "rename", "drop", "climb"))
        for name in names:
            content = source.read(name)
            if name == chosen:
                if how == "drop":
                    continue
                if how == "change":
                    content = _changed(content, rng)
            renamed = {"rename": f"x{name}", "climb": f"../../{name}"}.get(how, name) if name == chosen else name
            archive.writestr(renamed, content)
    return target.getvalue()
