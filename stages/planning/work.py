"""How much work a run has: what its time, memory and disk grow with, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from mvrecon.engine.config import StageConfig
from mvrecon.geometry.resize import fit_size
from stages.depth.config import DepthConfig
from stages.flow.config import FlowConfig
from stages.frames.config import FramesConfig
from stages.frames.expected import Expected, Size
from stages.pose.config import PoseConfig

MEGA = 1e6
# Pairs of images that flow is estimated for, as a part of those that are wanted of photos: best
# partners are often each other's.
PARTNERS_SHARED = 0.7

Work = Mapping[str, Mapping[str, float]]
"""Stage → what its cost grows with → how much of it there is."""


def work_of(expected: Expected, configs: Mapping[str, StageConfig]) -> Work:
    """The work of each stage.

    Megapixels are those of all images together; `start` is what a stage costs in any case.

    Args:
        expected: of the input.
        configs: options of each stage.
    """
    frames = cast(FramesConfig, configs["frames"])
    flow = cast(FlowConfig, configs["flow"])
    depth = cast(DepthConfig, configs["depth"])
    count = expected.key_frames
    stored = fit_size(expected.size, frames.max_size)
    image = _megapixels(stored) * count
    maps = _megapixels(fit_size(stored, depth.max_size)) * count
    pairs = _flow_pairs(expected, flow)
    photo_pairs = _photo_pairs(expected, cast(PoseConfig, configs["pose"]))
    views = min(depth.neighbors, max(count - 1, 1))
    return {
        "frames": {
            "look_s": expected.look_s * expected.frames,
            "images": count,
            "image_mpx": image,
        },
        "flow": {
            "start": 1,
            "pair_mpx": pairs * _megapixels(fit_size(stored, flow.max_size)),
            "photos": count if expected.kind == "photos" else 0,
        },
        "pose": {"start": 1, "images": count, "image_mpx": image, "photo_pairs": photo_pairs},
        "depth": {"start": 1, "map_mpx": maps, "view_mpx": maps * views},
        "fusion": {"start": 1, "map_mpx": maps},
        "surface": {"start": 1, "map_mpx": maps},
        "texture": {"start": 1, "image_mpx": image, "images": count},
    }


def _flow_pairs(expected: Expected, flow: FlowConfig) -> float:
    count = expected.key_frames
    if expected.kind == "sequence":
        return sum(max(count - offset, 0) for offset in flow.pairs.offsets)
    wanted = count * min(flow.pairs.partners, count - 1)
    return min(PARTNERS_SHARED * wanted, count * (count - 1) / 2)


def _photo_pairs(expected: Expected, pose: PoseConfig) -> float:
    """Pairs that SIFT matches; none in a sequence, which flow tracks."""
    count = expected.key_frames
    if expected.kind == "sequence":
        return 0.0
    if count <= pose.photos.exhaustive:
        return count * (count - 1) / 2
    return count * min(pose.photos.partners, count - 1)


def _megapixels(size: Size) -> float:
    return size[0] * size[1] / MEGA
