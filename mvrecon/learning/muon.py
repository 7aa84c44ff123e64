"""Muon: steepest descent under the spectral norm, for networks that get few steps.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, with the step
size matched to that of Adam (Liu et al., "Muon is scalable for LLM training", 2025).
Parameters without the form of a matrix, and those of last layers, are trained with Adam.

`torch.optim.Muon` (torch 2.9 and later) refuses the kernels of convolutions, of which these
networks are made; on matrices it does the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
ADAM_BETAS = (0.9, 0.99)
MATCHED_SCALE = 0.2
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5


class Muon(torch.optim.Optimizer):
    """Muon for matrices and convolutions, Adam for the rest.

    Args:
        matrices: weights of two or more dimensions; all but the first count as columns.
        others: what Adam trains.
        lr: step size, in Adam's terms.
    """

    def __init__(self, matrices: Iterable[Tensor], others: Iterable[Tensor], lr: float) -> None:
        groups = [
            {"params": list(matrices), "orthogonal": True},
            {"params": list(others), "orthogonal": False},
        ]
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step on the gradients that are there."""
        for group in self.param_groups:
            update = _muon if group["orthogonal"] else _adam
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update(parameter, parameter.grad, self.state[parameter], group["lr"])


def muon_for(network: nn.Module, first_and_last: tuple[str, ...]) -> Muon:
    """Muon for all layers of a network but those whose names start so; its rate is to be set."""
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, parameter in network.named_parameters():
        hidden = parameter.dim() > 1 and not name.startswith(first_and_last)
        (matrices if hidden else others).append(parameter)
    return Muon(matrices, others, lr=0.0)


def _muon(parameter: Tensor, gradient: Tensor, state: dict[str, Any], lr: float) -> None:
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    state["momentum"].lerp_(gradient, 1.0 - MOMENTUM)
    direction = gradient.lerp(state["momentum"], MOMENTUM)
    rows = direction.reshape(len(direction), -1)
    scale = MATCHED_SCALE * math.sqrt(max(rows.shape))
    parameter.add_(_orthogonal(rows).view(direction.shape), alpha=-lr * scale)


def _orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix with singular values of about one, by Newton-Schulz iteration."""
    a, b, c = NEWTON_SCHULZ
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    orthogonal: Tensor = (x.T if tall else x).to(matrix.dtype)
    return orthogonal


def _adam(parameter: Tensor, gradient: Tensor, state: dict[str, Any], lr: float) -> None:
    if not state:
        state["step"] = 0
        state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
    state["step"] += 1
    mean_decay, square_decay = ADAM_BETAS
    state["mean"].lerp_(gradient, 1.0 - mean_decay)
    state["square"].lerp_(gradient.square(), 1.0 - square_decay)
    mean = state["mean"] / (1.0 - mean_decay ** state["step"])
    square = state["square"] / (1.0 - square_decay ** state["step"])
    parameter.addcdiv_(mean, square.sqrt() + 1e-8, value=-lr)
