"""The output folder of a cohort: what lies where, and whose it is."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, OutputError
from ..locking import folder_lock
from ..writing import replacing_stream, write_whole
from .inputs.case import Case
from .record import CaseRecord

#: Names at the top of the folder.
ABOUT, TABLE, PARQUET, REPORT = "cohort.json", "cohort.csv", "cohort.parquet", "report.html"
_STATE = ".cohort"


@dataclass(frozen=True)
class CohortFolder:
    """The folder.

    Attributes:
        path: Where it is.
    """

    path: Path

    @property
    def state(self) -> Path:
        """What runs need of earlier ones."""
        return self.path / _STATE

    @property
    def support(self) -> Path:
        """The support of the last run."""
        return self.state / "support.npz"

    def unfinished(self, case: Case) -> Path:
        """A folder on the same disk, for what is not whole yet."""
        return self.state / "unfinished" / case.key

    def picture(self, case: Case) -> Path:
        """The cut-outs of a case."""
        return self.state / "pictures" / f"{case.key}.json"

    def looks(self, case: Case) -> Path:
        """What a case looks like to the network."""
        return self.state / "looks" / f"{case.key}.npy"

    def whole_looks(self, case: Case, axis: str, model_hash: str) -> Path:
        """What a case looks like to a network before it is segmented."""
        return self.state / "looks" / f"{case.key}-{axis}-{model_hash[:12]}.npy"

    @property
    def scan_looks(self) -> Path:
        """A folder of what the support's scans look like."""
        return self.state / "scans"

    def begun(self, case: Case) -> Path:
        """There while a case is worked on; after a worker was killed it tells at which."""
        return self.state / "begun" / case.key

    def _record(self, case: Case) -> Path:
        return self.state / "cases" / f"{case.key}.json"

    def read(self, case: Case) -> CaseRecord | None:
        """What is known of a case; None where nothing is, or nothing that can be used."""
        try:
            return CaseRecord.from_json(self._record(case).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, case: Case, record: CaseRecord) -> None:
        """Keep what is known of a case."""
        write_whole(self._record(case), record.to_json())

    def forget(self, case: Case) -> None:
        """Let go of what is known of a case that is to be done again."""
        self._record(case).unlink(missing_ok=True)

    def records(self) -> list[CaseRecord]:
        """Of all cases of the last run that have one, in its order."""
        found = (self.read(case) for case in self.cases())
        return [record for record in found if record is not None]

    def cases(self) -> list[Case]:
        """The cases of the last run."""
        return [Case(entry["case"], Path(entry["volume"]), entry["output"]) for entry in self.about()["cases"]]

    def about(self) -> dict[str, Any]:
        """What ``cohort.json`` says.

        Raises:
            InputError: The folder holds no cohort.
        """
        try:
            content = json.loads((self.path / ABOUT).read_text(encoding="utf-8"))
            assert {"volumes", "labels", "cases"} <= set(content)
        except (OSError, ValueError, AssertionError) as error:
            raise InputError(f"{self.path} holds no cohort (no {ABOUT} of `universeg-slicer cohort`).") from error
        return content

    def looks_of(self, case: Case) -> np.ndarray | None:
        """(labels, C) float32 as :mod:`.looks` wrote it; None where there is none."""
        return read_array(self.looks(case))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder against other runs, and clear away what a killed one left unfinished."""
        with _writing(self.path):
            self.state.mkdir(parents=True, exist_ok=True)
        with folder_lock(self.state):
            for left in ("unfinished", "begun"):
                shutil.rmtree(self.state / left, ignore_errors=True)
            with _writing(self.path):
                for name in ("unfinished", "begun", "cases", "looks", "scans", "pictures"):
                    (self.state / name).mkdir(exist_ok=True)
            yield

    def check_ours(self, volumes: str, labels: dict[int, str]) -> None:
        """Refuse a folder that holds something else.

        Args:
            volumes: What the cohort's volumes were given as.
            labels: Its labels and their names.

        Raises:
            InputError: It is not empty and holds no cohort; or the cohort has other volumes or labels.
            OutputError: It is a file.
        """
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path} is a file; a folder is needed.")
        if not self.path.exists() or {entry.name for entry in self.path.iterdir()} <= {_STATE}:
            return
        if not (self.path / ABOUT).is_file():
            raise InputError(f"{self.path} is not empty and holds no cohort; choose a new or an empty folder.")
        about = self.about()
        said = {int(value): name for value, name in about["labels"].items()}
        if about["volumes"] != volumes:
            raise InputError(
                f"{self.path} holds another cohort, of the volumes {about['volumes']}; choose another "
                f"folder for those of {volumes}."
            )
        renamed = [value for value in said.keys() & labels.keys() if said[value] != labels[value]]
        if renamed or not said.keys() & labels.keys():
            ours, theirs = (", ".join(f"{v} ({n})" for v, n in sorted(d.items())) for d in (labels, said))
            raise InputError(
                f"{self.path} holds another cohort, of the labels {theirs}; choose another folder for {ours}."
            )


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error.strerror or error}.") from error


def write_array(file: Path, array: np.ndarray) -> None:
    """Keep an array; the file appears whole."""
    with replacing_stream(file) as stream:
        np.save(stream, array)


def read_array(file: Path) -> np.ndarray | None:
    """What was kept; None where there is nothing that can be used."""
    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError):
        return None
