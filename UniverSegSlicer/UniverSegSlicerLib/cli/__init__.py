"""The command line: one file per subcommand. Reads and writes files, prints, and leaves the work to the rooms below."""

from __future__ import annotations


def main() -> None:
    """Entry point of the command ``universeg-slicer``: run it with the process's arguments and exit with its code."""
    from .running import run

    raise SystemExit(run())
