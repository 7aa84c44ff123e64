"""The variational counterpart of the networks: a few steps down the robust energy."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from stages.flow.models.base import FlowEstimate, FlowModel
from stages.flow.models.energy import EnergyWeights, FlowEnergy, consistent

Image = NDArray[np.uint8]
FloatImage = NDArray[np.float32]
# Adam's rate: about what the flow may change in one iteration.
STEP_PX = 0.03


class RefinedFlow:
    """A flow model followed by refinement.

    Args:
        model: gives the flow to start from.
        iterations: steps of refinement.
    """

    def __init__(self, model: FlowModel, iterations: int) -> None:
        self.model = model
        self.iterations = iterations

    def estimate(self, first_rgb_hw3: Image, second_rgb_hw3: Image) -> FlowEstimate:
        """Flow both ways; the model's own confidence is kept."""
        estimate = self.model.estimate(first_rgb_hw3, second_rgb_hw3)
        forward, backward = refine_flow(
            (first_rgb_hw3, second_rgb_hw3),
            (estimate.forward_hw2, estimate.backward_hw2),
            self.iterations,
        )
        return estimate._replace(forward_hw2=forward, backward_hw2=backward)


def refine_flow(
    images_hw3: tuple[Image, Image],
    flows_hw2: tuple[FloatImage, FloatImage],
    iterations: int,
    weights: EnergyWeights | None = None,
) -> tuple[FloatImage, FloatImage]:
    """Lower the energy of both flows by gradient steps (Adam) from where they are.

    Pixels whose flow back does not return keep to their neighbours: only smoothness acts.
    The flows returned are those of least energy among all the steps, the start included.

    Args:
        images_hw3: first and second, RGB, of one size.
        flows_hw2: forward and backward flow to start from, pixels.
        iterations: gradient steps.
        weights: of the energy's terms.
    """
    images_b3hw = torch.from_numpy(np.stack(images_hw3))
    images_b3hw = images_b3hw.permute(0, 3, 1, 2) / 255.0
    start = torch.from_numpy(np.stack(flows_hw2)).permute(0, 3, 1, 2)
    visible_bhw = consistent(start, start.flip(0))
    energy_of = FlowEnergy(images_b3hw, images_b3hw.flip(0), weights or EnergyWeights())
    # A correction at half the size: neighbours move together, which steadies the descent.
    height, width = start.shape[-2:]
    correction = torch.zeros(2, 2, -(-height // 2), -(-width // 2), requires_grad=True)
    optimizer = torch.optim.Adam([correction], lr=STEP_PX)
    best, least = start, float("inf")
    for step in range(iterations + 1):
        flow = start + F.interpolate(correction, (height, width), mode="bilinear")
        energy = energy_of(flow, visible_bhw)
        if float(energy.detach()) < least:
            best, least = flow.detach().clone(), float(energy.detach())
        if step < iterations:
            optimizer.zero_grad()
            torch.autograd.backward(energy)
            optimizer.step()
    forward, backward = best.permute(0, 2, 3, 1).contiguous().numpy()
    return forward, backward
