"""A network tuned on examples: it learns, it is judged, it is let alone, and it is the same twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from UniverSegSlicerLib.errors import Cancelled, InputError
from UniverSegSlicerLib.network import Architecture, InContextModel
from UniverSegSlicerLib.network.attentive.architecture import AttentiveArchitecture
from UniverSegSlicerLib.network.families import AnyArchitecture, new_network
from UniverSegSlicerLib.progress import CancelToken
from UniverSegSlicerLib.segmentation import PropagationSettings, SupportSet
from UniverSegSlicerLib.segmentation.tuning import TuningSettings, tune
from UniverSegSlicerLib.segmentation.tuning.labels import tuning_tasks

SMALL = AttentiveArchitecture(
    widths=(4, 4, 4, 4, 4), heads=2, head_channels=5, value_channels=2, fine_channels=2, resolution=32
)
PUBLISHED = Architecture(query_channels=4, encoder=(4, 4))
FAST = TuningSettings(seconds=600, steps=12, rate=0.02, gain=0.0)


def _model(architecture: AnyArchitecture = SMALL, precision: str = "fp32") -> InContextModel:
    torch.manual_seed(3)
    network = new_network(architecture).eval()
    return InContextModel(network, name="small", device=torch.device("cpu"), precision=precision)


def _support(count: int, side: int = 32, *, empty: bool = False) -> SupportSet:
    """Bright squares on dark noise, anywhere."""
    rng = np.random.default_rng(count)
    images = rng.uniform(0, 0.3, (count, side, side)).astype(np.float32)
    labels = np.zeros((count, side, side), np.uint16)
    for image, label in zip(images, labels, strict=True):
        row, column = rng.integers(2, side - 14, 2)
        image[row : row + 12, column : column + 12] += 0.6
        label[row : row + 12, column : column + 12] = 0 if empty else 1
    return SupportSet.from_pairs(images, labels)


@pytest.mark.parametrize(("architecture", "steps", "rate"), [(SMALL, 40, 0.06), (PUBLISHED, 30, 0.02)])
def test_a_few_steps_on_the_examples_help_with_new_pictures(architecture, steps, rate):
    model, support, new = _model(replace(architecture, resolution=32)), _support(6), _support(5)
    weights = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    tuned = tune(model, support, replace(FAST, steps=steps, rate=rate))
    assert tuned.report.kept and tuned.report.steps in (steps // 2, steps) and tuned.report.examples == 6
    assert tuned.report.after > tuned.report.before + 0.1
    assert _dice(tuned.model, support, new) > _dice(model, support, new) + 0.1
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.network.state_dict().items())
    assert tuned.model.name == "small, tuned" and tuned.model.dtype == model.dtype
    encoder = [name for name in weights if name.startswith("encoder.")]
    assert all(torch.equal(tuned.model.network.state_dict()[name], weights[name]) for name in encoder)


def _dice(model: InContextModel, support: SupportSet, new: SupportSet) -> float:
    images, labels = (np.stack([getattr(e, n) for e in support.examples])[:, None] for n in ("image", "labels"))
    encoded = model.encode_support(images, labels.astype(np.float32))
    queries = np.stack([example.image for example in new.examples])[:, None]
    answers = model.predict(queries, encoded).numpy()[:, 0] > 0
    truth = np.stack([example.labels for example in new.examples]) > 0
    return float(2 * (answers & truth).sum() / max(1, answers.sum() + truth.sum()))


def test_the_same_seed_gives_the_same_weights_even_for_a_caller_in_inference_mode():
    support, small, settings = _support(6), replace(PUBLISHED, resolution=32), replace(FAST, steps=30)
    first = tune(_model(small), support, settings)
    with torch.inference_mode():
        second = tune(_model(small), support, settings)
    other = tune(_model(small), support, replace(settings, seed=1))
    assert first.state and first.state.keys() == second.state.keys() and first.report.after == second.report.after
    assert all(torch.equal(first.state[name], second.state[name]) for name in first.state)
    assert other.report.after != first.report.after


def test_what_does_not_help_is_not_kept():
    model = _model()
    tuned = tune(model, _support(5), replace(FAST, steps=2, gain=1.0))
    assert not tuned.report.kept and tuned.model is model and not tuned.state
    assert "not kept (held-out examples gain less than 1)" in str(tuned.report)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_examples_are_not_tuned_on(count):
    model = _model()
    tuned = tune(model, _support(count), FAST)
    assert tuned.model is model and not tuned.report.kept and tuned.report.before is None
    assert str(tuned.report) == "Not tuned: 3 examples of a label are needed, two of which show it."


def test_examples_that_show_nothing_are_not_tuned_on():
    assert not tune(_model(), _support(4, empty=True), FAST, labels=[1]).report.kept


def test_three_examples_and_bfloat16_are_enough():
    tuned = tune(_model(precision="bf16"), _support(3), replace(FAST, steps=2))
    assert tuned.report.before is not None and tuned.model.dtype == torch.bfloat16
    assert all(tensor.dtype == torch.float32 for tensor in tuned.state.values())


def test_time_ends_it_and_what_was_reached_is_judged():
    report = tune(_model(), _support(4), replace(FAST, seconds=1e-6)).report
    assert not report.kept and report.steps == 0 and "all that 1e-06 s sufficed for" in report.reason


def test_where_memory_is_short_the_model_serves_as_it_is(monkeypatch):
    def full(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("MPS backend out of memory")

    monkeypatch.setattr("UniverSegSlicerLib.segmentation.tuning.tuned.best_state", full)
    model = _model()
    tuned = tune(model, _support(4), FAST)
    assert tuned.model is model and str(tuned.report) == "Not tuned: the memory of cpu is short."


def test_cancelling_between_two_steps_and_progress():
    seen: list[float] = []
    token = CancelToken()

    def report(fraction: float, _message: str) -> None:
        seen.append(fraction)
        if fraction > 0.1:
            token.cancel()

    with pytest.raises(Cancelled):
        tune(_model(), _support(4), FAST, progress=report, cancel=token)
    assert seen == sorted(seen) and seen[0] == 0 and 0.1 < seen[-1] < 0.3


def test_labels_take_turns_and_one_without_examples_is_left_out():
    support = _support(4)
    examples = [replace(e, labels=np.where(e.labels > 0, 2, e.labels)) for e in support.examples]
    both = SupportSet(tuple(replace(e, complete=False) for e in (*support.examples, *examples[:2])))
    tasks = tuning_tasks(both, 32)
    assert [len(task) for task in tasks] == [4], "label 2 has two examples"
    assert [len(task) for task in tuning_tasks(both, 32, labels=[2])] == []
    three = SupportSet((*support.examples, *examples))
    assert tune(_model(), three, replace(FAST, steps=2)).report.examples == 16, "absence counts where it is known"


def test_slices_of_one_volume_share_the_region_of_a_propagation():
    squares = enumerate(_support(4).examples)
    slices = [
        replace(e, image=np.pad(e.image, 40), labels=np.pad(e.labels, 40), axis="k", index=n, source="a")
        for n, e in squares
    ]
    (task,) = tuning_tasks(SupportSet(tuple(slices)), 32, region=PropagationSettings())
    (whole,) = tuning_tasks(SupportSet(tuple(slices)), 32)
    sizes = task.masks.sum(axis=(1, 2))
    assert sizes.min() > 2 * whole.masks.sum(axis=(1, 2)).max()
    assert sizes.max() - sizes.min() < 0.05 * sizes.max(), "one scale for all"


def test_hundreds_of_examples_are_thinned():
    assert len(tuning_tasks(_support(100, side=32), 32)[0]) == 48
    many = _support(20).examples
    examples = [replace(e, labels=np.where(e.labels > 0, value, 0)) for value in range(1, 31) for e in many[:6]]
    assert {len(task) for task in tuning_tasks(SupportSet(tuple(examples)), 32)} == {4}, "thirty labels share the time"


@pytest.mark.parametrize(
    ("field", "value"),
    [("seconds", 0), ("seconds", float("nan")), ("steps", 0), ("rate", -1), ("gain", 2), ("seed", -1)],
)
def test_settings_out_of_range_are_named(field, value):
    with pytest.raises(InputError, match=f"^{field} of a tuning is"):
        replace(TuningSettings(), **{field: value})
