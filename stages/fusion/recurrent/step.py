"""One step of the learned fusion: from a view and the memory of another to a better depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.artifacts.depth import DepthMap
from mvrecon.multiview.agreement import confidence_of_cues
from mvrecon.multiview.reprojection import see_from, transfer_between
from stages.fusion.inputs import ImagedDepth
from stages.fusion.recurrent.cues import Cues
from stages.fusion.recurrent.network import (
    EIGHTH,
    QUARTER,
    STRIDE,
    TRUST,
    FusionInput,
    FusionNetwork,
    FusionOutput,
    probability_within,
)

# Relative depth by which a point may miss the remembered surface and still take over its state:
# much, as a state on a slightly wrong depth tells more than none.
REMEMBERED_MISS = 0.15
# Remembered depth counts for something even where nothing is known of it.
LEAST_TOLD = 0.1
# Logistic regression of "right to 5 %" on the logits of the network's and the views' confidence,
# fitted as that of the views' agreement is.
NETWORK_WEIGHT, VIEWS_WEIGHT, BIAS = 0.293, 0.674, -0.841


@dataclass(frozen=True)
class FusionView:
    """A view made ready for the network; sizes are padded to multiples of 16, (1, c, h, w).

    Attributes:
        image: RGB, 0…1.
        hypotheses: consensus, own, runner-up: logarithms of inverse depth less `log_unit`.
        evidence: see `FusionInput`.
        rays: x and y of the viewing rays at 1/4.
        known: 1 where a map has a depth, else 0.
        log_unit: median logarithm of the consensus' inverse depth.
        k_33: calibration.
        world_from_cam: (4, 4).
        size_hw: before padding.
    """

    image: Tensor
    hypotheses: Tensor
    evidence: Tensor
    rays: Tensor
    known: Tensor
    log_unit: float
    k_33: NDArray[np.float64]
    world_from_cam: NDArray[np.float64]
    size_hw: tuple[int, int]

    def to(self, device: torch.device) -> FusionView:
        """The same with its tensors on another device."""
        return replace(
            self,
            image=self.image.to(device),
            hypotheses=self.hypotheses.to(device),
            evidence=self.evidence.to(device),
            rays=self.rays.to(device),
            known=self.known.to(device),
        )


@dataclass(frozen=True)
class Memory:
    """What a fused view hands on.

    Attributes:
        result: fused depth and confidence.
        state_chw: recurrent state at 1/8 of the padded size, float32.
    """

    result: DepthMap
    state_chw: Tensor

    def save(self, path: Path) -> None:
        """Write as .npz, exactly."""
        result = {name: value for name, value in vars(self.result).items() if value is not None}
        with path.open("wb") as file:
            np.savez(file, **result, state_chw=self.state_chw.numpy())

    @classmethod
    def load(cls, path: Path) -> Memory:
        """Read what `save` wrote."""
        with np.load(path) as data:
            arrays: dict[str, NDArray[Any]] = {name: data[name] for name in data.files}
        state_chw = torch.from_numpy(arrays.pop("state_chw"))
        return cls(DepthMap(**arrays), state_chw)


def prepare(view: ImagedDepth, cues: Cues) -> FusionView | None:
    """Bring a view into the network's form; None if no map has a depth in it."""
    known_hw = cues.consensus_hw > 0
    if not known_hw.any():
        return None
    log_hw = np.log(np.where(known_hw, cues.consensus_hw, 1.0)).astype(np.float32)
    log_unit = float(np.median(log_hw[known_hw]))
    consensus_hw = np.where(known_hw, log_hw - np.float32(log_unit), np.float32(0))
    own_hw = _log_or(
        -np.log(np.maximum(view.depth.depth_hw, 1e-30)) - log_unit,
        view.depth.depth_hw > 0,
        consensus_hw,
    )
    runner_up_hw = cues.runner_up_hw.astype(np.float32)
    runner_up_hw = _log_or(
        np.log(np.maximum(runner_up_hw, 1e-4)) + consensus_hw, runner_up_hw > 0, consensus_hw
    )
    height, width = known_hw.shape
    match_2hw = cues.match_2hw.astype(np.float32).repeat(2, 1).repeat(2, 2)[:, :height, :width]
    evidence_4hw = cues.evidence_4hw.astype(np.float32)
    confidence_hw = known_hw * confidence_of_cues(evidence_4hw[1:])
    evidence_7hw = np.concatenate([evidence_4hw, match_2hw, confidence_hw[None]])
    return FusionView(
        image=_padded(view.rgb_hw3.transpose(2, 0, 1).astype(np.float32) / 255.0),
        hypotheses=_padded(np.stack([consensus_hw, own_hw, runner_up_hw])),
        evidence=_padded(evidence_7hw),
        rays=_rays(view.depth.k_33, height, width),
        known=_padded(known_hw[None].astype(np.float32), "constant"),
        log_unit=log_unit,
        k_33=view.depth.k_33,
        world_from_cam=view.depth.world_from_cam,
        size_hw=(height, width),
    )


