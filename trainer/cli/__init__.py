"""The command ``universeg-trainer``: data sets, standardisation, tasks, training, evaluation."""

from __future__ import annotations


def main() -> None:
    """Entry point: run the command of this process and exit with its code."""
    from .app import run

    raise SystemExit(run())
