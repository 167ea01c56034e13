"""One case, in a worker: read, segment, measure, write whole."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ... import __version__
from ...errors import Cancelled, OutputError, UniverSegError
from ...files import check_grid, read_volume, write_label_map
from ...imaging import Volume, slice_spacing
from ...progress import CancelToken
from ...segmentation import Propagation, SupportSet, propagate
from ...writing import write_whole
from ..folder import write_array
from ..inputs.bids import label_table
from ..inputs.case import Case, without_ending
from ..looks import looks_of_volume, looks_of_whole, nearest
from ..record import CaseRecord, LabelFacts
from ..report.cuts import cuts_of
from .hashing import content_hash, stamp_of
from .job import Job, Kit, kit_of, one_thread

if TYPE_CHECKING:
    from ...network import InContextModel

_MM3_PER_ML = 1000.0
# Distance of whole slices in the features of the default network's encoder. Of 1,158 pairs of scans of two modalities
# 27 lie nearer than this, of 74 pairs of one data set 8 lie farther (docs/decisions.md).
_FOREIGN = 0.55
# Voxels that are so many times as long or short as those of all of the support deserve a word.
_OTHER_SPACING = 2.0


def work(job: Job, case: Case, cancel: CancelToken | None = None) -> CaseRecord:
    """Do one case and keep its record.

    Raises:
        OutputError: The folder cannot be written, which no other case would survive either.
        Cancelled: The cancel token was raised.
    """
    begin, worked = time.perf_counter(), time.process_time()
    job.folder.begun(case).touch()
    record = CaseRecord(
        case.name, str(case.volume), case.output, version=__version__, model=job.model_name,
        model_sha256=job.model_sha256, support_sha256=job.support_sha256,
    )  # fmt: skip
    try:
        with one_thread():
            record = _segment(job, case, record, cancel)
    except (OutputError, Cancelled):
        raise
    except UniverSegError as error:
        record = replace(record, error=str(error))
    except MemoryError:
        record = replace(record, error=f"{case.volume} needs more memory than this computer has.")
    except OSError as error:
        record = replace(record, error=f"{case.volume} cannot be read: {error.strerror or error}.")
    except Exception as error:  # a fault of ours in one case is no reason to leave the others undone
        record = replace(record, error=f"an unexpected {type(error).__name__} ({error}); please report it.")
    record = replace(
        record,
        seconds=round(time.perf_counter() - begin, 2),
        processor_seconds=round(time.process_time() - worked, 2),
    )
    job.folder.write(case, record)
    job.folder.begun(case).unlink(missing_ok=True)
    return record


def _segment(job: Job, case: Case, record: CaseRecord, cancel: CancelToken | None) -> CaseRecord:
    kit = kit_of(job)
    stamp = {**stamp_of(case.volume), "sha256": content_hash(case.volume)}
    volume = read_volume(case.volume)
    check_grid(job.folder.path / case.output, volume.geometry)
    sources = _sources(job, case, volume, kit)
    share, content = kit.share(sources), kit.choice.hash_of(sources)
    result = propagate(
        volume,
        None,
        model=kit.model,
        label_values=job.values,
        support=share.support,
        settings=job.settings.propagation,
        prepared=share.prepared,
        cancel=cancel,
    )
    agreement = result.agreement or _agreement_of_draws(volume, result, job, kit.model, share.support, cancel)
    looks = looks_of_volume(volume, result.labels, job.values, result.axis, kit.model)
    apart = nearest(looks, share.looks)
    labels = {value: _facts(value, volume, result, job.names, agreement) for value in job.values}
    warnings = [
        *result.warnings,
        *_foreign(volume, result.axis, kit),
        *_unlike(volume, share.support, result.axis, labels),
    ]
    written = _write(job, case, volume, result, looks)
    return replace(
        record,
        warnings=tuple(dict.fromkeys(warnings)),
        labels=labels,
        distance=None if apart is None else round(apart, 4),
        axis=result.axis,
        suggested=tuple(int(s.index) for s in result.next_slices),
        spacing=volume.geometry.spacing,
        size=volume.geometry.size,
        stamp=stamp,
        output_bytes=written,
        support_sha256=content,
        support_scans=tuple(sources),
        recipe=job.recipe_for(content),
    )


def _sources(job: Job, case: Case, volume: Volume, kit: Kit) -> list[str]:
    """What of the support is for this case."""
    if not kit.choice.needed:
        return kit.choice.sources(None)
    axis = kit.choice.support.axis
    own = looks_of_whole(volume, axis, kit.model)
    write_array(job.folder.whole_looks(case, axis, job.model_sha256), own)
    return kit.choice.sources(own)


def _agreement_of_draws(
    volume: Volume,
    result: Propagation,
    job: Job,
    model: InContextModel,
    whole: SupportSet,
    cancel: CancelToken | None,
) -> dict[int, float]:
    """Mean Dice of the result with those of other draws: each half of the examples, taken alternately."""
    scores: dict[int, list[float]] = {}
    usable = [n for n, example in enumerate(whole.examples) if example.used]
    for draw in range(job.settings.draws if len(usable) > 1 else 0):
        half = _half(usable, draw)
        support = SupportSet(whole.examples, whole.label_names).using(half)
        values = [value for value in job.values if value in support.label_values]
        if not values:
            continue
        other = propagate(
            volume, None, model=model, axis=result.axis, label_values=values, support=support,
            settings=job.settings.propagation, confidence=False, cancel=cancel,
        )  # fmt: skip
        for value in values:
            scores.setdefault(value, []).append(_dice(result.labels == value, other.labels == value))
    return {value: float(np.mean(found)) for value, found in scores.items()}


def _half(usable: Sequence[int], draw: int) -> list[int]:
    """Every second one for the first two draws, others by chance."""
    if draw < 2:
        return list(usable[draw::2])
    return sorted(np.random.default_rng(draw).choice(usable, max(1, len(usable) // 2), replace=False).tolist())


def _dice(one: np.ndarray, other: np.ndarray) -> float:
    size = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / size if size else 1.0


def _facts(
    value: int, volume: Volume, result: Propagation, names: dict[int, str], agreement: dict[int, float]
) -> LabelFacts:
    found = result.labels == value
    count = int(np.count_nonzero(found))
    agreed = agreement.get(value)
    return LabelFacts(
        names[value],
        count,
        round(count * float(np.prod(volume.geometry.spacing)) / _MM3_PER_ML, 4),
        round(float(result.confidence[found].mean()), 4) if count and result.confidence is not None else None,
        None if agreed is None else round(agreed, 4),
    )


def _foreign(volume: Volume, axis: str, kit: Kit) -> list[str]:
    """Whether a volume looks like nothing that the slices of the support come from, in a sentence."""
    if not kit.slices:
        return []
    own = looks_of_whole(volume, axis, kit.model)
    apart = min(float(np.linalg.norm(own - other)) for other in kit.slices.values())
    if apart <= _FOREIGN:
        return []
    return [
        f"It looks unlike the slices of the support (distance {apart:.2f}, up to {_FOREIGN:g} is usual): another "
        "modality, another part of the body, or another field of view."
    ]


def _unlike(volume: Volume, support: SupportSet, axis: str, labels: dict[int, LabelFacts]) -> list[str]:
    """What is strange about a case, in sentences."""
    said = [f"Nothing was found of {facts.name}." for facts in labels.values() if not facts.voxels]
    # Whole scans tell the spacing of a voxel, slices that of a pixel.
    known: list[tuple[float, ...]] = [scan.image.geometry.spacing for scan in support.scans if scan.used]
    here: tuple[float, ...] = volume.geometry.spacing
    if not known:
        known = [example.spacing for example in support.examples if example.used]
        here = slice_spacing(volume.geometry, axis)
    ratios = [np.sort(here) / np.sort(spacing) for spacing in known]
    if all(max(ratio.max(), 1 / ratio.min()) > _OTHER_SPACING for ratio in ratios):
        ours, theirs = (" x ".join(f"{mm:.3g}" for mm in spacing) for spacing in (here, known[0]))
        what = "voxels" if len(here) == len(volume.geometry.spacing) else "pixels"
        said.append(f"Its {what} are {ours} mm, those of the support {theirs} mm.")
    return said


def _write(job: Job, case: Case, volume: Volume, result: Propagation, looks: np.ndarray) -> int:
    """The label map and what goes with it: beside first, so that each appears whole; its size in bytes."""
    final = job.folder.path / case.output
    beside = job.folder.unfinished(case)
    try:
        beside.mkdir(parents=True, exist_ok=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        made = beside / final.name
        write_label_map(made, result.labels, volume.geometry)
        if job.settings.report:
            write_whole(job.folder.picture(case), cuts_of(volume, result.labels, job.values))
        write_array(job.folder.looks(case), looks)
        if job.label_table:
            write_whole(final.with_name(f"{without_ending(final.name)}.tsv"), label_table(job.names))
        made.replace(final)
        return final.stat().st_size
    except OutputError as error:
        raise OutputError(str(error).replace(str(beside), str(final.parent))) from error
    except OSError as error:
        raise OutputError(f"{final} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