def _log_or(
    log_hw: NDArray[Any], has_hw: NDArray[np.bool_], otherwise_hw: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.where(has_hw, log_hw, otherwise_hw).astype(np.float32)


def _padded(values_chw: NDArray[np.float32], mode: str = "replicate") -> Tensor:
    height, width = values_chw.shape[1:]
    padding = (0, -width % STRIDE, 0, -height % STRIDE)
    return F.pad(
        torch.from_numpy(np.ascontiguousarray(values_chw, np.float32))[None], padding, mode
    )


def _rays(k_33: NDArray[np.float64], height: int, width: int) -> Tensor:
    rows, columns = (
        -(-height // STRIDE) * STRIDE // QUARTER,
        -(-width // STRIDE) * STRIDE // QUARTER,
    )
    center = (QUARTER - 1) / 2
    x_w = (QUARTER * np.arange(columns) + center - k_33[0, 2]) / k_33[0, 0]
    y_h = (QUARTER * np.arange(rows) + center - k_33[1, 2]) / k_33[1, 1]
    both = np.stack(np.broadcast_arrays(x_w[None], y_h[:, None])).astype(np.float32)
    return torch.from_numpy(both)[None]


def run_network(
    network: FusionNetwork, views: Sequence[FusionView], memories: Sequence[Memory | None]
) -> FusionOutput:
    """Fuse one view of each sample; all of one size. Gradients reach the memories' states."""
    remembered = [
        _remember(network, view, memory) for view, memory in zip(views, memories, strict=True)
    ]
    output: FusionOutput = network(
        FusionInput(
            image_b3hw=torch.cat([view.image for view in views]),
            hypotheses_b4hw=torch.cat(
                [
                    torch.cat([view.hypotheses, r[0]], 1)
                    for view, r in zip(views, remembered, strict=True)
                ]
            ),
            evidence_b7hw=torch.cat([view.evidence for view in views]),
            previous_b1hw=torch.cat([r[1] for r in remembered]),
            rays_b2hw=torch.cat([view.rays for view in views]),
            state_bchw=torch.cat([r[2] for r in remembered]),
            state_known_b1hw=torch.cat([r[3] for r in remembered]),
        )
    )
    return output


def results(views: Sequence[FusionView], output: FusionOutput) -> list[DepthMap]:
    """Depth maps of the network's output."""
    confidence_bhw = probability_within(output.mixture_b2hw.detach())
    maps = []
    for view, log_hw, confidence_hw in zip(
        views, output.log_inverse_bhw.detach(), confidence_bhw, strict=True
    ):
        height, width = view.size_hw
        known_hw = view.known[0, 0]
        depth_hw = known_hw * torch.exp(-(log_hw + view.log_unit))
        maps.append(
            DepthMap(
                depth_hw[:height, :width].cpu().numpy().copy(),
                (known_hw * confidence_hw)[:height, :width].cpu().numpy().copy(),
                view.k_33,
                view.world_from_cam,
            )
        )
    return maps


def certainties(result: DepthMap, view: FusionView) -> NDArray[np.float32]:
    """Logits of the network's confidence and of the consensus' that it began with (2, h, w)."""
    height, width = view.size_hw
    agreement_hw = view.evidence[0, TRUST, :height, :width].numpy()
    bounded_2hw = np.stack([result.confidence_hw, agreement_hw]).clip(1e-4, 1 - 1e-4)
    return np.asarray(np.log(bounded_2hw / (1 - bounded_2hw)), np.float32)


def trusted_by_views(result: DepthMap, view: FusionView) -> DepthMap:
    """A result whose confidence is a probability by the network's and by the views' agreement."""
    network_hw, views_hw = certainties(result, view)
    score_hw = NETWORK_WEIGHT * network_hw + VIEWS_WEIGHT * views_hw + BIAS
    confidence_hw = (result.confidence_hw > 0) / (1 + np.exp(-score_hw))
    return replace(result, confidence_hw=confidence_hw.astype(np.float32))


def _remember(
    network: FusionNetwork, view: FusionView, memory: Memory | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Previous hypothesis and its confidence, state and where it is known, seen from a view."""
    consensus = view.hypotheses[:, :1]
    height, width = consensus.shape[-2:]
    if memory is None:
        state = consensus.new_zeros(1, network.settings.state, height // EIGHTH, width // EIGHTH)
        return consensus, torch.zeros_like(consensus), state, state[:, :1]
    seen = see_from(_camera_of(view), memory.result)
    has_hw = seen.inverse_depth_hw > 0
    log_hw = np.log(np.where(has_hw, seen.inverse_depth_hw, 1.0)) - np.float32(view.log_unit)
    told_hw = np.where(has_hw, LEAST_TOLD + (1 - LEAST_TOLD) * seen.confidence_hw, 0)
    has, log, told = (
        _padded(values_hw[None].astype(np.float32), "constant").to(consensus.device)
        for values_hw in (has_hw, log_hw, told_hw)
    )
    previous = torch.where(has > 0, log, consensus)
    return previous, told, *_warped_state(view, memory)


def _camera_of(view: FusionView) -> DepthMap:
    nothing_hw = np.zeros(view.size_hw, np.float32)
    return DepthMap(nothing_hw, nothing_hw, view.k_33, view.world_from_cam)


def _warped_state(view: FusionView, memory: Memory) -> tuple[Tensor, Tensor]:
    """The remembered state at the points of the consensus, and where it is known."""
    half = EIGHTH // 2
    consensus_hw = view.hypotheses[0, 0, half::EIGHTH, half::EIGHTH].cpu()
    depth_hw = torch.exp(-(consensus_hw + view.log_unit)).double()
    rows, columns = depth_hw.shape
    x_1w = EIGHTH * torch.arange(columns, dtype=torch.float64)[None] + (EIGHTH - 1) / 2
    y_h1 = EIGHTH * torch.arange(rows, dtype=torch.float64)[:, None] + (EIGHTH - 1) / 2
    transfer = transfer_between(_camera_of(view), memory.result)
    u, v, z = transfer.project_pixels(x_1w, y_h1, depth_hw)
    in_front = z > 0
    u, v = (torch.where(in_front, value / torch.where(in_front, z, 1.0), -1.0) for value in (u, v))
    remembered = torch.from_numpy(memory.result.depth_hw)
    height, width = remembered.shape
    inside = in_front & (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    found = remembered[v.round().long().clamp(0, height - 1), u.round().long().clamp(0, width - 1)]
    known = (
        inside & (found > 0) & ((found / torch.where(inside, z, 1.0) - 1.0).abs() < REMEMBERED_MISS)
    )
    state_rows, state_columns = memory.state_chw.shape[1:]
    grid = torch.stack(
        [(2 * u + 1) / (EIGHTH * state_columns) - 1, (2 * v + 1) / (EIGHTH * state_rows) - 1], -1
    )
    grid, known = grid.float().to(memory.state_chw.device), known.to(memory.state_chw.device)
    warped = F.grid_sample(
        memory.state_chw[None], grid[None], "bilinear", "border", align_corners=False
    )
    known_11hw = known[None, None].float()
    return warped * known_11hw, known_11hw
