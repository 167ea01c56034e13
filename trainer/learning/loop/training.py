"""The training loop: one process or many, by Lightning Fabric."""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import lightning
import numpy as np
import torch
import yaml
from lightning.fabric.loggers import TensorBoardLogger
from torch import Tensor, nn

from trainer.tasks.episodes import Episodes, EpisodeSampler
from trainer.tasks.pool import DataPool
from UniverSegSlicerLib.errors import InputError, OutputError, UniverSegError
from UniverSegSlicerLib.network.attentive.model import AttentiveUniverSeg, SeenEpisode

from ..networks.encoder_weights import encoder_of, hold_still, imagenet_encoder
from ..networks.episode_forward import episode_logits
from ..networks.kinds import TrainedNetwork, new_trained, term_of
from .beginnings import training_of
from .checkpoints import (
    Checkpoint,
    averaged_network,
    list_checkpoints,
    load_checkpoint,
    require_same_trunk,
    save_checkpoint,
)
from .config import TrainingConfig, to_mapping
from .launch import describe_device, kept_random_state, launch
from .losses import segmentation_loss
from .optimizers import make_optimizers, set_rate
from .prompting import prompted_queries
from .run_options import RunOptions, RunState
from .schedule import AveragedWeights, learning_rate

#: Called after every update with (step, steps, figures of the step).
Report = Callable[[int, int, dict[str, float]], None]
#: Gives the figures of a validation of a network.
Validate = Callable[[TrainedNetwork], dict[str, float]]
#: Writes sample pictures of (episodes, logits (T, K, 1, H, W)) to a path.
Draw = Callable[[Episodes, Tensor, Path], None]


class DivergenceError(UniverSegError):
    """The loss or its gradient is no longer a number."""


class EpisodeNetwork(nn.Module):
    """The network with the forward pass of episodes, so that distributed wrappers see one module."""

    def __init__(self, network: TrainedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, queries: Tensor, support_images: Tensor, support_labels: Tensor, seen: SeenEpisode | None = None
    ) -> Tensor:
        """See :func:`~trainer.learning.networks.episode_forward.episode_logits`."""
        return episode_logits(self.network, queries, support_images, support_labels, seen)


def train(
    config: TrainingConfig,
    options: RunOptions,
    make_pool: Callable[[torch.device], DataPool | None],
    *,
    validate: Validate | None = None,
    draw: Draw | None = None,
    report: Report | None = None,
) -> RunState:
    """Run a configuration to its end, or until its time is up.

    Args:
        config: What to train.
        options: Where and how.
        make_pool: Gives the data on a device; called once in every process.
        validate: Figures of the averaged network, written to the history.
        draw: Draws sample pictures.
        report: Progress.

    Raises:
        InputError: The folder holds another run, or the data and the settings do not fit.
        DivergenceError: Loss or gradient is NaN or infinite; the last good weights are in a checkpoint.
        OutputError: The last checkpoint could not be written.
    """
    return _Run(config, options, make_pool, validate, draw, report).run()


