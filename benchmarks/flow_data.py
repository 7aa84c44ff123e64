"""Pairs of posed sets whose true flow follows from depth and poses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mvrecon.datasets.flow_pairs import FlowSample, Truth
from mvrecon.datasets.posed import PosedSet, load_posed_set

NEAR_M = 1e-3


def posed_samples(root: Path, steps: tuple[int, ...], count: int) -> list[FlowSample]:
    """Pairs of a posed set with depth; the true flow follows from depth and poses.

    Args:
        root: of the posed set.
        steps: distances between the two frames, taken in turn.
        count: number of pairs, spread over the set.
    """
    posed = load_posed_set(root)
    starts = np.linspace(0, len(posed.images) - 1 - max(steps), count).astype(int)
    return [
        _posed_sample(posed, int(start), int(start) + steps[i % len(steps)])
        for i, start in enumerate(starts)
    ]


def _posed_sample(posed: PosedSet, first: int, second: int) -> FlowSample:
    a, b = posed.images[first], posed.images[second]

    def read_truth() -> Truth:
        depth_hw = posed.read_depth(a)
        y_hw, x_hw = np.indices(depth_hw.shape)
        rays_n3 = np.stack([x_hw, y_hw, np.ones_like(x_hw)], -1).reshape(-1, 3)
        points_n3 = (rays_n3 @ np.linalg.inv(a.camera.k_33).T) * depth_hw.reshape(-1, 1)
        second_from_first = np.linalg.inv(b.world_from_cam) @ a.world_from_cam
        moved_n3 = points_n3 @ second_from_first[:3, :3].T + second_from_first[:3, 3]
        pixels_n3 = moved_n3 @ b.camera.k_33.T
        valid_n = (depth_hw.ravel() > 0) & (pixels_n3[:, 2] > NEAR_M)
        target_n2 = pixels_n3[:, :2] / np.where(valid_n, pixels_n3[:, 2], 1)[:, None]
        flow_n2 = (target_n2 - rays_n3[:, :2]).astype(np.float32)
        return flow_n2.reshape(*depth_hw.shape, 2), valid_n.reshape(depth_hw.shape)

    name = f"{posed.root.name}-{first}-{second}"
    files = (posed.root / a.depth_file, posed.root / "cameras.json")
    return FlowSample(name, posed.root / a.file, posed.root / b.file, read_truth, files)
