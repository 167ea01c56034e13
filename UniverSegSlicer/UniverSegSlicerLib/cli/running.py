"""From arguments to an exit code: every error of every subcommand ends here, as one sentence on stderr."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from ..diagnostics import run_log
from ..errors import Cancelled, DependencyError, UniverSegError

PROGRAM = "universeg-slicer"
#: Set to anything to see the traceback of an unexpected error.
TRACEBACK_VARIABLE = "UNIVERSEG_TRACEBACK"

_COMMANDS = ("propagate", "segment", "click", "cohort", "support", "models", "bench", "demo", "report")

SUCCESS, FAULT, BAD_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        0 on success; 2 when something that the user gave cannot be used, or an output cannot be written; 130 after
        Ctrl-C, 143 after a request to terminate; 1 when the program itself is at fault.
    """
    _show_what_can_be_shown()
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        with _terminating_cleanly(), run_log.run(_name(given)):
            return _invoke(given)
    except (Exception, KeyboardInterrupt) as error:
        code, sentence = _outcome(error)
        if code == FAULT and os.environ.get(TRACEBACK_VARIABLE):
            traceback.print_exception(error)
        _say(sentence)
        return code
    finally:
        _keep_runs()


def _show_what_can_be_shown() -> None:
    """Let letters that the console cannot show be replaced, where they would end the run."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):  # something else in their place, or closed
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def _name(arguments: list[str]) -> str:
    """The subcommand: of what was given, all that is no name of the user's."""
    return arguments[0] if arguments[0] in _COMMANDS else "a command"


def _keep_runs() -> None:
    # The log is a help; that it cannot be kept must not spoil a result.
    with suppress(Exception):
        from .report import keep_runs

        keep_runs()


def _outcome(error: BaseException) -> tuple[int, str]:
    """The exit code and the sentence for an error."""
    if isinstance(error, Cancelled) and str(error) != str(Cancelled()):  # who raised it knows what is left
        return INTERRUPTED, str(error)
    if isinstance(error, KeyboardInterrupt | Cancelled):
        return INTERRUPTED, "interrupted; no output was written."
    if isinstance(error, UniverSegError):
        return BAD_INPUT, str(error)
    if isinstance(error, MemoryError):
        return BAD_INPUT, "there is not enough memory for this input."
    if isinstance(error, OSError):
        return BAD_INPUT, f"{error.filename or 'a file'} cannot be used: {error.strerror or error}."
    return FAULT, (
        f"an unexpected {type(error).__name__} ({error}); this is a fault of the program: "
        f"please report it with what `{PROGRAM} report` and {TRACEBACK_VARIABLE}=1 print."
    )


def _invoke(arguments: list[str]) -> int:
    try:
        import typer

        from .app import app
    except ImportError as error:
        raise DependencyError(
            f"The command line needs the package {error.name}: pip install 'universegslicer[cli]'."
        ) from error
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name=PROGRAM, standalone_mode=False)
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except Exception as error:
        # A usage error. Its class moved from click into typer, which leaves its method to know it by.
        if not hasattr(error, "format_message"):
            raise
        message = error.format_message()
        if not message:  # a group of commands without one: its help has been shown
            return SUCCESS
        context = getattr(error, "ctx", None)
        path = context.command_path if context else PROGRAM
        _say(f"{message.rstrip('.')}; see `{path} --help`.")
        return BAD_INPUT
    if code == INTERRUPTED:  # how typer reports Ctrl-C
        raise KeyboardInterrupt
    return code if isinstance(code, int) else SUCCESS


def _say(message: str) -> None:
    """Print one line on stderr, whatever line breaks ``message`` has."""
    print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)


@contextmanager
def _terminating_cleanly() -> Iterator[None]:
    """Turn SIGTERM into an exit, so that temporary files are removed on the way out."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
