"""Which network: those of the catalogue, or a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from slicer.i18n import tr as _

from ...progress import CancelToken, ProgressCallback
from ..context import Context, value

MODEL_PATTERN = "Model (*.safetensors *.pt)"


@dataclass(frozen=True)
class ModelChoice:
    """One line of the combo box.

    Attributes:
        name: What the logic is told.
        title: What the user reads.
        available: Whether it is on this computer.
        terms: What must be accepted before a download; "" for none.
    """

    name: str
    title: str
    available: bool
    terms: str = ""


class ModelStore(Protocol):
    """The catalogue of networks."""

    def choices(self) -> list[ModelChoice]:
        """Every model of the catalogue."""

    def download(self, name: str, progress: ProgressCallback, cancel: CancelToken) -> None:
        """Fetch a model whose terms were accepted; raises ModelError, OutputError or Cancelled."""


class ModelSection:
    """Fills the combo box and downloads on request, after the terms were shown and accepted."""

    def __init__(self, context: Context, store: ModelStore) -> None:
        self._context = context
        self._store = store
        self._choices: list[ModelChoice] = []
        self._filling = False
        context.ui.modelComboBox.currentIndexChanged.connect(lambda _index: self._on_chosen())
        context.ui.modelFileButton.clicked.connect(lambda: context.attempt(self._choose_file))

    def update(self) -> None:
        """Show the catalogue, and the chosen model."""
        parameters = self._context.parameters
        if parameters is None:
            return
        choices = list(self._store.choices())
        if parameters.model not in [choice.name for choice in choices]:
            choices.append(ModelChoice(parameters.model, Path(parameters.model).name, Path(parameters.model).is_file()))
        box = self._context.ui.modelComboBox
        self._filling = True
        if choices != self._choices:
            self._choices = choices
            box.clear()
            for choice in choices:
                box.addItem(choice.title if choice.available else _("{title} (download)").format(title=choice.title))
        box.setCurrentIndex([choice.name for choice in self._choices].index(parameters.model))
        self._filling = False

    def _on_chosen(self) -> None:
        # Read from the widget: the signal comes with the index or with the text, by version of Qt.
        index = int(value(self._context.ui.modelComboBox, "currentIndex"))
        if self._filling or not 0 <= index < len(self._choices) or self._context.parameters is None:
            return
        self._context.attempt(lambda: self._choose(self._choices[index]))
        self.update()

    def _choose(self, choice: ModelChoice) -> None:
        if not choice.available:
            if not self._context.dialogs.ask(choice.terms):
                return
            self._context.dialogs.wait_for(
                _("Downloading {title}").format(title=choice.title),
                lambda progress, cancel: self._store.download(choice.name, progress, cancel),
            )
        self._context.parameters.model = choice.name

    def _choose_file(self) -> None:
        path = self._context.dialogs.open_file(_("Use a model file"), MODEL_PATTERN)
        if path:
            self._context.parameters.model = path
            self.update()