class _Run:
    def __init__(
        self,
        config: TrainingConfig,
        options: RunOptions,
        make_pool: Callable[[torch.device], DataPool | None],
        validate: Validate | None,
        draw: Draw | None,
        report: Report | None,
    ) -> None:
        self.config, self.options = config, options
        self.validate, self.draw, self.report = validate, draw, report
        self.checkpoints = options.folder / "checkpoints"
        if list_checkpoints(self.checkpoints) and not options.resume:
            raise InputError(f"{options.folder} holds a run already; resume it, or name another folder.")
        self.logger = TensorBoardLogger(options.folder, name="", version="tensorboard")
        self.fabric = launch(config, options, self.logger)
        # Batches differ between processes, the network does not.
        torch.manual_seed(config.seed)
        # Channels last is the faster layout for these convolutions on CPU and GPU alike.
        self.network = new_trained(config.architecture).to(memory_format=torch.channels_last)
        hold_still(self.network, encoder_trained=config.encoder.trained)
        if options.initial is not None:
            start = averaged_network(options.initial)
            require_same_trunk(start.architecture, config.architecture, options.initial)
            self.network.load_state_dict(start.state_dict())
        elif (encoder := encoder_of(self.network)) is not None and config.encoder.weights == "imagenet":
            encoder.load_state_dict(imagenet_encoder())
        module = EpisodeNetwork(self.network)
        optimizers = make_optimizers(module, config.optimizer)
        self.module, *wrapped = self.fabric.setup(module, *optimizers.values())
        self.optimizers = dict(zip(optimizers, wrapped, strict=True))
        self.averaged = AveragedWeights(self.network, config.optimizer.ema_decay)
        rank = self.fabric.global_rank
        self.sampler = EpisodeSampler(
            make_pool(self.fabric.device), config.episodes, config.seed * 1000 + rank, self.fabric.device
        )
        self.prompts = torch.Generator(device=self.fabric.device).manual_seed(config.seed * 1000 + 500 + rank)
        self.state = RunState(before=training_of(options.initial) if options.initial else {})
        if options.resume and list_checkpoints(self.checkpoints):
            self._resume()
        self.state.configs.append({"from_step": self.state.step, "config": to_mapping(config)})

    def run(self) -> RunState:
        """Every step that is left."""
        forward = torch.compile(self.module, dynamic=True) if self.config.compile else self.module
        self._write_config()
        started, before = time.monotonic(), self.state.seconds
        # A validation pass must not shift the numbers that the next step draws.
        while self.state.step < self.config.steps:
            figures = self._step(forward)
            self.state.seconds = before + time.monotonic() - started
            self._after_step(figures)
            if self.options.minutes is not None and time.monotonic() - started > 60 * self.options.minutes:
                break
        self._save(final=True)
        self.logger.finalize("success")
        return self.state

    def _step(self, forward: Callable[..., Tensor]) -> dict[str, float]:
        config, step = self.config, self.state.step
        phase = config.phase_at(step)
        # The same sizes in every process, or the one with the smaller batch would wait for the other.
        generator = np.random.default_rng([config.seed, step])
        support = _drawn(phase.support, generator)
        if isinstance(self.network, AttentiveUniverSeg):
            # Set in every step: a phase that draws none takes the architecture's, whatever the phase before drew.
            own = {self.network.architecture.enlarge: 1.0}
            self.network.enlarge = _drawn(phase.enlarge or own, generator)
        tasks = phase.tasks_for(support)
        clock = time.perf_counter()
        episodes = self.sampler.draw(
            tasks, phase.queries, support, phase.resolution, shares=phase.shares, prompted=phase.prompted
        )
        drawn = time.perf_counter() - clock
        images, labels = episodes.support_images, episodes.support_labels
        channels = config.architecture.query_channels
        glance = functools.cache(lambda: self._see(episodes))
        # What a trained encoder sees has to be seen with gradients in the end, but once is enough for rounds of clicks.
        seen = None if config.encoder.trained else glance()
        queries = prompted_queries(
            episodes,
            config.prompts.scaled(phase.prompted),
            channels,
            self.prompts,
            lambda planes: forward(planes, images, labels, seen or glance()),
        )
        rate = learning_rate(step, config.progress(step), config.optimizer)
        for optimizer in self.optimizers.values():
            set_rate(optimizer, rate, config.encoder.rate)
        logits = forward(queries, images, labels, seen).float()
        loss_settings = config.loss
        losses = segmentation_loss(
            logits.flatten(0, 1),
            episodes.query_labels.flatten(0, 1),
            dice=loss_settings.dice,
            cross_entropy=loss_settings.cross_entropy,
            focal_gamma=loss_settings.focal_gamma,
            empty_area=loss_settings.empty_area,
            log_dice=loss_settings.log_dice,
        )
        loss = losses.mean()
        if (term := term_of(self.network)) is not None:
            loss = loss + term
        if not self._finite_everywhere(loss):
            self._diverged(losses, episodes)
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        norm = nn.utils.clip_grad_norm_(
            [parameter for parameter in self.network.parameters() if parameter.grad is not None],
            config.optimizer.clip_norm,
        )
        if not torch.isfinite(norm):
            self._diverged(losses, episodes)
        for optimizer in self.optimizers.values():
            optimizer.step()
        self.averaged.update(self.network)
        self.state.step += 1
        self.state.samples += tasks * phase.queries * self.fabric.world_size
        self.state.pairs += tasks * phase.queries * max(1, support) * self.fabric.world_size
        if self._due(config.record.pictures_every) and self.draw and self.fabric.is_global_zero:
            self.draw(episodes, logits.detach(), self.options.folder / "pictures" / f"step_{self.state.step:07d}.png")
        share = drawn / (time.perf_counter() - clock)
        return {
            "loss": float(loss.detach()),
            "gradient_norm": float(norm),
            "learning_rate": rate,
            "drawing_share": share,
        }

    def _see(self, episodes: Episodes) -> SeenEpisode | None:
        """What an encoder of photographs sees, without gradients."""
        if not isinstance(self.network, AttentiveUniverSeg):
            return None
        with torch.no_grad(), self.fabric.autocast():
            return self.network.see(episodes.query_images, episodes.support_images)

    def _after_step(self, figures: dict[str, float]) -> None:
        record, step = self.config.record, self.state.step
        if self._due(record.log_every) and self.fabric.is_global_zero:
            self.logger.log_metrics(figures, step)
        if self._due(record.validate_every) and self.validate and self.fabric.is_global_zero:
            figures = {**figures, **self.validate(self.averaged_network())}
            self.state.history.append(
                {
                    "step": step,
                    "samples": self.state.samples,
                    "pairs": self.state.pairs,
                    "seconds": self.state.seconds,
                    **figures,
                }
            )
            self.logger.log_metrics({key: value for key, value in figures.items() if key.startswith("val")}, step)
        if self.report and self.fabric.is_global_zero:
            self.report(step, self.config.steps, figures)
        if self._due(record.checkpoint_every):
            self._save()

    def _due(self, every: int) -> bool:
        return bool(every) and (self.state.step % every == 0 or self.state.step == self.config.steps)

    def averaged_network(self) -> TrainedNetwork:
        """The averaged weights in a network of their own, in evaluation mode."""
        with kept_random_state():
            network = new_trained(self.config.architecture).to(self.fabric.device)
        self.averaged.copy_to(network)
        return network.eval()

    def _finite_everywhere(self, value: Tensor) -> bool:
        """Whether ``value`` is finite in every process; they must stop together, or the others would wait."""
        finite = torch.isfinite(value.detach()).float()
        if self.fabric.world_size > 1:
            torch.distributed.all_reduce(finite, torch.distributed.ReduceOp.MIN)
        return bool(finite > 0)

    def _diverged(self, losses: Tensor, episodes: Episodes) -> NoReturn:
        per_task = losses.detach().reshape(len(episodes.names), -1).mean(dim=1)
        bad = [name for name, value in zip(episodes.names, per_task.tolist(), strict=True) if not math.isfinite(value)]
        # An infinite gradient of finite losses cannot be laid at one task's door.
        found = [name for names in self._gathered(bad) for name in names]
        suspects = found or [name for names in self._gathered(episodes.names) for name in names]
        self._save(final=True)
        raise DivergenceError(
            f"Step {self.state.step}: the loss or its gradient is not finite. Tasks: {', '.join(suspects)}. The "
            f"weights before this step are in {self.checkpoints}; go on with a smaller learning rate, or leave the "
            "data set out."
        )

    def _gathered(self, mine: Any) -> list[Any]:
        """``mine`` of every process, by rank."""
        if self.fabric.world_size == 1:
            return [mine]
        gathered: list[Any] = [None] * self.fabric.world_size
        torch.distributed.all_gather_object(gathered, mine)
        return gathered

    def _save(self, *, final: bool = False) -> None:
        mine = {
            "sampler": self.sampler.state_dict(),
            "prompts": self.prompts.get_state().cpu(),
            "torch": torch.get_rng_state(),
        }
        ranks = self._gathered(mine)
        if not self.fabric.is_global_zero:
            return
        state = self.state
        record = {
            "name": self.config.name,
            "samples": state.samples,
            "pairs": state.pairs,
            "seconds": state.seconds,
            "history": state.history,
            "configs": state.configs,
            "before": state.before,
            "versions": {"torch": torch.__version__, "lightning": lightning.__version__, "numpy": np.__version__},
            "device": describe_device(self.fabric.device),
            "processes": self.fabric.world_size,
            "unknown_weights": sorted(set(self.config.episodes.dataset_weights) - self.sampler.datasets),
        }
        checkpoint = Checkpoint(
            state.step,
            self.config.architecture,
            self.network.state_dict(),
            self.averaged.values,
            self.averaged.updates,
            {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            ranks,
            record,
        )
        try:
            save_checkpoint(self.checkpoints, checkpoint, self.config.record.keep_checkpoints)
        except OutputError as error:
            if final:
                raise
            self.fabric.print(f"Warning: {error}")

    def _resume(self) -> None:
        saved = load_checkpoint(self.checkpoints)
        require_same_trunk(saved.architecture, self.config.architecture, self.checkpoints)
        before = saved.record["configs"][-1]["config"]
        now = json.loads(json.dumps(to_mapping(self.config)))
        changed = sorted(key for key in now if now[key] != before.get(key))
        if changed and not self.options.changed_config:
            raise InputError(
                f"{self.options.folder} was begun with other settings of {', '.join(changed)}; allow the change "
                "explicitly to go on with the new ones."
            )
        self.network.load_state_dict(dict(saved.network))
        self.averaged.load(dict(saved.averaged), saved.averaged_updates)
        if set(saved.optimizers) != set(self.optimizers):
            raise InputError(
                f"{self.options.folder} was trained with the optimizers {', '.join(sorted(saved.optimizers))}, the "
                f"configuration has {', '.join(sorted(self.optimizers))}; begin a new run with --initial instead."
            )
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(dict(saved.optimizers[name]))
        record = saved.record
        self.state = RunState(
            saved.step, record["seconds"], record["samples"], record["pairs"], record["history"], record["configs"],
            record.get("before", {}),
        )  # fmt: skip
        rank = self.fabric.global_rank
        if rank < len(saved.ranks) and len(saved.ranks) == self.fabric.world_size:
            mine = saved.ranks[rank]
            self.sampler.load_state_dict(mine["sampler"])
            self.prompts.set_state(mine["prompts"])
            torch.set_rng_state(mine["torch"])
        else:
            # Another number of processes: no state fits, so every process goes on with a seed of its own.
            self.sampler.reseed([self.config.seed, saved.step, rank])
            self.prompts.manual_seed(hash((self.config.seed, saved.step, rank)) % 2**31)

    def _write_config(self) -> None:
        if self.fabric.is_global_zero:
            self.options.folder.mkdir(parents=True, exist_ok=True)
            text = yaml.safe_dump(to_mapping(self.config), sort_keys=False)
            (self.options.folder / "config.yaml").write_text(text, encoding="utf-8")


def _drawn(choices: Mapping[int, float], generator: np.random.Generator) -> int:
    """One of several numbers, by their relative weights."""
    weights = np.array(list(choices.values()))
    return int(generator.choice(np.array(list(choices)), p=weights / weights.sum()))
