"""What every case of a run shares, and what a worker keeps of it from one case to the next."""

from __future__ import annotations

import contextlib
import platform
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...locking import try_lock
from ...segmentation import PreparedSupport, SupportSet
from ..folder import CohortFolder
from ..looks import looks_of_slices, looks_of_support
from ..settings import CohortSettings
from .choosing import Choice, only
from .hashing import recipe_hash

if TYPE_CHECKING:
    from ...network import InContextModel


@dataclass(frozen=True)
class Job:
    """What every case of a run shares; small, since it travels with each of them.

    Attributes:
        folder: The output folder, under the same path on every machine.
        recipe: Hash of all that the results of the cohort hang on.
        rest: Hash of the same but for the support.
        model: File or name of the network.
        model_sha256, support_sha256: Hashes of the two.
        devices: Where to compute; with several, each worker takes one for itself.
        precision: "auto", "fp32" or "bf16".
        settings: The settings.
        values: The labels to segment.
        names: Of the labels.
        label_table: Whether a table of labels is written beside each label map (BIDS).
    """

    folder: CohortFolder
    recipe: str
    rest: str
    model: str
    model_name: str
    model_sha256: str
    support_sha256: str
    devices: tuple[str, ...]
    precision: str
    settings: CohortSettings
    values: tuple[int, ...]
    names: dict[int, str]
    label_table: bool = False

    def recipe_for(self, support: str) -> str:
        """Hash of all that the result of a case hangs on, beside its volume; ``support`` is that of what it uses."""
        return recipe_hash(rest=self.rest, support=support)

    def choice_of(self, support: SupportSet) -> Choice:
        """What chooses labelled scans for each case."""
        return Choice(support, self.values, self.settings.nearest, self.folder.scan_looks, self.model_sha256)


@dataclass(frozen=True, eq=False)
class Share:
    """What of the support a case gets.

    Attributes:
        support: The support of the case.
        prepared: The same, encoded.
        looks: Source of it to what it looks like.
    """

    support: SupportSet
    prepared: PreparedSupport
    looks: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Kit:
    """What depends on the job alone.

    Attributes:
        model: The network on the worker's device.
        choice: What of the support is for which case.
        looks: Source of the support to what it looks like.
        slices: Source to what its slices look like as a whole; empty where the support has whole scans, whose
            registration tells by itself what does not fit, and with published networks, whose features were not
            measured.
    """

    model: InContextModel
    choice: Choice
    looks: dict[str, np.ndarray]
    slices: dict[str, np.ndarray]
    _shares: OrderedDict[tuple[str, ...], Share] = field(default_factory=OrderedDict)

    def share(self, sources: Sequence[str]) -> Share:
        """The support for a case, of these sources; the same one as long as cases have the same sources."""
        key = tuple(sources)
        if key not in self._shares:
            while len(self._shares) >= _MOST_SHARES:
                self._shares.popitem(last=False)
            support = only(self.choice.support, key)
            looks = {source: found for source, found in self.looks.items() if source in key}
            self._shares[key] = Share(support, PreparedSupport(support, self.model), looks)
        self._shares.move_to_end(key)
        return self._shares[key]


# Choices of the support that a worker keeps encoded.
_MOST_SHARES = 4
_kits: dict[str, Kit] = {}
_leases: dict[Path, tuple[str, IO[str]]] = {}


def kit_of(job: Job) -> Kit:
    """The kit of a job, made once in each worker."""
    key = f"{job.folder.path} {job.recipe} {job.devices} {job.precision}"
    if key not in _kits:
        from ...network import load_model
        from ...network.attentive.architecture import AttentiveArchitecture

        _kits.clear()
        choice = job.choice_of(SupportSet.load(job.folder.support))
        model = load_model(job.model, _device(job), precision=job.precision)  # type: ignore[arg-type]
        model.name = job.model_name
        choice.look(model)
        support = choice.support
        told = any(scan.used for scan in support.scans) or not isinstance(model.architecture, AttentiveArchitecture)
        slices = {} if told else looks_of_slices(support, model)
        _kits[key] = Kit(model, choice, looks_of_support(support, job.values, model), slices)
    return _kits[key]


def forget_kits() -> None:
    """Let go of the memory and the devices that kits hold."""
    _kits.clear()
    for _, stream in _leases.values():
        stream.close()
    _leases.clear()


def _device(job: Job) -> str:
    """The worker's device: of several, the first that no other process on this machine has taken."""
    if len(job.devices) == 1:
        return job.devices[0]
    place = job.folder.state / "devices"
    if place in _leases:
        return _leases[place][0]
    place.mkdir(exist_ok=True)
    for device in job.devices:
        # Held until the process ends, however it ends.
        stream = (place / f"{platform.node()}-{device.replace(':', '-')}").open("a+")
        if try_lock(stream):
            _leases[place] = device, stream
            return device
        stream.close()
    raise InputError(
        f"all of {', '.join(job.devices)} are taken by other workers of this machine; "
        "give at most as many jobs as devices."
    )


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch, ITK and linear algebra, in this process; afterwards as many as before.

    Workers are as many as processors; threads beside them would only wait for one another. And a case comes out the
    same, however many workers there are.
    """
    import SimpleITK as sitk
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads(), sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before[0])
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before[1])
