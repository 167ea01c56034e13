"""``python -m Testing.reliability.audit``: look the installed packages up in the index of known vulnerabilities.

Needs the network, which is why it is no test. Exit code 0: nothing known; 1: something is, named with the version that
mends it; 3: the index cannot be reached, so nothing was looked up (0 with ``--if-reachable``).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import urllib.request

#: A release that is known to be vulnerable: a mirror that does not say so has no index of vulnerabilities.
INDEX = "https://pypi.org/pypi/requests/2.19.0/json"
_SECONDS = 15
UNREACHABLE = 3


def reachable(address: str = INDEX) -> bool:
    """Whether the index answers as an index does."""
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:
            return bool(json.loads(answer.read(1 << 22)).get("vulnerabilities"))
    except (OSError, ValueError, AttributeError):
        return False


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="audit", description=__doc__)
    parser.add_argument("--if-reachable", action="store_true", help="succeed where the index cannot be reached")
    given = parser.parse_args(arguments)
    if not reachable():
        print("The index of vulnerabilities cannot be reached; nothing was looked up.", file=sys.stderr)
        return 0 if given.if_reachable else UNREACHABLE
    # Installed on demand: it is no part of what is audited.
    subprocess.run([sys.executable, "-m", "pip", "install", "-qq", "pip-audit>=2.7"], check=True)
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--progress-spinner", "off"]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
