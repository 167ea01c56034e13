"""Which declarations a command works on: those of the package, of a catalogue below the root, and the user's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from UniverSegSlicerLib.errors import InputError

from .corpus import catalogue_declarations
from .declaration import Declaration, builtin_declarations, load_declaration


def available(root: str | Path | None = None, own: Iterable[str | Path] = ()) -> dict[str, Declaration]:
    """All declarations by id; later ones replace earlier ones of the same id.

    Args:
        root: Folder of the data; where it holds a ``catalogue.json``, its entries alone replace the package's sets.
        own: YAML files, or folders of them.

    Raises:
        InputError: A declaration is wrong or cannot be read.
    """
    with_catalogue = root is not None and (Path(root) / "catalogue.json").is_file()
    found = catalogue_declarations(root) if with_catalogue and root is not None else dict(builtin_declarations())
    for path in map(Path, own):
        files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]
        for file in files:
            declaration = load_declaration(file)
            found[declaration.id] = declaration
    return found


def select(declarations: dict[str, Declaration], names: Sequence[str]) -> list[Declaration]:
    """The named declarations, without regard to case; all of them when ``names`` is empty.

    Raises:
        InputError: A name is unknown; the message offers the closest ones.
    """
    if not names:
        return list(declarations.values())
    by_name = {name.casefold(): declaration for name, declaration in declarations.items()}
    chosen = []
    for name in names:
        if name.casefold() not in by_name:
            close = get_close_matches(name.casefold(), by_name, n=3, cutoff=0.5)
            hint = f" Did you mean {', '.join(by_name[c].id for c in close)}?" if close else ""
            raise InputError(f"There is no data set {name!r}.{hint} universeg-trainer datasets list shows all.")
        chosen.append(by_name[name.casefold()])
    return chosen
