"""Similarity of features along epipolar lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.transfer import PixelTransfer

# Pixels of the image for one of the features, and depths that one update compares.
FEATURE_STRIDE = 4
OFFSETS = 5
# Without such a span a pair of views cannot tell depths apart; in pixels of the features.
LEAST_SPAN_PX = 6.0


@dataclass(frozen=True)
class Epipolar:
    """Where pixels of views fall in their neighbours, as `PixelTransfer`, in features' pixels.

    Attributes:
        infinite_bv33, epipole_bv3: of each view and neighbour.
        valid_bv: whether there is such a neighbour.
        unit_b: inverse depth that is about 1 px in the widest pair.
    """

    infinite_bv33: Tensor
    epipole_bv3: Tensor
    valid_bv: Tensor
    unit_b: Tensor

    def scaled(self, scale_b: Tensor) -> Epipolar:
        """The same for inverse depths divided by a scale."""
        return replace(self, epipole_bv3=self.epipole_bv3 * scale_b[:, None, None])

    def to(self, device: torch.device) -> Epipolar:
        """The same on another device."""
        return Epipolar(*(value.to(device) for value in vars(self).values()))

    @staticmethod
    def concatenate(parts: Sequence[Epipolar]) -> Epipolar:
        """The geometry of several views with the same count of neighbours."""
        return Epipolar(
            *(torch.cat(values) for values in zip(*(vars(p).values() for p in parts), strict=True))
        )


def feature_transfer(
    camera: Camera,
    cam_from_world: NDArray[np.float64],
    other_camera: Camera,
    other_from_world: NDArray[np.float64],
) -> PixelTransfer:
    """Transfer between the features of two images; the cameras are those of the images."""
    return PixelTransfer.between(
        feature_camera(camera), cam_from_world, feature_camera(other_camera), other_from_world
    )


def feature_camera(camera: Camera) -> Camera:
    """The camera at the resolution of the features."""
    return camera.scaled(camera.width // FEATURE_STRIDE, camera.height // FEATURE_STRIDE)


def epipolar_geometry(
    camera: Camera, transfers: Sequence[PixelTransfer], bounds: tuple[float, float], count: int
) -> Epipolar:
    """The geometry of one view (b = 1), filled up to `count` neighbours.

    Args:
        camera: of the view's image.
        transfers: between the features of the view and of its neighbours, at least one.
        bounds: smallest and largest inverse depth.
        count: of neighbours.
    """
    infinite_v33 = np.tile(np.eye(3), (count, 1, 1))
    epipole_v3 = np.zeros((count, 3))
    for rank, transfer in enumerate(transfers[:count]):
        infinite_v33[rank], epipole_v3[rank] = transfer.infinite_33, transfer.epipole_3
    small = feature_camera(camera)
    x_n, y_n = np.meshgrid(np.linspace(0, small.width - 1, 5), np.linspace(0, small.height - 1, 5))
    pixels_n2 = np.column_stack([x_n.ravel(), y_n.ravel()])
    far, near = bounds
    span_px = max(transfer.disparity_px(pixels_n2, near, far) for transfer in transfers[:count])
    return Epipolar(
        torch.from_numpy(infinite_v33).float()[None],
        torch.from_numpy(epipole_v3).float()[None],
        (torch.arange(count) < len(transfers))[None],
        torch.tensor([float(near - far) / max(span_px, LEAST_SPAN_PX)]),
    )


def similarities(
    features_bchw: Tensor,
    neighbors: Sequence[Tensor],
    epipolar: Epipolar,
    inverse_depth_b1hw: Tensor,
    offset_b111: Tensor,
) -> Tensor:
    """How like the neighbours' features are at inverse depths round the given one.

    Returns:
        (b, 2 · OFFSETS + 1, h, w): for each offset the mean over the views that see the
        point, then the mean of the better half of them, then the share of views that see it.
    """
    steps = torch.arange(OFFSETS, device=features_bchw.device) - OFFSETS // 2
    tried_bkhw = inverse_depth_b1hw + steps[:, None, None] * offset_b111
    found, inside = [], []
    # Products over channels are several times slower on channels that lie last.
    features_bchw = features_bchw.contiguous()
    for rank, features in enumerate(neighbors):
        grid_bknhw2, inside_bkhw = _project(epipolar, rank, tried_bkhw, features.shape[-2:])
        count, tries, height, width, _ = grid_bknhw2.shape
        sampled = F.grid_sample(
            features,
            grid_bknhw2.view(count, tries * height, width, 2),
            padding_mode="border",
            align_corners=True,
        ).view(count, -1, tries, height, width)
        found.append((sampled * features_bchw[:, :, None]).sum(1))
        inside.append(inside_bkhw)
    found_vbkhw, inside_vbkhw = torch.stack(found), torch.stack(inside).float()
    mean = (found_vbkhw * inside_vbkhw).sum(0) / inside_vbkhw.sum(0).clamp(min=1.0)
    half = (len(neighbors) + 1) // 2
    best = torch.where(inside_vbkhw > 0, found_vbkhw, -1.0).topk(half, 0).values
    seen = (best > -1.0).float()
    best_mean = (best * seen).sum(0) / seen.sum(0).clamp(min=1.0)
    share = inside_vbkhw[:, :, OFFSETS // 2].mean(0)[:, None]
    return torch.cat([mean, best_mean, share], 1)


def _project(
    epipolar: Epipolar, rank: int, tried_bkhw: Tensor, size_hw: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Sampling grid (b, k, h, w, 2) in −1…1 in one neighbour, and what falls inside it."""
    height, width = tried_bkhw.shape[-2:]
    device = tried_bkhw.device
    x_w = torch.arange(width, device=device, dtype=torch.float32)
    y_h1 = torch.arange(height, device=device, dtype=torch.float32)[:, None]
    a_b33 = epipolar.infinite_bv33[:, rank, :, :, None, None]
    e_b3 = epipolar.epipole_bv3[:, rank, :, None, None, None]
    rays = [
        (a_b33[:, i, 0] * x_w + a_b33[:, i, 1] * y_h1 + a_b33[:, i, 2])[:, None] for i in range(3)
    ]
    u, v, w = (ray + e_b3[:, i] * tried_bkhw for i, ray in enumerate(rays))
    front = w > 1e-6
    depth = w.clamp(min=1e-6)
    tall, wide = size_hw
    x, y = u / depth * (2.0 / (wide - 1)) - 1.0, v / depth * (2.0 / (tall - 1)) - 1.0
    inside = front & (x.abs() <= 1.0) & (y.abs() <= 1.0)
    inside = inside & epipolar.valid_bv[:, rank, None, None, None]
    return torch.stack([x, y], -1).clamp(-2.0, 2.0), inside
