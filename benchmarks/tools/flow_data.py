"""Pairs of posed sets whose true flow follows from depth and poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mvrecon.datasets.flow_pairs import FlowSample, Mask, Truth
from mvrecon.datasets.posed import PosedImage, PosedSet, load_posed_set
from mvrecon.geometry.rigid_flow import RigidFlow, rigid_flow

# Depths that differ by less are those of one surface.
SAME_DEPTH = 0.02


def posed_samples(
    root: Path, steps: Sequence[int], count: int, frames: range | None = None
) -> list[FlowSample]:
    """Pairs of a posed set with depth; the true flow follows from depth and poses.

    Args:
        root: of the posed set.
        steps: distances between the two frames, taken in turn.
        count: number of pairs, spread over the frames.
        frames: the pairs lie within them; all if None.
    """
    posed = load_posed_set(root)
    frames = frames or range(len(posed.images))
    starts = np.linspace(frames[0], frames[-1] - max(steps), count).astype(int)
    return [
        _posed_sample(posed, int(start), int(start) + steps[i % len(steps)])
        for i, start in enumerate(starts)
    ]


def _posed_sample(posed: PosedSet, first: int, second: int) -> FlowSample:
    a, b = posed.images[first], posed.images[second]
    return FlowSample(
        f"{posed.root.name}-{first}-{second}",
        posed.root / a.file,
        posed.root / b.file,
        partial(_read_truth, posed, a, b),
        tuple(posed.root / file for file in (a.depth_file, b.depth_file, "cameras.json")),
        partial(_read_regions, posed, a, b),
    )


def _read_truth(posed: PosedSet, first: PosedImage, second: PosedImage) -> Truth:
    flow = _flow(posed, first, second)
    return flow.flow_hw2, (posed.read_depth(first) > 0) & (flow.depth_hw > 0)


def _read_regions(posed: PosedSet, first: PosedImage, second: PosedImage) -> Mapping[str, Mask]:
    """A point is visible if the second image has a surface at its depth where it comes to lie."""
    flow = _flow(posed, first, second)
    height, width = flow.inside_hw.shape
    y_hw, x_hw = np.indices(flow.inside_hw.shape)
    column_hw = np.clip(np.round(x_hw + flow.flow_hw2[..., 0]).astype(int), 0, width - 1)
    row_hw = np.clip(np.round(y_hw + flow.flow_hw2[..., 1]).astype(int), 0, height - 1)
    there_hw = posed.read_depth(second)[row_hw, column_hw]
    same_hw = np.abs(there_hw - flow.depth_hw) < SAME_DEPTH * flow.depth_hw
    return {"visible": flow.inside_hw & same_hw, "occluded": ~(flow.inside_hw & same_hw)}


def _flow(posed: PosedSet, first: PosedImage, second: PosedImage) -> RigidFlow:
    views = [(image.camera, image.world_from_cam) for image in (first, second)]
    return rigid_flow(posed.read_depth(first), *views)
