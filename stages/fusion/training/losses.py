"""What the learned fusion is trained for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.fusion.recurrent.network import QUARTER, FusionOutput, log_likelihood

RELATIVE_WEIGHT = 1.0
LARGEST_RELATIVE = 2.0
COARSE_WEIGHT = 0.4
GRADIENT_WEIGHT = 0.5
NORMAL_WEIGHT = 0.05
LIKELIHOOD_WEIGHT = 0.05
TEMPORAL_WEIGHT = 0.4
GRADIENT_STRIDES = (1, 2, 4, 8)
NORMAL_STEP_PX = 2
# Relative second difference of inverse depth above which a normal lies on an edge.
EDGE = 0.02
SOFTENING = 2e-3
POWER = 0.7
# Difference of log inverse depth from which a true point is hidden in the previous view.
HIDDEN_DIFFERENCE = 0.02


@dataclass(frozen=True)
class Truth:
    """True depth of a batch of views, padded.

    Attributes:
        log_inverse_bhw: logarithm of inverse depth in the units of the hypotheses.
        known_bhw: bool, where there is one to be learned.
        k_b33: calibration.
        world_from_cam_b44: true poses.
        log_unit_b: what was taken from the logarithm.
    """

    log_inverse_bhw: Tensor
    known_bhw: Tensor
    k_b33: Tensor
    world_from_cam_b44: Tensor
    log_unit_b: Tensor


def single_loss(output: FusionOutput, truth: Truth) -> tuple[Tensor, Tensor]:
    """Loss of one view without regard to others, and its errors (b, h, w)."""
    error = output.log_inverse_bhw - truth.log_inverse_bhw
    known = truth.known_bhw
    sampled = (slice(None), slice(2, None, QUARTER), slice(2, None, QUARTER))
    coarse_error = output.coarse_bhw - truth.log_inverse_bhw[sampled]
    likelihood = log_likelihood(output.mixture_b2hw, error.detach())
    loss = (
        mean_where(robust(error), known)
        + RELATIVE_WEIGHT * mean_where(_relative(error), known)
        + COARSE_WEIGHT * mean_where(robust(coarse_error), known[sampled])
        + GRADIENT_WEIGHT * gradient_loss(error, known)
        + NORMAL_WEIGHT * _normal_loss(output.log_inverse_bhw, truth)
        - LIKELIHOOD_WEIGHT * mean_where(likelihood, known)
    )
    return loss, error


def temporal_loss(
    error: Tensor, truth: Truth, previous_error: Tensor, previous_truth: Truth
) -> Tensor:
    """Change of a static point's error from one view to the next (mean of absolute values)."""
    grid, same = _seen_before(truth, previous_truth)
    before = F.grid_sample(previous_error[:, None], grid, "nearest", "zeros", align_corners=False)
    return TEMPORAL_WEIGHT * mean_where(robust(error - before[:, 0]), same)


