"""Posed clips cast with torch alone, on a CPU or with CUDA: no mesh, no file, no Open3D.

The scenes are those of the rigid flow pairs at rest, seen along a hand-held path.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.errors import NotEnoughDataError
from mvrecon.geometry.camera import Camera
from mvrecon.synthetic.training.batch import Draws
from mvrecon.synthetic.training.clips.files import PosedClip
from mvrecon.synthetic.training.clips.paths import hand_path
from mvrecon.synthetic.training.clips.posed_clips import (
    FRAMES,
    LEAST_POINTS,
    SCENES,
    SIZES_HW,
    draw_camera,
    posed_clip,
)
from mvrecon.synthetic.training.pairs.rigid import render
from mvrecon.synthetic.training.pairs.rigid_scenes import RigidScenes, RigidSettings, draw_scenes
from mvrecon.synthetic.training.pairs.solids import NEAREST

KIND = "solids"
PARALLAX_DEG = (2.0, 35.0)
# How near the camera may come to a solid, in half sizes of the solid.
LEAST_DISTANCE = 1.3
# Frames that show next to nothing but what is close by teach little.
NEAR, MOST_NEAR = 1.0, 0.3
# Pairs look along z with y down; paths have z up.
PAIRS_FROM_UPRIGHT = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])


def make_torch_clip(
    seed: int,
    textures_nhw3: Tensor,
    frames: int = FRAMES,
    size_hw: tuple[int, int] | None = None,
) -> PosedClip:
    """Render one clip; the same seed gives the same clip.

    Args:
        seed: of everything that is random.
        textures_nhw3: uint8, RGB, on the device that casts the rays.
        frames: how many.
        size_hw: of the images, random if None.

    Raises:
        NotEnoughDataError: no scene with enough to see was found.
    """
    rng = np.random.default_rng([seed, 3181])
    camera = draw_camera(size_hw or SIZES_HW[rng.integers(len(SIZES_HW))], rng)
    for attempt in range(SCENES):
        draws = Draws(seed, attempt, textures_nhw3.device)
        scenes = draw_still_scene(draws, len(textures_nhw3), camera)
        poses_t44 = _path(frames, rng)
        if not _is_free(scenes, poses_t44):
            continue
        raw_thw3, depth_thw = cast(scenes, poses_t44, textures_nhw3, camera)
        if (depth_thw < NEAR).mean() > MOST_NEAR:
            continue
        clip = posed_clip(
            raw_thw3, depth_thw, camera=camera, true_t44=poses_t44, kind=KIND, rng=rng
        )
        if len(clip.points_n3) >= LEAST_POINTS:
            return clip
    raise NotEnoughDataError(f"no clip from seed {seed}", "Take another seed")


def draw_still_scene(draws: Draws, textures: int, camera: Camera) -> RigidScenes:
    """One random scene in which nothing moves, seen by this camera."""
    size_hw = (camera.height, camera.width)
    scenes = draw_scenes(textures, draws, size_hw, 1, RigidSettings(moving_share=0.0))
    k_133 = torch.from_numpy(camera.k_33).to(scenes.k_b33)[None]
    return replace(scenes, k_b33=k_133)


def cast(
    scenes: RigidScenes, poses_t44: NDArray[np.float64], textures_nhw3: Tensor, camera: Camera
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """RGB (t, h, w, 3) and exact depth (t, h, w) of one scene along a path.

    Each pixel's colour is the mean of two rays, its depth that of its centre.
    """
    size_hw = (camera.height, camera.width)
    images, depths = [], []
    for pose_44 in poses_t44:
        here = _seen_from(scenes, pose_44)
        view = render(here, 0, textures_nhw3, size_hw)
        corner = render(_shifted(here, 0.5), 0, textures_nhw3, size_hw)
        colours_3hw = 0.5 * (view.image_b3hw[0] + corner.image_b3hw[0])
        images.append(colours_3hw.permute(1, 2, 0).cpu().numpy())
        depths.append(view.depth_bhw[0].cpu().numpy())
    return np.stack(images), np.stack(depths)


def _seen_from(scenes: RigidScenes, pose_44: NDArray[np.float64]) -> RigidScenes:
    pose = torch.from_numpy(pose_44).to(scenes.world_from_cam_b244)
    return replace(scenes, world_from_cam_b244=pose.expand(1, 2, 4, 4))


def _shifted(scenes: RigidScenes, pixels: float) -> RigidScenes:
    """The rays through points that many pixels further right and down."""
    k_b33 = scenes.k_b33.clone()
    k_b33[:, :2, 2] -= pixels
    return replace(scenes, k_b33=k_b33)


def _path(frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    target_3 = np.array([0.0, rng.uniform(3.0, 7.0), 0.0]) + rng.normal(0, 0.7, 3)
    poses_t44 = hand_path(PARALLAX_DEG, target_3, rng.normal(0, 0.15, 3), frames, rng)
    poses_t44[:, :3] = PAIRS_FROM_UPRIGHT @ poses_t44[:, :3]
    return poses_t44


def _is_free(scenes: RigidScenes, poses_t44: NDArray[np.float64]) -> bool:
    """Whether the camera stays inside the room and away from the other solids."""
    world_from_solid_p44 = scenes.world_from_solid_b2p44[0, 0].cpu().double()
    centres_t3 = torch.from_numpy(poses_t44[:, :3, 3])
    solid_from_world_p44 = torch.linalg.inv(world_from_solid_p44)
    points_pt3 = (
        centres_t3 @ solid_from_world_p44[:, :3, :3].transpose(1, 2)
        + solid_from_world_p44[:, None, :3, 3]
    )
    size_p3 = scenes.size_bp3[0].cpu().double()
    away_pt = (points_pt3 / size_p3[:, None]).abs().amax(2)
    clear_pt = ((points_pt3.abs() - size_p3[:, None]).amax(2) > NEAREST) | (
        away_pt > LEAST_DISTANCE
    )
    return bool((away_pt[0] < 0.95).all() and clear_pt[1:].all())
