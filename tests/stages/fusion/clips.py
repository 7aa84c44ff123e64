"""Small posed clips with spoilt depth, on disk."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mvrecon.artifacts.depth import DepthMap
from mvrecon.synthetic.training.clips.files import (
    ClipDepths,
    PosedClip,
    clip_path,
    depths_path,
    save_clip,
    save_clip_depths,
)
from stages.fusion.inputs import ImagedDepth
from stages.fusion.recurrent.cues import find_cues
from stages.fusion.recurrent.step import prepare
from tests.stages.depth.scenes import CAMERA, Plane, points_of, pose_at, render

FRAMES = 5


def planes_of(seed: int) -> list[Plane]:
    """A wall and something in front of it."""
    rng = np.random.default_rng(seed)
    wall = Plane((0, 0, rng.uniform(5, 7)), (1, 0, rng.uniform(-0.4, 0.4)), (0, 1, 0), 12.0, seed=2)
    place = (rng.uniform(-0.6, 0.6), rng.uniform(-0.4, 0.4), rng.uniform(2.5, 3.5))
    return [wall, Plane(place, (1, 0, 0), (0, 1, 0), rng.uniform(0.4, 0.8), seed=3)]


def poses_of(frames: int = FRAMES) -> list[np.ndarray]:
    return [
        pose_at(0.15 * (row - FRAMES // 2), 0.02 * row, 0.0, -0.02 * row) for row in range(frames)
    ]


def spoilt(depth_hw: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Depth with fattened edges, noise and wrong spots."""
    fat_hw = cv2.erode(depth_hw, np.ones((7, 7), np.uint8))
    noise_hw = cv2.GaussianBlur(rng.standard_normal(depth_hw.shape), (0, 0), 2)
    spots_hw = cv2.GaussianBlur(rng.standard_normal(depth_hw.shape), (0, 0), 4) > 0.2
    factor_hw = (1 + 0.1 * noise_hw) * np.where(spots_hw, rng.uniform(0.7, 1.4), 1.0)
    return (fat_hw * factor_hw).astype(np.float32)


def make_clip(seed: int, frames: int = FRAMES) -> tuple[PosedClip, ClipDepths]:
    rng = np.random.default_rng(seed)
    planes, poses = planes_of(seed), poses_of(frames)
    views = [render(planes, CAMERA, pose) for pose in poses]
    images = np.stack([np.repeat(gray[..., None], 3, 2) for gray, _ in views]).astype(np.uint8)
    depth = np.stack([depth for _, depth in views])
    points = points_of(planes, poses)
    seen = np.zeros((len(points.xyz_n3), frames), bool)
    seen[points.observation_point_m, points.observation_frame_m] = True
    clip = PosedClip(
        images, depth, CAMERA.k_33, np.stack(poses), np.stack(poses), points.xyz_n3, seen, "planes"
    )
    estimate = np.stack([spoilt(depth_hw, rng) for depth_hw in depth])
    return clip, ClipDepths(estimate, np.full_like(estimate, 0.6), {})


def write_clips(folder: Path, count: int) -> None:
    for index in range(count):
        clip, depths = make_clip(index)
        save_clip(clip_path(folder, index), clip)
        save_clip_depths(depths_path(clip_path(folder, index), "stage-sweep"), depths)


def scaled_views(factor: float, seed: int = 3):
    """The views of a clip in another unit, as the network sees them."""
    clip, depths = make_clip(seed)
    imaged = []
    for row, frame in enumerate(clip.posed_frames()):
        pose = frame.world_from_cam.copy()
        pose[:3, 3] *= factor
        depth_hw = depths.depth_thw[row] * np.float32(factor)
        depth = DepthMap(depth_hw, depths.confidence_thw[row], clip.k_33, pose)
        imaged.append(ImagedDepth(clip.images_thw3[row], depth))
    views = []
    for row, view in enumerate(imaged):
        others = imaged[:row] + imaged[row + 1 :]
        cues = find_cues(view, [other.depth for other in others], others[:2], 0.03)
        views.append(prepare(view, cues))
    return views