def mean_where(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean over the chosen pixels of the batch; 0 without any."""
    weights = chosen.to(values.dtype)
    return (values * weights).sum() / weights.sum().clamp(min=1.0)


def robust(error: Tensor) -> Tensor:
    """Generalised Charbonnier: what is hopelessly wrong pulls less than what is nearly right."""
    return (error.square() + SOFTENING**2).pow(POWER / 2) - float(SOFTENING**POWER)


def _relative(error: Tensor) -> Tensor:
    """|depth / truth − 1|, bounded: what is far too far counts more than what is too near."""
    return torch.expm1(-error).abs().clamp(max=LARGEST_RELATIVE)


def gradient_loss(error: Tensor, known: Tensor) -> Tensor:
    """Differences of the error over several distances (Eigen & Fergus, ICCV 2015)."""
    total = error.new_zeros(())
    for stride in GRADIENT_STRIDES:
        for axis in (1, 2):
            length = error.shape[axis] - stride
            ahead, behind = error.narrow(axis, stride, length), error.narrow(axis, 0, length)
            both = known.narrow(axis, stride, length) & known.narrow(axis, 0, length)
            total = total + mean_where((ahead - behind).abs().clamp(max=1.0), both)
    return total / (2 * len(GRADIENT_STRIDES))


def _normal_loss(log_inverse_bhw: Tensor, truth: Truth) -> Tensor:
    """1 − cosine between the normals, away from edges."""
    found = normals(log_inverse_bhw, truth.k_b33)
    wanted = normals(truth.log_inverse_bhw, truth.k_b33)
    inner = slice(NORMAL_STEP_PX, -NORMAL_STEP_PX)
    smooth = _smooth(truth.log_inverse_bhw) & truth.known_bhw[:, inner, inner]
    return mean_where(1.0 - (found * wanted).sum(1), smooth)


def normals(log_inverse_bhw: Tensor, k_b33: Tensor) -> Tensor:
    """Unit normals (b, 3, h − 4, w − 4); inverse depth is affine in the pixel on a plane."""
    inverse = log_inverse_bhw.clamp(-6.0, 6.0).exp()
    step = NORMAL_STEP_PX
    inner = slice(step, -step)
    du = (inverse[:, inner, 2 * step :] - inverse[:, inner, : -2 * step]) / (2 * step)
    dv = (inverse[:, 2 * step :, inner] - inverse[:, : -2 * step, inner]) / (2 * step)
    height, width = inverse.shape[1:]
    fx, fy, cx, cy = (
        k_b33[:, i, j].float()[:, None, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2))
    )
    x = torch.arange(width, device=inverse.device)[None, None, inner] - cx
    y = torch.arange(height, device=inverse.device)[None, inner, None] - cy
    along = inverse[:, inner, inner] - du * x - dv * y
    du, dv = du * fx, dv * fy
    length = (du.square() + dv.square() + along.square() + 1e-12).sqrt()
    return torch.stack([du / length, dv / length, along / length], 1)


def _smooth(log_inverse_bhw: Tensor) -> Tensor:
    """Whether the true surface has no edge within the reach of a normal."""
    step = NORMAL_STEP_PX
    inner = slice(step, -step)
    center = 2 * log_inverse_bhw[:, inner, inner]
    across = log_inverse_bhw[:, inner, 2 * step :] + log_inverse_bhw[:, inner, : -2 * step] - center
    down = log_inverse_bhw[:, 2 * step :, inner] + log_inverse_bhw[:, : -2 * step, inner] - center
    return (across.abs() < EDGE) & (down.abs() < EDGE)


def _seen_before(truth: Truth, previous: Truth) -> tuple[Tensor, Tensor]:
    """Where each true point lay in the previous view, as `grid_sample` takes it, and if seen."""
    _, height, width = truth.log_inverse_bhw.shape
    device = truth.log_inverse_bhw.device
    v, u = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    pixels_3n = torch.stack([u, v, torch.ones_like(u)]).flatten(1).double()
    depth_bn = torch.exp(-(truth.log_inverse_bhw.flatten(1) + truth.log_unit_b[:, None])).double()
    points_b3n = torch.linalg.inv(truth.k_b33) @ pixels_3n * depth_bn[:, None]
    move_b44 = torch.linalg.inv(previous.world_from_cam_b44) @ truth.world_from_cam_b44
    points_b3n = move_b44[:, :3, :3] @ points_b3n + move_b44[:, :3, 3:]
    z_bn = points_b3n[:, 2].clamp(min=1e-6)
    there_b2n = (previous.k_b33 @ points_b3n)[:, :2] / z_bn[:, None]
    size = there_b2n.new_tensor([width, height])[:, None]
    grid = (
        ((2 * there_b2n + 1) / size - 1)
        .clamp(-2, 2)
        .transpose(1, 2)
        .view(-1, height, width, 2)
        .float()
    )
    found = torch.stack([previous.log_inverse_bhw, previous.known_bhw.float()], 1)
    found = F.grid_sample(found, grid, "nearest", "zeros", align_corners=False)
    log_z = -z_bn.log().view(-1, height, width).float() - previous.log_unit_b[:, None, None]
    same = (found[:, 0] - log_z).abs() < HIDDEN_DIFFERENCE
    return grid, same & (found[:, 1] > 0) & truth.known_bhw
