"""Fetching a model of the catalogue into the user's cache."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from ...errors import ModelError
from ...progress import CancelToken, ProgressCallback
from ...writing import replacing_stream
from .cache import cached_file, check_hash, expected_hash, file_hash, record_hash
from .catalogue import CatalogueEntry, read_catalogue

#: Opens a URL for reading; the result tells its final address (``geturl``) and its headers, as urllib's does.
Opener = Callable[[str], AbstractContextManager[Any]]

_BLOCK = 1 << 16
_SECONDS = 30
# No model of this program comes near it; a wrong address may.
_MOST_BYTES = 1 << 31


def download_model(
    name: str,
    *,
    accept_terms: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
    opener: Opener | None = None,
    catalogue: dict[str, CatalogueEntry] | None = None,
) -> Path:
    """Fetch a model unless it is there already, and check it before it takes its name.

    It is checked for its hash, if that is known, and for being weights (no code is run) of exactly the architecture in
    the catalogue. The hash of the first download that passes is recorded and expected ever after.

    Args:
        name: Of the catalogue.
        accept_terms: That the user has read and accepts the licence's terms, where the catalogue has any.
        progress: Told the fraction that has come.
        cancel: Looked at between two blocks.
        opener: How to open a URL; by default urllib.
        catalogue: Models by name; by default those of the program.

    Returns:
        The file in the cache.

    Raises:
        ModelError: Unknown name, terms not accepted, no connection, wrong hash, or not the expected weights.
        OutputError: The cache cannot be written.
        Cancelled: ``cancel`` was raised.
    """
    from .files import read_network

    entry = find_entry(name, catalogue)
    if entry.url is None:
        raise ModelError(f"Model {name} comes with the program; there is nothing to download.")
    target, expected = cached_file(entry), expected_hash(entry)
    if target.is_file() and expected is not None and file_hash(target) == expected:
        return target
    if entry.licence.terms is not None and not accept_terms:
        raise ModelError(
            f"Model {name} comes under the licence {entry.licence.name} ({entry.licence.url}), whose terms must be "
            "accepted before it is downloaded."
        )
    with replacing_stream(target) as stream:
        digest = _fetch(entry, stream, progress, cancel, opener or _open)
        check_hash(name, digest, expected)
        stream.flush()
        network = read_network(Path(stream.name))
        if network.architecture != entry.architecture:
            raise ModelError(f"What {entry.url} gave is not model {name}: its architecture is {network.architecture}.")
        record_hash(entry, digest)
    return target


def find_entry(name: str, catalogue: dict[str, CatalogueEntry] | None = None) -> CatalogueEntry:
    """The entry of a model.

    Raises:
        ModelError: There is none of that name.
    """
    entries = read_catalogue() if catalogue is None else catalogue
    if name not in entries:
        raise ModelError(f"There is no model {name!r}; there are {', '.join(entries)}, or give a file.")
    return entries[name]


def _fetch(
    entry: CatalogueEntry,
    stream: IO[bytes],
    progress: ProgressCallback | None,
    cancel: CancelToken | None,
    opener: Opener,
) -> str:
    assert entry.url is not None
    digest, received = hashlib.sha256(), 0
    try:
        with _connected(opener, entry.url) as response:
            if not response.geturl().startswith("https://"):
                raise ModelError(f"{entry.url} leads to {response.geturl()}, which is not https; nothing was fetched.")
            total = _length(response.headers.get("Content-Length"))
            while block := _read(response):
                if cancel is not None:
                    cancel.raise_if_cancelled()
                received += len(block)
                if received > _MOST_BYTES:
                    raise ModelError(f"{entry.url} gives more than {_MOST_BYTES} bytes; that is no model.")
                digest.update(block)
                stream.write(block)
                if progress is not None:
                    progress(min(1.0, received / total) if total else 0.0, f"Downloading {entry.name}")
    except _ConnectionFailed as error:
        raise ModelError(f"{entry.url} cannot be downloaded: {error}.") from error
    if total and received != total:
        raise ModelError(f"{entry.url} ended after {received} of {total} bytes; try again.")
    return digest.hexdigest()


def _length(header: object) -> int:
    """What a server says the length is, 0 where it says nothing that is a length."""
    text = str(header or "").strip()
    return int(text) if text.isascii() and text.isdigit() else 0


class _ConnectionFailed(Exception):
    """A fault of the network, apart from faults of the disk, which are OSErrors as well."""


def _read(response: Any) -> bytes:
    try:
        return bytes(response.read(_BLOCK))
    except (OSError, http.client.HTTPException) as error:
        raise _ConnectionFailed(error) from error


def _connected(opener: Opener, url: str) -> AbstractContextManager[Any]:
    try:
        return opener(url)
    except (OSError, http.client.HTTPException) as error:
        raise _ConnectionFailed(getattr(error, "reason", error)) from error


class HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirections to https alone; urllib's own also goes on in the clear, to http and ftp."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The next request.

        Raises:
            URLError: It would not be https.
        """
        if not newurl.lower().startswith("https://"):
            raise urllib.error.URLError(f"it leads to {newurl}, which is not https; nothing was fetched")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str) -> AbstractContextManager[Any]:
    if not url.startswith("https://"):
        raise ValueError(f"{url} is not https.")
    request = urllib.request.Request(url, headers={"User-Agent": "UniverSegSlicer"})
    opener = urllib.request.build_opener(HttpsOnly)
    response: AbstractContextManager[Any] = opener.open(request, timeout=_SECONDS)
    return response
