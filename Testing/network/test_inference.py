"""The fast inference against the form written down term by term, and its behaviour at the limits of memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from UniverSegSlicerLib.cli.bench.direct_form import direct_forward
from UniverSegSlicerLib.errors import Cancelled, InputError
from UniverSegSlicerLib.network.architecture import Architecture
from UniverSegSlicerLib.network.inference import InContextModel
from UniverSegSlicerLib.network.memory import OutOfMemory, Plan, default_budget, run_within_memory
from UniverSegSlicerLib.network.published import engine, kernels
from UniverSegSlicerLib.network.published.composed import ComposedConvolution
from UniverSegSlicerLib.network.published.encoding import encode
from UniverSegSlicerLib.network.published.forward_pass import ForwardPass
from UniverSegSlicerLib.network.published.planning import plan_passes
from UniverSegSlicerLib.network.published.prepared import PreparedNetwork
from UniverSegSlicerLib.progress import CancelToken

from .examples import build, example

CPU = torch.device("cpu")
SMALL = Architecture(encoder=(8, 8, 16, 8))


def model_of(architecture: Architecture, precision: str = "fp32") -> InContextModel:
    return InContextModel(build(architecture), name="tiny", device=CPU, precision=precision)


@pytest.mark.parametrize("normalization", ["none", "group"])
@pytest.mark.parametrize("cross_activation", [False, True])
@pytest.mark.parametrize("support", [0, 1, 5])
@pytest.mark.parametrize("channels", [1, 4])
def test_every_plan_gives_the_logits_of_the_direct_form(
    channels, support, cross_activation, normalization, monkeypatch
):
    # Winograd's form in some blocks even at this small size.
    monkeypatch.setattr(kernels, "_FEWEST_VALUES", 5000)
    architecture = replace(
        SMALL, query_channels=channels, cross_activation=cross_activation, normalization=normalization
    )
    network = build(architecture)
    queries, images, labels = example(channels, support, batch=3)
    images, labels = images[:1], labels[:1]
    with torch.inference_mode():
        expected = torch.cat([direct_forward(network, query[None], images, labels) for query in queries])
        prepared = PreparedNetwork.of(network, CPU, torch.float32)
        for held, count, chunk, keep in ((True, 3, 5, True), (True, 2, 2, True), (False, 1, 3, False)):
            encoding = encode(prepared, torch.cat([images, labels], dim=2)[0], keep=held, chunk=2)
            logits = [
                ForwardPass(encoding, chunk=chunk, keep=keep, checkpoint=lambda fraction: None)(group)
                for group in queries.split(count)
            ]
            scale = max(1.0, expected.abs().max().item())
            torch.testing.assert_close(torch.cat(logits), expected, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("rows", [4, 8, 64])
@pytest.mark.parametrize("parts", [(8,), (8, 16)])
def test_fewer_multiplications_give_the_same_convolution(rows, parts, monkeypatch):
    monkeypatch.setattr(kernels, "_FEWEST_VALUES", 0)
    generator = torch.Generator().manual_seed(rows)
    inputs = [torch.randn(3, channels, rows, 12, generator=generator) for channels in parts]
    weights = [torch.randn(16, channels, 3, 3, generator=generator) / 12 for channels in parts]
    bias = torch.randn(16, generator=generator)
    prepared = [kernels.Kernel.of(weight, CPU, torch.float32) for weight in weights]
    assert all(len(kernel.factors) == 6 for kernel in prepared)
    exact = torch.nn.functional.conv2d(
        torch.cat(inputs, 1).double(), torch.cat(weights, 1).double(), bias.double(), padding=1
    )
    result = kernels.convolve(inputs, prepared, bias)
    torch.testing.assert_close(result.double(), exact, rtol=0, atol=2e-5)
    assert result.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [(8, 8), (3, 5), (16, 24)])
@pytest.mark.parametrize("channels", [1, 4])
def test_two_convolutions_composed_are_exact_up_to_the_border(size, channels):
    generator = torch.Generator().manual_seed(channels)
    inner = torch.randn(8, channels, 3, 3, generator=generator) / 3
    outer = torch.randn(6, 8, 3, 3, generator=generator) / 8
    x = torch.randn(2, channels, *size, generator=generator)
    between = torch.nn.functional.conv2d(x.double(), inner.double(), padding=1)
    exact = torch.nn.functional.conv2d(between, outer.double(), padding=1)
    composed = ComposedConvolution.of(inner, outer, CPU, torch.float32)
    torch.testing.assert_close(composed(x).double(), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("cross_activation", [False, True])
def test_shallow_networks_equal_the_direct_form(depth, cross_activation):
    model = model_of(Architecture(encoder=(8,) * depth, cross_activation=cross_activation))
    inputs = example(1, 3)
    with torch.inference_mode():
        expected = direct_forward(model.network, *inputs)
    torch.testing.assert_close(model(*inputs), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("support", [0, 3])
def test_published_size_equals_the_direct_form(support):
    network = build(Architecture())
    inputs = example(1, support, batch=1, rows=128, columns=64)
    model = InContextModel(network, name="full", device=CPU, precision="fp32")
    with torch.inference_mode():
        expected = direct_forward(network, *inputs)
    assert expected.std() > 0.01
    torch.testing.assert_close(model(*inputs), expected, rtol=0, atol=1e-5)


def test_half_precision_gives_nearly_the_same_mask():
    network = build(Architecture(encoder=(16, 16, 16, 16)))
    queries, images, labels = example(1, 4, batch=2, rows=64, columns=64)
    single, half = (InContextModel(network, name="n", device=CPU, precision=p) for p in ("fp32", "bf16"))
    assert half.dtype == torch.bfloat16
    exact, rough = single(queries, images, labels), half(queries, images, labels)
    assert 0 < (exact - rough).abs().max() < 0.05 * exact.std() + 0.02
    threshold = exact.median()
    a, b = exact > threshold, rough > threshold
    assert 2 * (a & b).sum() / (a.sum() + b.sum()) >= 0.98


def test_queries_may_be_numpy_arrays_with_fewer_planes():
    model = model_of(replace(SMALL, query_channels=4))
    queries, images, labels = (x.numpy() for x in example(4, 3, batch=2))
    support = model.encode_support(images[0], labels[0])
    assert support.size == 3 and support.shape == (32, 24)
    image_only = model.predict(queries[:, :1], support)
    padded = np.concatenate([queries[:, :1], np.zeros_like(queries[:, 1:])], axis=1)
    assert image_only.shape == (2, 1, 32, 24) and image_only.dtype == torch.float32
    torch.testing.assert_close(image_only, model.predict(padded, support))
    assert not torch.allclose(image_only, model.predict(queries, support))


def test_no_queries_give_no_logits():
    model = model_of(SMALL)
    support = model.encode_support(torch.rand(2, 1, 16, 16), torch.rand(2, 1, 16, 16))
    assert model.predict(torch.empty(0, 1, 16, 16), support).shape == (0, 1, 16, 16)


def test_planes_that_the_network_does_not_know_must_be_empty():
    model = model_of(SMALL)
    support = model.encode_support(torch.rand(2, 1, 16, 16), torch.rand(2, 1, 16, 16))
    query = torch.zeros(1, 4, 16, 16)
    query[:, 0] = torch.rand(16, 16)
    torch.testing.assert_close(model.predict(query, support), model.predict(query[:, :1], support))
    query[:, 3, 5, 5] = 1
    with pytest.raises(InputError, match="prior mask"):
        model.predict(query, support)


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        ((2, 1, 16, 16), (3, 1, 16, 16), "every image needs its label"),
        ((2, 1, 20, 16), (2, 1, 20, 16), "multiples of 8"),
        ((2, 16, 16), (2, 16, 16), "expected"),
    ],
)
def test_supports_that_do_not_fit_are_refused(images, labels, words):
    with pytest.raises(InputError, match=words):
        model_of(SMALL).encode_support(torch.rand(images), torch.rand(labels))


def test_queries_of_another_size_are_refused():
    model = model_of(SMALL)
    support = model.encode_support(torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16))
    with pytest.raises(InputError, match=r"expected \(N, 1 to 4, 16, 16\)"):
        model.predict(torch.rand(1, 1, 24, 16), support)


def test_progress_runs_to_one_and_cancelling_stops_between_chunks():
    model = model_of(SMALL)
    queries, images, labels = example(1, 5, batch=3)
    support = model.encode_support(images[0], labels[0])
    fractions: list[float] = []
    model.predict(queries, support, progress=lambda fraction, message: fractions.append(fraction), memory_budget=1)
    assert fractions == sorted(fractions) and fractions[-1] == 1 and len(fractions) > 3 * 7
    token = CancelToken()
    seen: list[float] = []

    def cancel_early(fraction: float, message: str) -> None:
        seen.append(fraction)
        if len(seen) == 4:
            token.cancel()

    with pytest.raises(Cancelled):
        model.predict(queries, support, progress=cancel_early, cancel=token, memory_budget=1)
    assert len(seen) == 4


def test_plans_shrink_with_the_budget():
    prepared = PreparedNetwork.of(build(Architecture()), CPU, torch.float32)
    roomy = plan_passes(prepared, 100, 64, 128, 128, 1 << 30)
    tight = plan_passes(prepared, 100, 64, 128, 128, 100 << 20)
    none = plan_passes(prepared, 100, 64, 128, 128, 0)
    assert roomy == Plan(1, 4, True)
    assert tight == Plan(1, tight.chunk, False) and tight.chunk >= 1
    assert none == Plan(1, 1, False)
    assert plan_passes(prepared, 100, 1, 128, 128, 1 << 30).queries == 4
    assert plan_passes(prepared, 3, 0, 128, 128, 1 << 30).queries == 3
    assert default_budget(CPU) > 1 << 20


def test_short_memory_takes_smaller_plans_down_to_the_smallest():
    tried: list[Plan] = []

    def attempt(plan: Plan) -> str:
        tried.append(plan)
        if len(tried) < 5:
            raise torch.cuda.OutOfMemoryError("simulated")
        return "done"

    assert run_within_memory(Plan(4, 4, True), attempt) == ("done", tried[-1])
    assert tried == [Plan(4, 4, True), Plan(2, 4, True), Plan(1, 4, True), Plan(1, 4, False), Plan(1, 2, False)]

    def hopeless(plan: Plan) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")

    with pytest.raises(OutOfMemory, match="not enough memory"):
        run_within_memory(Plan(4, 4, True), hopeless)

    def broken(plan: Plan) -> None:
        raise RuntimeError("another fault")

    with pytest.raises(RuntimeError, match="another fault"):
        run_within_memory(Plan(4, 4, True), broken)


def test_a_model_whose_device_has_no_memory_goes_on_on_the_cpu(monkeypatch):
    network = build(SMALL)
    queries, images, labels = example(1, 3, batch=2)
    expected = InContextModel(network, name="n", device=CPU, precision="fp32")(queries, images, labels)
    # The meta device stands for a GPU: whatever is tried there fails for want of memory.
    model = InContextModel(network, name="n", device=torch.device("meta"), precision="fp32")
    attempts: list[str] = []

    class Starved(ForwardPass):
        def __call__(self, group: torch.Tensor) -> torch.Tensor:
            attempts.append(self._network.device.type)
            if self._network.device.type == "meta":
                raise torch.cuda.OutOfMemoryError("simulated")
            return super().__call__(group)

    monkeypatch.setattr(engine, "ForwardPass", Starved)
    support = model.encode_support(images[0], labels[0])
    with pytest.warns(UserWarning, match="memory of meta is short; the model n goes on on the CPU"):
        logits = model.predict(queries, support)
    assert model.device == CPU
    assert attempts.count("meta") > 1 and attempts[-1] == "cpu"
    torch.testing.assert_close(logits[0], expected[0])
