"""Muon: momentum whose update of every kernel is made orthogonal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

#: Coefficients of the quintic Newton-Schulz iteration; they are the fastest for small singular values and leave all of
#: them between about 0.7 and 1.2.
_QUINTIC = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal, as the update of weights with two or more axes.

    A kernel (out, in, k, k) is taken as the matrix (out, in k k). The update has the size that Adam's would have (root
    mean square 0.2), so that both can share a learning rate.

    PyTorch's own takes matrices only, and it and the libraries that take kernels iterate in bfloat16: on a CPU
    without instructions for that a step of the default network takes 0.29 s there and 0.02 s in single precision.

    Args:
        parameters: The kernels.
        lr: Learning rate.
        momentum: Share of the past in the running mean of gradients, in [0, 1).
        weight_decay: Decoupled from the gradient.
        iterations: Newton-Schulz steps.

    Source:
        Jordan et al., Muon, 2024 (kellerjordan.github.io/posts/muon); the size of the update: Liu et al.,
        arXiv 2502.16982, section 2.2.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        iterations: int = 5,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "iterations": iterations}
        super().__init__(parameters, settings)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim < 2:
                    raise ValueError(f"Muon needs weights of two or more axes, not {tuple(parameter.shape)}.")

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update; ``closure``, if any, computes the gradients first, and its loss is given back."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "mean" not in state:
                    state["mean"] = torch.zeros_like(parameter)
                mean = state["mean"].lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(mean, group["momentum"])
                update = orthogonal(ahead.flatten(1), group["iterations"]).view(parameter.shape)
                size = 0.2 * max(len(parameter), parameter[0].numel()) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * size)
        return loss


def orthogonal(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Nearly the orthogonal factor of a matrix: its singular values, however unequal, become about 1.

    Args:
        matrix: (m, n) in single precision.
        iterations: Of the Newton-Schulz iteration; with 5, values above a hundredth of the norm get there.

    Returns:
        (m, n); zeros stay zeros.
    """
    a, b, c = _QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x
