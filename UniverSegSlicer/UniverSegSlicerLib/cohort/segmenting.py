"""A support set on many volumes, from Python."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..errors import InputError
from ..files import LabelMap, read_label_map
from ..progress import CancelToken, ProgressCallback
from ..segmentation import SupportSet
from ..writing import write_whole
from .folder import ABOUT, PARQUET, TABLE, CohortFolder
from .inputs.bids import is_bids, write_description
from .inputs.case import Case
from .inputs.supports import merge, read_support, support_hash
from .inputs.volumes import find_cases
from .record import CaseRecord
from .report.page import write_report
from .running.hashing import recipe_hash
from .running.job import Job, forget_kits
from .running.plan import make_plan
from .running.run import run_cases
from .settings import CohortSettings
from .table import need_pyarrow, write_tables


@dataclass(frozen=True, eq=False)
class Cohort:
    """A segmented cohort.

    Attributes:
        folder: Where it lies.
        records: One a case, in the order of the volumes.
        label_names: Label value to name.
        redone: How many of the cases this run did; the others were as they should be.
    """

    folder: Path
    records: tuple[CaseRecord, ...]
    label_names: dict[int, str]
    redone: int = 0

    @property
    def failed(self) -> tuple[CaseRecord, ...]:
        """The cases that have no label map."""
        return tuple(record for record in self.records if record.failed)

    def labels(self, case: str) -> LabelMap:
        """Read the label map of a case.

        Raises:
            InputError: There is no such case, or it failed.
        """
        for record in self.records:
            if record.case == case and not record.failed:
                return read_label_map(self.folder / record.output)
        raise InputError(f"{self.folder} has no label map of a case {case!r}.")


def segment_cohort(
    support: SupportSet | str | Path | Sequence[str | Path],
    volumes: str | Path | Iterable[str | Path],
    output: str | Path,
    *,
    model: str | Path = "default",
    devices: Sequence[str] = ("auto",),
    precision: str = "auto",
    settings: CohortSettings | None = None,
    suffix: str | None = None,
    jobs: int | None = None,
    backend: str = "loky",
    scheduler: str | None = None,
    progress: ProgressCallback | None = None,
    watch: Callable[[int, int, CaseRecord | None], None] | None = None,
    cancel: CancelToken | None = None,
) -> Cohort:
    """Segment many volumes with one support, into a folder that explains itself.

    Cases that are in the folder already, of the same volume, support, model and settings, are not done again. A case
    that fails is a record with an error; the others go on. All that is finished stays, whatever happens.

    Args:
        support: A support set, support-set files, or volumes each followed by its label map.
        volumes: See :func:`.inputs.volumes.find_cases`.
        output: The folder; made if need be. With ``backend`` "dask" or "ray" on other machines, support, volumes and
            folder have to be visible there under the same paths.
        model: A model of the catalogue, or a file.
        devices: "auto", "cpu", "cuda", "cuda:1" or "mps"; with several, each worker takes one for itself.
        precision: "auto", "fp32" or "bf16".
        settings: The settings; the defaults if None.
        suffix: Of the images of a BIDS data set.
        jobs: Workers, of one thread each; by default one a device, or as many as processors.
        backend: "loky" (processes here), "dask" or "ray".
        scheduler: Address of a Dask scheduler or Ray cluster that runs already.
        progress: Called with the share of cases done.
        watch: Called with how many cases are done, how many there are, and the record of the one that just was; first
            with None.
        cancel: Looked at between the cases, and within them where there is one worker.

    Raises:
        InputError: Something given cannot be used; the folder holds another cohort, or another run writes into it.
        OutputError: The folder cannot be written, or the disk is full.
        DependencyError: A package is missing.
        ModelError: There is no such model.
        Cancelled: The cancel token was raised; the next run goes on from there.

    Example:
        >>> cohort = segment_cohort("hippocampi.npz", "scans/*.nii.gz", "out", jobs=4)  # doctest: +SKIP
        >>> [(record.case, record.labels[1].ml) for record in cohort.records if not record.failed]  # doctest: +SKIP
    """
    need_pyarrow()
    settings = settings or CohortSettings()
    folder = CohortFolder(Path(output))
    jobs = jobs or (len(devices) if len(devices) > 1 else os.cpu_count() or 1)
    given = _support(support)
    values = _values(given, settings)
    names = {value: given.label_names.get(value, f"label {value}") for value in values}
    cases = find_cases(volumes, folder.path, suffix)
    said = str(volumes) if isinstance(volumes, str | Path) else ", ".join(str(path) for path in volumes)
    place = _absolute(said)
    folder.check_ours(place, names)
    with folder.held():
        job = _job(folder, given, names, model, devices, precision, settings)
        job = Job(**{**job.__dict__, "label_table": is_bids(Path(said).expanduser())})
        given.save(folder.support)
        _write_about(folder, place, names, cases, job)
        if job.label_table:
            write_description(folder.path, Path(said).expanduser())
        plan = make_plan(cases, job, given)
        records = dict(plan.done)
        for case in plan.todo:
            folder.forget(case)
        if watch is not None:
            watch(len(records), len(cases), None)
        try:
            for case, record in run_cases(
                plan.todo, job, jobs=jobs, backend=backend, scheduler=scheduler, cancel=cancel
            ):
                records[case.name] = record
                if watch is not None:
                    watch(len(records), len(cases), record)
                if progress is not None:
                    failed = " failed" if record.failed else ""
                    progress(len(records) / len(cases), f"{len(records)} of {len(cases)}: {case.name}{failed}")
        finally:
            forget_kits()
            # After Ctrl-C, too, the table shows what there is.
            # A case may have been finished, and its record been on the way.
            found = [records.get(case.name) or folder.read(case) for case in cases]
            known = [record for record in found if record is not None]
            write_tables(folder.path / TABLE, folder.path / PARQUET, known, names)
            if settings.report:
                write_report(folder, cases, names)
    return Cohort(folder.path, tuple(known), names, len(plan.todo))


def open_cohort(output: str | Path) -> Cohort:
    """The cohort of a folder, as the last run left it.

    Raises:
        InputError: The folder holds none.
    """
    folder = CohortFolder(Path(output))
    names = {int(value): str(name) for value, name in folder.about()["labels"].items()}
    return Cohort(folder.path, tuple(folder.records()), names)


def _support(given: SupportSet | str | Path | Sequence[str | Path]) -> SupportSet:
    if isinstance(given, SupportSet):
        return merge([("the support", given)])
    paths = [given] if isinstance(given, str | Path) else given
    return read_support([Path(path) for path in paths])


def _values(support: SupportSet, settings: CohortSettings) -> tuple[int, ...]:
    wanted = settings.label_values or support.label_values
    absent = sorted(set(wanted) - set(support.label_values))
    if absent:
        held = ", ".join(str(value) for value in support.label_values)
        raise InputError(f"label {absent[0]} is absent; the support holds {held}.", argument="label_values")
    return tuple(wanted)


def _job(
    folder: CohortFolder,
    support: SupportSet,
    names: dict[int, str],
    model: str | Path,
    devices: Sequence[str],
    precision: str,
    settings: CohortSettings,
) -> Job:
    from ..network.weights.cache import file_hash
    from ..network.weights.store import locate_model

    path = locate_model(model)
    model_hash, given_hash = file_hash(path), support_hash(support, tuple(names))
    rest = recipe_hash(
        model=model_hash, settings=settings.to_dict(), labels=sorted(names.items()), precision=precision,
        version=__version__,
    )  # fmt: skip
    recipe = recipe_hash(rest=rest, support=given_hash, nearest=settings.nearest)
    name = path.stem if Path(model).suffix == path.suffix else str(model)
    return Job(
        folder, recipe, rest, str(path.resolve()), name, model_hash, given_hash, tuple(devices), precision, settings,
        tuple(names), names,
    )  # fmt: skip


def _write_about(folder: CohortFolder, volumes: str, names: dict[int, str], cases: list[Case], job: Job) -> None:
    about = {
        "what": "label maps of a cohort, made by `universeg-slicer cohort`",
        "version": __version__,
        "volumes": volumes,
        "labels": {str(value): name for value, name in names.items()},
        "model": job.model_name,
        "model_sha256": job.model_sha256,
        "support_sha256": job.support_sha256,
        "settings": job.settings.to_dict(),
        "cases": [{"case": case.name, "volume": str(case.volume), "output": case.output} for case in cases],
    }
    write_whole(folder.path / ABOUT, json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def _absolute(volumes: str) -> str:
    """The same place wherever it is called from."""
    return ", ".join(str(Path.cwd() / Path(part).expanduser()) for part in volumes.split(", "))
