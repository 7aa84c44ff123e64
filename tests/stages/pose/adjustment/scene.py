"""Points seen by cameras of known truth: rows read in turn, focal lengths that change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mvrecon.artifacts.image_motion import ImageMotion
from mvrecon.formats.colmap.model import ColmapImage, ColmapModel
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import rigid
from stages.pose.adjustment.cameras import rotations

WIDTH, HEIGHT, FOCAL_PX = 640, 480, 500.0
FRAME_S = 1 / 30
# Key frames lie so many frames of the video apart.
STEP = 6
GRID = (120, 160)


@dataclass(frozen=True)
class Shot:
    """A model as a mapper would leave it, and the truth."""

    model: ColmapModel
    times_s: np.ndarray
    motions: dict[str, ImageMotion]
    cam_from_world_n44: np.ndarray


def pose_at(times_s: np.ndarray) -> np.ndarray:
    """Cam_from_world (n, 4, 4) of a hand that moves sideways and shakes."""
    turn = 0.12 * np.stack([np.sin(3 * times_s), np.cos(2.2 * times_s), 0.5 * np.sin(times_s)], 1)
    shift = np.stack([0.5 * times_s, 0.1 * np.sin(4 * times_s), 0.08 * np.cos(3 * times_s)], 1)
    return np.stack([rigid(r, t) for r, t in zip(rotations(turn), shift, strict=True)])


def project(xyz: np.ndarray, poses: np.ndarray, focal_px: np.ndarray) -> np.ndarray:
    cam = np.einsum("nij,nj->ni", poses[:, :3, :3], xyz) + poses[:, :3, 3]
    centre = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    return focal_px[:, None] * cam[:, :2] / cam[:, 2:] + centre


def seen_at(xyz: np.ndarray, time_s: float, readout_s: float, focal_px: float) -> np.ndarray:
    """Pixels of points in a frame whose rows are read in turn: each at its own row's time."""
    focal = np.full(len(xyz), focal_px)
    row = np.full(len(xyz), (HEIGHT - 1) / 2)
    for _ in range(6):
        times_s = time_s + readout_s * (row - (HEIGHT - 1) / 2) / HEIGHT
        xy = project(xyz, pose_at(times_s), focal)
        row = xy[:, 1]
    return xy


def motion_of(xyz: np.ndarray, time_s: float, readout_s: float, focal_px: float) -> ImageMotion:
    """The motion of a surface through the points, on the grid: a plane is what they lie near."""
    here, before, after = (
        seen_at(xyz, time_s + shift, readout_s, focal_px) for shift in (0.0, -FRAME_S, FRAME_S)
    )
    y, x = np.mgrid[: GRID[0], : GRID[1]]
    at = np.stack([(x + 0.5) * WIDTH / GRID[1] - 0.5, (y + 0.5) * HEIGHT / GRID[0] - 0.5], -1)
    powers = lambda p: np.stack(  # noqa: E731
        [p[..., 0] ** i * p[..., 1] ** j for i in range(4) for j in range(4 - i)], -1
    )
    grids = []
    for moved in (before, after):
        fit = np.linalg.lstsq(powers(here / WIDTH), (moved - here) / WIDTH, rcond=None)[0]
        grids.append((powers(at / WIDTH) @ fit).astype(np.float32))
    return ImageMotion(grids[0], grids[1], -FRAME_S, FRAME_S)


def shoot(
    readout_s: float = 0.0, zoom: float = 1.0, noise_px: float = 0.05, frames: int = 12
) -> Shot:
    """Film a wavy wall, and disturb poses and points as a mapper's ordinary camera would."""
    rng = np.random.default_rng(5)
    x, y = rng.uniform(-2.2, 1.4, 400), rng.uniform(-1.2, 1.2, 400)
    xyz = np.stack([x, y, 3.0 + 0.15 * np.sin(2 * x) + 0.1 * y], 1)
    times_s = np.arange(frames) * STEP * FRAME_S
    focal_px = FOCAL_PX * zoom ** (np.arange(frames) / (frames - 1))
    truth = pose_at(times_s)
    disturb = rotations(rng.normal(0, 0.003, (frames, 3)))
    images, seen_by = [], np.zeros(len(xyz), int)
    for row in range(frames):
        xy = seen_at(xyz, times_s[row], readout_s, focal_px[row])
        inside = np.flatnonzero(np.all((xy > 0) & (xy < [WIDTH - 1, HEIGHT - 1]), axis=1))
        seen_by[inside] += 1
        pose = truth[row].copy()
        pose[:3, :3] = disturb[row] @ pose[:3, :3]
        pose[:3, 3] += rng.normal(0, 0.01, 3)
        xy = xy[inside] + rng.normal(0, noise_px, (len(inside), 2))
        images.append(ColmapImage(row + 1, 1, f"{row * STEP:06d}.jpg", pose, xy, inside))
    camera = Camera(WIDTH, HEIGHT, 520.0, 520.0, (WIDTH - 1) / 2, (HEIGHT - 1) / 2, (0.0,) * 4)
    model = ColmapModel(
        {1: camera},
        tuple(images),
        xyz + rng.normal(0, 0.02, xyz.shape),
        np.zeros((len(xyz), 3), np.uint8),
        np.zeros(len(xyz)),
    )
    motions = {
        f"{row * STEP:06d}": motion_of(xyz, times_s[row], readout_s, focal_px[row])
        for row in range(frames)
    }
    return Shot(model, times_s, motions, truth)
