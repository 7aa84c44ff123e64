"""Textured planes seen by a few cameras, with exact depth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from mvrecon.artifacts.poses import PosedFrame, SparsePoints
from mvrecon.geometry.camera import Camera
from stages.depth.views import View

CAMERA = Camera(width=160, height=120, fx=150.0, fy=150.0, cx=79.5, cy=59.5)
TEXELS_PER_UNIT = 100.0
SUPERSAMPLING = 3


@dataclass(frozen=True)
class Plane:
    """A rectangle `origin + a·u + b·v`, |a|, |b| ≤ half_size, with a texture of its own."""

    origin: tuple[float, float, float]
    u: tuple[float, float, float]
    v: tuple[float, float, float]
    half_size: float
    seed: int
    contrast: float = 60.0


SLANTED = Plane((0, 0, 4), (1, 0, 0.5), (0, 1, -0.3), 8.0, seed=1)
BEHIND = Plane((0, 0, 6), (1, 0, 0.1), (0, 1, 0.0), 9.0, seed=2)
FRONT = Plane((0.2, 0.1, 3), (1, 0, 0), (0, 1, 0), 0.6, seed=3)
BLANK = Plane((0.2, 0.1, 3), (1, 0, 0), (0, 1, 0), 0.6, seed=3, contrast=0.0)


@lru_cache
def texture_of(plane: Plane) -> np.ndarray:
    rng = np.random.default_rng(plane.seed)
    size = int(2 * plane.half_size * TEXELS_PER_UNIT)
    total = np.zeros((size, size), np.float32)
    for sigma in (3, 8, 20):
        noise = rng.standard_normal((size // sigma + 2, size // sigma + 2)).astype(np.float32)
        total += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + plane.contrast * total / 2, 0, 255).astype(np.float32)


def render(
    planes: list[Plane], camera: Camera, world_from_cam: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Grey image (antialiased) and exact depth."""
    fine = camera.scaled(camera.width * SUPERSAMPLING, camera.height * SUPERSAMPLING)
    gray_hw, _ = _cast(planes, fine, world_from_cam)
    size_wh = (camera.width, camera.height)
    gray_hw = cv2.resize(gray_hw, size_wh, interpolation=cv2.INTER_AREA)
    return gray_hw, _cast(planes, camera, world_from_cam)[1]


def _cast(planes, camera, world_from_cam):
    x_hw, y_hw = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays_hw3 = np.stack([x_hw, y_hw, np.ones_like(x_hw)], -1) @ np.linalg.inv(camera.k_33).T
    rays_hw3 = rays_hw3 @ world_from_cam[:3, :3].T
    center = world_from_cam[:3, 3]
    depth_hw = np.full(x_hw.shape, np.inf)
    gray_hw = np.zeros(x_hw.shape, np.float32)
    for plane in planes:
        origin, u, v = (np.array(vector, float) for vector in (plane.origin, plane.u, plane.v))
        normal = np.cross(u, v)
        distance_hw = ((origin - center) @ normal) / (rays_hw3 @ normal)
        offsets_hw3 = center + distance_hw[..., None] * rays_hw3 - origin
        inverse_23 = np.linalg.pinv(np.stack([u, v], 1))
        a_hw, b_hw = offsets_hw3 @ inverse_23[0], offsets_hw3 @ inverse_23[1]
        hit_hw = (np.maximum(abs(a_hw), abs(b_hw)) <= plane.half_size) & (distance_hw > 0)
        nearer_hw = hit_hw & (distance_hw < depth_hw)
        to_texel = [
            ((values_hw + plane.half_size) * TEXELS_PER_UNIT).astype(np.float32)
            for values_hw in (a_hw, b_hw)
        ]
        shade_hw = cv2.remap(texture_of(plane), *to_texel, cv2.INTER_LINEAR)
        gray_hw[nearer_hw] = shade_hw[nearer_hw]
        depth_hw[nearer_hw] = distance_hw[nearer_hw]
    return gray_hw, np.where(np.isfinite(depth_hw), depth_hw, 0).astype(np.float32)


def pose_at(x: float, y: float = 0.0, z: float = 0.0, turn_rad: float = 0.0) -> np.ndarray:
    world_from_cam = np.eye(4)
    world_from_cam[:3, :3] = cv2.Rodrigues(np.array([0.0, turn_rad, 0.0]))[0]
    world_from_cam[:3, 3] = (x, y, z)
    return world_from_cam


# The first is the view whose depth is wanted.
POSES = [
    pose_at(0.0),
    pose_at(-0.5, 0.05, 0.0, 0.10),
    pose_at(0.5, -0.05, 0.0, -0.10),
    pose_at(0.3, 0.3, 0.05, -0.05),
    pose_at(-0.3, -0.3, -0.05, 0.05),
]


def views_of(planes: list[Plane], poses=POSES, camera: Camera = CAMERA) -> list[View]:
    return [View(render(planes, camera, pose)[0], camera, np.linalg.inv(pose)) for pose in poses]


def frames_of(poses=POSES, camera: Camera = CAMERA) -> list[PosedFrame]:
    return [
        PosedFrame(f"{row:06d}", float(row), camera, camera, pose) for row, pose in enumerate(poses)
    ]


def points_of(planes: list[Plane], poses=POSES, camera: Camera = CAMERA, stride: int = 12):
    """Sparse points on the first view's surfaces, with every view that they project into."""
    depth_hw = render(planes, camera, poses[0])[1]
    y_n, x_n = np.mgrid[6 : camera.height : stride, 6 : camera.width : stride].reshape(2, -1)
    depth_n = depth_hw[y_n, x_n].astype(np.float64)
    rays_n3 = np.column_stack([x_n, y_n, np.ones(len(x_n))]) @ np.linalg.inv(camera.k_33).T
    xyz_n3 = rays_n3 * depth_n[:, None] @ poses[0][:3, :3].T + poses[0][:3, 3]
    points, rows, pixels = [], [], []
    for row, pose in enumerate(poses):
        cam_n3 = (xyz_n3 - pose[:3, 3]) @ pose[:3, :3]
        xy_n2 = camera.project(cam_n3)
        inside = np.all((xy_n2 >= 0) & (xy_n2 < [camera.width, camera.height]), axis=1)
        seen = np.flatnonzero(inside & (cam_n3[:, 2] > 0))
        points.append(seen)
        rows.append(np.full(len(seen), row))
        pixels.append(xy_n2[seen])
    return SparsePoints(
        xyz_n3,
        np.zeros((len(xyz_n3), 3), np.uint8),
        np.full(len(xyz_n3), 0.3, np.float32),
        np.concatenate(points).astype(np.int32),
        np.concatenate(rows).astype(np.int32),
        np.concatenate(pixels).astype(np.float32),
    )
