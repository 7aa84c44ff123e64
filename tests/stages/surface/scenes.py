"""Exact depth maps of a sphere before a wall, seen from a ring of cameras."""

from __future__ import annotations

import numpy as np

from mvrecon.artifacts.depth import DepthMap
from mvrecon.artifacts.poses import PosedFrame
from mvrecon.geometry.camera import Camera
from mvrecon.render import look_at
from stages.surface.reconstruct import SurfaceInputs

CAMERA = Camera(96, 72, 90.0, 90.0, 47.5, 35.5)
RADIUS = 1.0
WALL_Z = 2.0
DISTANCE = 4.0


def make_frames(count=8):
    frames = []
    for index in range(count):
        angle = 2 * np.pi * index / count
        eye = np.array([1.2 * np.cos(angle), 1.2 * np.sin(angle), -DISTANCE])
        pose = look_at(eye, np.array([0.0, 0.0, 0.5]), np.array([0.0, -1.0, 0.0]))
        frames.append(PosedFrame(f"{index:06d}", float(index), CAMERA, CAMERA, pose))
    return frames


def exact_depth(frame):
    """Depth (h, w) of the unit sphere at the origin and of the wall z = 2 behind it."""
    v, u = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width]
    rays = np.stack(
        [(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones(u.shape)], -1
    )
    rays = rays @ frame.world_from_cam[:3, :3].T
    eye = frame.world_from_cam[:3, 3]
    a, b, c = (rays**2).sum(-1), rays @ eye, eye @ eye - RADIUS**2
    root = np.sqrt(np.maximum(b * b - a * c, 0.0))
    sphere = np.where(b * b > a * c, (-b - root) / a, np.inf)
    wall = (WALL_Z - eye[2]) / rays[..., 2]
    return np.minimum(sphere, wall).astype(np.float32)


def depth_map(frame, depth_hw, confidence_hw=None):
    confidence_hw = np.ones_like(depth_hw) if confidence_hw is None else confidence_hw
    return DepthMap(depth_hw, confidence_hw, CAMERA.k_33, frame.world_from_cam)


def make_image(frame):
    """Red where the sphere is, green on the wall."""
    depth_hw = exact_depth(frame)
    on_sphere = depth_hw < 0.95 * (WALL_Z - frame.world_from_cam[2, 3]) - 0.4
    return np.where(on_sphere[..., None], [220, 30, 30], [30, 200, 30]).astype(np.uint8)


def make_inputs(frames, maps=None, workers=1):
    maps = maps or {frame.name: depth_map(frame, exact_depth(frame)) for frame in frames}
    by_name = {frame.name: frame for frame in frames}
    return SurfaceInputs(
        frames=frames,
        load_depth=lambda name: maps[name],
        load_fused=lambda name: maps[name],
        load_image=lambda name: make_image(by_name[name]),
        workers=workers,
    )


def distance_to_scene(points_n3):
    """Distance (n,) of points to the sphere or the wall, whichever is nearer."""
    to_sphere = np.abs(np.linalg.norm(points_n3, axis=1) - RADIUS)
    return np.minimum(to_sphere, np.abs(points_n3[:, 2] - WALL_Z))
