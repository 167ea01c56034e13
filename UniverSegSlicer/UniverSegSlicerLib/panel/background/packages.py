"""Python packages that a step needs and Slicer lacks: looked for without an import, installed after one question."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from slicer.i18n import tr as _

from ...errors import DependencyError

#: The packages for working on a folder, among the module's resources.
REQUIREMENTS = "cohort-requirements.txt"

_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9._-]+)\s*(?:>=\s*([0-9.]+))?\s*$")


def read_requirements(file: Path) -> list[str]:
    """The requirements of a file, such as ``nibabel>=5.2``, one a line; lines with ``#`` are comments."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def missing_of(requirements: Sequence[str], version_of: Callable[[str], str] = importlib.metadata.version) -> list[str]:
    """Those of the requirements that are not installed, or too old.

    Raises:
        ValueError: A requirement is no name with a lower bound.
    """
    return [requirement for requirement in requirements if not _is_there(requirement, version_of)]


def ensure_packages(
    requirements: Sequence[str],
    ask: Callable[[str], bool],
    install: Callable[[list[str]], None],
    version_of: Callable[[str], str] = importlib.metadata.version,
) -> None:
    """Make packages available, asking once; call it from a button, on the main thread, never at start-up.

    Args:
        requirements: Names with lower bounds.
        ask: Shows a question and answers whether the user agreed.
        install: Installs requirements into Slicer's Python; raises what goes wrong.
        version_of: How an installed version is looked up; raises PackageNotFoundError for none.

    Raises:
        DependencyError: Declined, the installation failed, or packages are still not there.
    """
    missing = missing_of(requirements, version_of)
    if not missing:
        return
    names = ", ".join(_named(requirement) for requirement in missing)
    question = _("{count} Python packages are missing for this ({names}). Install them into Slicer's Python now?")
    if not ask(question.format(count=len(missing), names=names)):
        raise DependencyError(
            _("The packages were not installed, so nothing was started. When you want them: {way}").format(
                way=_way(missing)
            )
        )
    try:
        install(missing)
    except Exception as error:
        raise DependencyError(
            _(
                "The packages could not be installed ({error}). Look into the Python console, then run there: {way}"
            ).format(error=error, way=_way(missing))
        ) from error
    importlib.invalidate_caches()
    left = missing_of(requirements, version_of)
    if left:
        raise DependencyError(
            _(
                "Still missing after the installation: {names}. Restart Slicer, or run in the Python console: {way}"
            ).format(names=", ".join(left), way=_way(left))
        )


def _is_there(requirement: str, version_of: Callable[[str], str]) -> bool:
    match = _REQUIREMENT.match(requirement)
    if match is None:
        raise ValueError(f"{requirement!r} is no name with a lower bound")
    try:
        version = version_of(match.group(1))
    except importlib.metadata.PackageNotFoundError:
        return False
    return match.group(2) is None or _numbers(version) >= _numbers(match.group(2))


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a release, without zeros at its end: ``5.2.0rc1`` and ``5.2`` are both (5, 2)."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(number) for number in release.group().split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _named(requirement: str) -> str:
    return re.split(r"[<>=!~ ]", requirement)[0]


def _way(requirements: Sequence[str]) -> str:
    return f'slicer.util.pip_install("{" ".join(requirements)}")'
