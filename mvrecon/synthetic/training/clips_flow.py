"""Image pairs from the scenes of posed clips, with exact flow from depth and poses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.errors import NotEnoughDataError
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import TriangleScene, pixel_rays
from mvrecon.synthetic.training.batch import FlowBatch
from mvrecon.synthetic.training.clips import FRAMES, SCENES, draw_camera, draw_lighting, taken
from mvrecon.synthetic.training.clips_paths import draw_path
from mvrecon.synthetic.training.clips_render import ClipRenderer
from mvrecon.synthetic.training.clips_scenes import draw_scene

LEAST_VISIBLE = 0.5
# What no ray meets moves like something this far away, in metres.
SKY_M = 1e5
# A point is hidden by what lies before this share of its distance.
REACH = 0.998
NEAREST_M = 1e-3


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
        flow_hw2, visible_hw = rigid_flow(renderer.triangles, camera, poses_244)
        if visible_hw.mean() < LEAST_VISIBLE:
            continue
        raw_2hw3 = np.stack([renderer.image(camera, pose_44) for pose_44 in poses_244])
        images_2hw3 = torch.from_numpy(taken(raw_2hw3, rng))
        images_23hw = images_2hw3.permute(0, 3, 1, 2) / 255.0
        return FlowBatch(
            images_23hw[:1],
            images_23hw[1:],
            torch.from_numpy(flow_hw2).permute(2, 0, 1)[None].float().contiguous(),
            torch.from_numpy(visible_hw)[None],
        )
    raise NotEnoughDataError(f"no pair from seed {seed}", "Take another seed")


def rigid_flow(
    triangles: TriangleScene, camera: Camera, world_from_cam_244: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Flow (h, w, 2) from the first to the second pose, and whether its target is seen there."""
    first_44, second_44 = world_from_cam_244
    origins_n3, directions_n3 = pixel_rays(camera, first_44)
    hits = triangles.cast(origins_n3, directions_n3)
    depth_n1 = np.where(hits.met_n, hits.distance_n, SKY_M)[:, None].astype(np.float64)
    world_n3 = origins_n3 + depth_n1 * directions_n3
    cam_n3 = (world_n3 - second_44[:3, 3]) @ second_44[:3, :3]
    # Behind the second camera there is no target: its direction stands in for one.
    cam_n3[:, 2] = np.maximum(cam_n3[:, 2], NEAREST_M)
    target_n2 = camera.project(cam_n3)
    y_hw, x_hw = np.mgrid[: camera.height, : camera.width]
    start_n2 = np.stack([x_hw.ravel(), y_hw.ravel()], 1)
    size_2 = np.array([camera.width, camera.height])
    inside_n = ((target_n2 >= -0.5) & (target_n2 <= size_2 - 0.5)).all(1)
    inside_n &= cam_n3[:, 2] > NEAREST_M
    sight_n3 = world_n3 - second_44[:3, 3]
    from_n3 = np.broadcast_to(second_44[:3, 3], sight_n3.shape)
    blocked_n = triangles.blocked(from_n3.astype(np.float32), sight_n3.astype(np.float32), REACH)
    shape_hw = camera.height, camera.width
    flow_hw2 = (target_n2 - start_n2).reshape(*shape_hw, 2)
    return flow_hw2, (inside_n & ~blocked_n).reshape(shape_hw)
