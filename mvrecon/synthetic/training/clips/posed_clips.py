"""Posed clips for training depth and fusion: random scenes, hand-held paths, exact depth.

And pairs of their frames for flow, which is exact from depth and poses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.errors import NotEnoughDataError
from mvrecon.formats.images import decode_rgb, encode_jpeg
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid_flow import rigid_flow
from mvrecon.synthetic.training.batch import FlowBatch
from mvrecon.synthetic.training.clips.files import PosedClip, clip_path, save_clip
from mvrecon.synthetic.training.clips.paths import draw_path, estimated_poses, sparse_points
from mvrecon.synthetic.training.clips.render import ClipRenderer, Lighting
from mvrecon.synthetic.training.clips.scenes import ClipScene, draw_scene
from mvrecon.synthetic.training.clips.solids import Triangles

FRAMES = 8
# Multiples of 32, of about 240 × 320 pixels.
SIZES_HW = ((256, 320), (256, 352), (256, 320), (224, 384), (320, 256), (384, 224))
SCENES = 20
LEAST_POINTS = 30
LEAST_VISIBLE = 0.5
# What no ray meets moves like something this far away, in metres.
SKY_M = 1e5


def make_clip(
    seed: int,
    textures: Sequence[Tensor],
    meshes: Sequence[Triangles] = (),
    kind: str | None = None,
    size_hw: tuple[int, int] | None = None,
) -> PosedClip:
    """Render one clip of 8 frames; the same seed gives the same clip.

    Args:
        seed: of everything that is random.
        textures: what `texture_pyramid` gives.
        meshes: things to place in the scenes, 1 m large.
        kind: of scene, random if None.
        size_hw: of the images, random if None.
    """
    rng = np.random.default_rng([seed, 977])
    camera = draw_camera(size_hw or SIZES_HW[rng.integers(len(SIZES_HW))], rng)
    for _ in range(SCENES):
        scene = draw_scene(rng, kind, meshes)
        renderer = ClipRenderer(scene, textures, draw_lighting(scene, rng))
        try:
            poses_t44 = draw_path(scene, renderer.triangles, FRAMES, rng)
        except NotEnoughDataError:
            continue
        depth_thw = np.stack([renderer.triangles.depth(camera, pose) for pose in poses_t44])
        if (depth_thw > 0).mean() < 0.4:
            continue
        raw_thw3 = np.stack([renderer.image(camera, pose) for pose in poses_t44])
        clip = posed_clip(
            raw_thw3, depth_thw, camera=camera, true_t44=poses_t44, kind=scene.kind, rng=rng
        )
        if len(clip.points_n3) >= LEAST_POINTS:
            return clip
    raise NotEnoughDataError(f"no clip from seed {seed}", "Take another seed")


def posed_clip(
    raw_thw3: NDArray[np.float32],
    depth_thw: NDArray[np.float32],
    *,
    camera: Camera,
    true_t44: NDArray[np.float64],
    kind: str,
    rng: np.random.Generator,
) -> PosedClip:
    """What a camera and a pose stage make of rendered frames.

    Args:
        raw_thw3: RGB in about 0…1, without noise.
        depth_thw: exact, 0 = nothing there.
        camera: of all frames.
        true_t44: world_from_cam.
        kind: of the scene.
        rng: random numbers.
    """
    images_thw3 = taken(raw_thw3, rng)
    typical = float(np.median(depth_thw[depth_thw > 0]))
    estimated_t44 = estimated_poses(true_t44, camera.fx, typical, rng)
    points_n3, seen_nt = sparse_points(
        images_thw3,
        depth_thw,
        camera=camera,
        true_t44=true_t44,
        estimated_t44=estimated_t44,
        rng=rng,
    )
    return PosedClip(
        images_thw3, depth_thw, camera.k_33, true_t44, estimated_t44, points_n3, seen_nt, kind
    )


def draw_camera(size_hw: tuple[int, int], rng: np.random.Generator) -> Camera:
    """A pinhole camera of a random field of view, about 42 to 75° along its longer side."""
    height, width = size_hw
    focal = max(height, width) * float(np.exp(rng.uniform(np.log(0.65), np.log(1.3))))
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def draw_lighting(scene: ClipScene, rng: np.random.Generator) -> Lighting:
    """Light of random colours from the scene's lamp."""
    return Lighting(
        scene.lamp_m,
        float(rng.uniform(0.25, 0.75)),
        bool(rng.random() < 0.7),
        rng.uniform(0.5, 1.0, 3).astype(np.float32),
        (1 + rng.normal(0, 0.08, 3)).clip(0.7, 1.3).astype(np.float32),
    )


def taken(raw_thw3: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """What a hand-held camera stores: exposure that drifts, blur, noise, compression."""
    bright = float(np.percentile(raw_thw3, 97))
    gain = rng.uniform(0.7, 1.2) / max(bright, 1e-3)
    gamma = np.exp(rng.normal(0, 0.2))
    drift = rng.choice([0.0, 0.03, 0.12])
    sigma_px = rng.uniform(0.3, 1.3) if rng.random() < 0.4 else 0.0
    shake_px = rng.uniform(1.0, 4.0) if rng.random() < 0.25 else 0.0
    noise = np.exp(rng.uniform(np.log(0.002), np.log(0.03)))
    quality = int(rng.integers(35, 97)) if rng.random() < 0.7 else 0
    grey = rng.random() < 0.08
    frames = []
    for raw_hw3 in raw_thw3:
        exposure = np.exp(drift * rng.normal())
        image_hw3 = np.clip(raw_hw3 * (gain * exposure), 0, 1) ** gamma
        if sigma_px:
            image_hw3 = cv2.GaussianBlur(image_hw3, (0, 0), sigma_px * rng.uniform(0.7, 1.3))
        if shake_px:
            image_hw3 = cv2.filter2D(image_hw3, -1, _streak(shake_px * rng.random(), rng))
        level_hw1 = np.sqrt(0.3 + image_hw3.mean(2, keepdims=True))
        image_hw3 = image_hw3 + noise * level_hw1 * rng.standard_normal(image_hw3.shape)
        if grey:
            image_hw3 = np.repeat(image_hw3.mean(2, keepdims=True), 3, 2)
        pixels_hw3 = np.round(255 * np.clip(image_hw3, 0, 1)).astype(np.uint8)
        if quality:
            pixels_hw3 = _compressed(pixels_hw3, quality)
        frames.append(pixels_hw3)
    return np.stack(frames)


def _compressed(rgb_hw3: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    # Red is given for blue, as when the shipped weights were trained: equal seeds, equal clips.
    bgr_hw3 = decode_rgb(encode_jpeg(rgb_hw3[..., ::-1], quality, full_colour=False))
    return np.ascontiguousarray(bgr_hw3[..., ::-1])


def _streak(length_px: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Kernel of a straight motion blur."""
    angle = rng.uniform(0, np.pi)
    kernel = np.zeros((9, 9), np.float32)
    for step in np.linspace(-0.5, 0.5, 17):
        x, y = 4 + step * length_px * np.array([np.cos(angle), np.sin(angle)])
        kernel[round(y), round(x)] += 1
    return np.asarray(kernel / kernel.sum(), np.float32)


def render_clips(
    folder: Path, indices: Sequence[int], make: Callable[[int], PosedClip]
) -> Iterator[Path]:
    """Render those clips of a folder that are not there yet, yielding each that is."""
    for index in indices:
        path = clip_path(folder, index)
        if not path.is_file():
            save_clip(path, make(index))
        yield path


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
