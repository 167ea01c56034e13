"""Settings and declarations in YAML: read with the safe loader, and nothing that is larger unpacked than it looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from UniverSegSlicerLib.errors import InputError

# The largest file of this package has some hundreds of values.
_MOST_BYTES = 4 << 20
_MOST_VALUES = 200_000
_DEEPEST = 50


def read_yaml(path: Path, what: str) -> Any:
    """The content of a YAML file: mappings, lists, texts, numbers and dates; no object is ever made from it.

    Args:
        path: The file.
        what: What it is to be, for the sentence: "The configuration".

    Raises:
        InputError: It cannot be read, is no YAML, is too large or nested too deeply, or refers to itself.
    """
    import yaml

    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{what} {path} has {path.stat().st_size} bytes; that is no settings file.")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{what} {path} is not a text in UTF-8 (byte {error.start}).") from error
    except yaml.YAMLError as error:
        raise InputError(f"{what} {path} is not valid YAML: {_one_line(error)}.") from error
    except RecursionError as error:
        raise InputError(f"{what} {path} is nested too deeply.") from error
    except (ValueError, TypeError, OverflowError) as error:  # an impossible date or number, a key that is none
        raise InputError(f"{what} {path} holds a value that cannot be read: {_one_line(error)}.") from error
    _check_size(content, f"{what} {path}")
    return content


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split()).rstrip(".")
    return f"{getattr(error, 'problem', None) or 'an error'} in line {mark.line + 1}, column {mark.column + 1}"


def _check_size(content: Any, name: str) -> None:
    """Refuse what aliases make large or endless: ten lines can stand for more values than there are atoms."""
    count, open_values = 0, [(content, 0)]
    while open_values:
        value, depth = open_values.pop()
        count += 1
        if count > _MOST_VALUES or depth > _DEEPEST:
            raise InputError(f"{name} refers to itself, or is larger or nested more deeply than any settings are.")
        if isinstance(value, dict):
            open_values.extend((part, depth + 1) for item in value.items() for part in item)
        elif isinstance(value, list | set | tuple):
            open_values.extend((part, depth + 1) for part in value)
