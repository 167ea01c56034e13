"""What a person sees while a command runs and when it ends: a progress bar and tables on stderr, JSON on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from ...progress import ProgressCallback


@contextmanager
def progress_bar(title: str) -> Iterator[ProgressCallback]:
    """Show a bar on stderr while the block runs and give the callback that moves it; nothing where stderr is a file.

    Example:
        >>> with progress_bar("Segmenting") as report:  # doctest: +SKIP
        ...     report(0.5, "slice 10 of 20")
    """
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[title]}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.description}", markup=True),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0, title=title)

        def report(fraction: float, message: str) -> None:
            bar.update(task, completed=fraction, description=message)

        yield report


def say(message: str) -> None:
    """Print one line of the result for a person, on stdout."""
    print(message)


def notice(message: str) -> None:
    """Print one line that a person should know of and that is no error, on stderr."""
    print(f"Note: {message}", file=sys.stderr)


def notices(messages: Iterable[str]) -> None:
    """Print a line of :func:`notice` for each message."""
    for message in messages:
        notice(message)


def print_json(result: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout; letters that it cannot show are written as JSON escapes."""
    text = json.dumps(result, indent=2, allow_nan=False, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(result, indent=2, allow_nan=False)
    print(text)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print a table on stdout, the columns named in ``right`` set to the right."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    # A pipe has no width; 100 columns keep the rows on one line there.
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table, markup=False)
