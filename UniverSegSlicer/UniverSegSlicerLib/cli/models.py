"""``universeg-slicer models``: which networks there are, and those that are fetched on request."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ModelError
from .common.console import print_json, print_table, progress_bar, say
from .common.options import JsonOption

if TYPE_CHECKING:
    from ..network.weights.store import ModelStatus

app = typer.Typer(no_args_is_help=True, help="List models; download, verify and remove those that do not come along.")

_MEGABYTE = 1e6


@app.command(name="list")
def list_(*, as_json: JsonOption = False) -> None:
    """Show every model: whether it is here, how large it is, and what one may do with it.

    Example: universeg-slicer models list
    """
    from ..network.weights.store import list_models

    models = [_describe(status) for status in list_models()]
    if as_json:
        print_json({"models": models})
        return
    print_table(
        "Models",
        ("model", "state", "size", "licence", "what it is"),
        [(m["name"], m["state"], _size(m["bytes"]), m["licence"], m["title"]) for m in models],
        right=("size",),
    )


@app.command()
def download(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model of `models list`.")],
    *,
    accept_terms: Annotated[
        bool,
        typer.Option("--accept-terms", help="Accept the model's terms; without it they are shown, and you are asked."),
    ] = False,
) -> None:
    """Fetch a model into your cache and check it; its terms are shown first and must be accepted.

    Example: universeg-slicer models download universeg-v1
    """
    from ..network.weights.download import download_model, find_entry

    terms = find_entry(name).licence.terms
    if terms is not None and not accept_terms:
        accept_terms = _ask(name, terms)
    with progress_bar(f"Downloading {name}") as report:
        path = download_model(name, accept_terms=accept_terms, progress=report)
    say(f"{name}: {path}")


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|PATH]...", help="Models or files; by default all that are here."),
    ] = None,
) -> None:
    """Check hashes and weights of models.

    Example: universeg-slicer models verify default
    """
    from ..network.weights.store import list_models, verify_model

    for name in names or [status.entry.name for status in list_models() if status.ready]:
        say(f"{name}: right ({verify_model(name)})")


@app.command()
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="A downloaded model.")]) -> None:
    """Delete a downloaded model.

    Example: universeg-slicer models remove universeg-v1
    """
    from ..network.weights.store import remove_model

    say(f"{remove_model(name)} is deleted.")


def _ask(name: str, terms: str) -> bool:
    """Show the terms and ask; without a terminal there is nobody to ask."""
    if not sys.stdin.isatty():
        raise ModelError(f"Model {name} has terms to accept: {terms} Accept them with --accept-terms.")
    typer.echo(terms, err=True)
    if not typer.confirm("Do you accept these terms?", err=True):
        raise ModelError(f"The terms of model {name} were not accepted; nothing was downloaded.")
    return True


def _describe(status: ModelStatus) -> dict[str, Any]:
    entry = status.entry
    return {
        "name": entry.name,
        "title": entry.title,
        "description": entry.description,
        "state": status.state,
        "path": str(status.path) if status.ready else None,
        "url": entry.url,
        "bytes": status.path.stat().st_size if status.ready else entry.size,
        "licence": entry.licence.name,
        "licence_url": entry.licence.url,
        "terms": entry.licence.terms,
        "training": entry.training,
    }


def _size(size: int | None) -> str:
    return "" if size is None else f"{size / _MEGABYTE:.1f} MB"
