"""Image pairs from the scenes of posed clips, with exact flow from depth and poses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.errors import NotEnoughDataError
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid_flow import rigid_flow
from mvrecon.synthetic.training.batch import FlowBatch
from mvrecon.synthetic.training.clips.paths import draw_path
from mvrecon.synthetic.training.clips.posed_clips import (
    FRAMES,
    SCENES,
    draw_camera,
    draw_lighting,
    taken,
)
from mvrecon.synthetic.training.clips.render import ClipRenderer
from mvrecon.synthetic.training.clips.scenes import draw_scene

LEAST_VISIBLE = 0.5
# What no ray meets moves like something this far away, in metres.
SKY_M = 1e5


def clip_pair(
    seed: int, textures: Sequence[Tensor], kind: str, size_hw: tuple[int, int]
) -> FlowBatch:
    """One pair of frames out of a hand-held clip; the same seed gives the same pair.

    Args:
        seed: of everything that is random.
        textures: what `texture_pyramid` gives.
        kind: of scene.
        size_hw: of the images.

    Raises:
        NotEnoughDataError: no pair of which at least half is seen twice was found.
    """
    rng = np.random.default_rng([seed, 1409])
    camera = draw_camera(size_hw, rng)
    for _ in range(SCENES):
        scene = draw_scene(rng, kind)
        renderer = ClipRenderer(scene, textures, draw_lighting(scene, rng))
        try:
            path_t44 = draw_path(scene, renderer.triangles, FRAMES, rng)
        except NotEnoughDataError:
            continue
        poses_244 = path_t44[rng.choice(FRAMES, 2, replace=False)]
        flow_hw2, visible_hw = _flow(renderer, camera, poses_244)
        if visible_hw.mean() < LEAST_VISIBLE:
            continue
        raw_2hw3 = np.stack([renderer.image(camera, pose_44) for pose_44 in poses_244])
        images_2hw3 = torch.from_numpy(taken(raw_2hw3, rng))
        images_23hw = images_2hw3.permute(0, 3, 1, 2) / 255.0
        return FlowBatch(
            images_23hw[:1],
            images_23hw[1:],
            torch.from_numpy(flow_hw2).permute(2, 0, 1)[None].contiguous(),
            torch.from_numpy(visible_hw)[None],
        )
    raise NotEnoughDataError(f"no pair from seed {seed}", "Take another seed")


def _flow(
    renderer: ClipRenderer, camera: Camera, poses_244: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Flow (h, w, 2) from the first to the second pose, and whether its target is seen there."""
    first_44, second_44 = poses_244
    depth_hw = renderer.triangles.depth(camera, first_44)
    far_hw = np.where(depth_hw > 0, depth_hw, SKY_M)
    flow = rigid_flow(far_hw, (camera, first_44), (camera, second_44))
    return flow.flow_hw2, flow.inside_hw & ~flow.hidden_hw(renderer.triangles, second_44)
