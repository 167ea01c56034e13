"""No socket but to this machine: whoever imports this and calls :func:`forbid_network` cannot reach out any more."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

#: What was tried, as texts.
attempts: list[str] = []
_on = False


class NetworkUsed(AssertionError):
    """Something tried to reach another computer."""


def forbid_network() -> None:
    """From now on every look-up of a name and every connection beyond this machine raises NetworkUsed.

    An audit hook of the interpreter: it sees every socket, whichever library makes it, and cannot be removed.
    """
    global _on  # noqa: PLW0603
    if not _on:
        _on = True
        sys.addaudithook(_watch)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) and address else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    else:
        return
    if host is not None and not _is_here(host):
        attempts.append(f"{event} {host!r}")
        raise NetworkUsed(f"{event} {arguments!r}: nothing may leave this machine")


def _is_here(host: object) -> bool:
    text = host.decode() if isinstance(host, bytes) else str(host)
    if text in ("", "localhost", "0.0.0.0", "::"):
        return True
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        import socket

        # Naming this machine asks nobody else.
        return text == socket.gethostname()
