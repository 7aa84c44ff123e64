"""Camera paths of posed clips, and the errors of poses and points that a pose stage leaves."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import NotEnoughDataError
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import TriangleScene
from mvrecon.synthetic.paths import look_at, shake
from mvrecon.synthetic.training.clips.scenes import ClipScene

FloatArray = NDArray[np.float64]

TRIES = 300
FORWARD_SHARE = 0.15
FRAME_SECONDS = 0.25
NEAREST_M = 0.12


def draw_path(
    scene: ClipScene, triangles: TriangleScene, frames: int, rng: np.random.Generator
) -> FloatArray:
    """world_from_cam (t, 4, 4) of a hand that moves past something in the scene.

    Raises:
        NotEnoughDataError: no free path was found.
    """
    for _ in range(TRIES):
        target_3 = scene.targets_n3[rng.integers(len(scene.targets_n3))]
        start_3 = scene.place(target_3, rng)
        away = float(np.linalg.norm(target_3 - start_3))
        sight_3 = (target_3 - start_3) / max(away, 1e-6)
        # Neither too near nor straight down.
        if away < 0.35 or abs(sight_3[2]) > 0.95:
            continue
        poses_t44 = hand_path(scene.parallax_deg, target_3, start_3, frames, rng)
        if _is_free(triangles, poses_t44, away):
            return poses_t44
    raise NotEnoughDataError("no free camera path in a random scene", "Draw another scene")


def hand_path(
    parallax_deg: tuple[float, float],
    target_3: FloatArray,
    start_3: FloatArray,
    frames: int,
    rng: np.random.Generator,
) -> FloatArray:
    """world_from_cam (t, 4, 4) of a hand that moves through about `start_3`.

    Args:
        parallax_deg: angle between the first and the last frame seen from the target, from the
            least to the largest.
        target_3: about what the camera looks at; z is up.
        start_3: the middle of the path.
        frames: how many.
        rng: random numbers.
    """
    low, high = np.log(parallax_deg)
    parallax_rad = np.deg2rad(np.exp(rng.uniform(low, high)))
    away = float(np.linalg.norm(target_3 - start_3))
    sight_3 = (target_3 - start_3) / away
    length = 2 * away * np.tan(parallax_rad / 2)
    side_3 = rng.normal(0, 1, 3) * [1, 1, 0.5]
    side_3 -= (side_3 @ sight_3) * sight_3
    side_3 /= np.linalg.norm(side_3)
    forward = rng.uniform(0.7, 1.5) if rng.random() < FORWARD_SHARE else rng.normal(0, 0.25)
    along_3 = length * (side_3 * (0.15 if forward > 0.6 else 1.0) + forward * sight_3)
    times_s = FRAME_SECONDS * np.arange(frames, dtype=np.float64)
    progress_t = np.linspace(-0.5, 0.5, frames) + shake(times_s, 0.02, rng)
    bow_3 = rng.normal(0, 0.15, 3) * length
    swing_t3 = np.stack([shake(times_s, 0.06 * length / frames**0.5, rng) for _ in range(3)], 1)
    positions_t3 = start_3 + progress_t[:, None] * along_3
    positions_t3 += (progress_t[:, None] ** 2) * bow_3 + swing_t3
    drift_3 = rng.normal(0, 0.12, 3) * away
    aims_t3 = target_3 + rng.normal(0, 0.12, 3) * away + progress_t[:, None] * drift_3
    aims_t3 += np.stack([shake(times_s, 0.02 * away, rng) for _ in range(3)], 1)
    roll_t = np.deg2rad(rng.normal(0, 4) + shake(times_s, 1.5, rng))
    return np.stack(
        [
            look_at(position, aim, float(roll))
            for position, aim, roll in zip(positions_t3, aims_t3, roll_t, strict=True)
        ]
    )


def _is_free(triangles: TriangleScene, poses_t44: FloatArray, away: float) -> bool:
    """Whether the camera touches nothing on its way and sees past what is near."""
    positions_t3 = poses_t44[:, :3, 3]
    if triangles.distance(positions_t3).min() < NEAREST_M:
        return False
    steps_t3 = np.diff(positions_t3, axis=0)
    if triangles.blocked(
        positions_t3[:-1].astype(np.float32), steps_t3.astype(np.float32), 1
    ).any():
        return False
    side = np.linspace(-0.35, 0.35, 7)
    plane_n2 = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    rays_n3 = np.column_stack([plane_n2, np.ones(len(plane_n2))])
    for pose_44 in (poses_t44[0], poses_t44[-1]):
        directions_n3 = (rays_n3 @ pose_44[:3, :3].T).astype(np.float32)
        origins_n3 = np.broadcast_to(pose_44[:3, 3], directions_n3.shape).astype(np.float32)
        depth_n = triangles.cast(origins_n3, directions_n3).distance_n
        if np.median(depth_n) < 0.4 * away or np.min(depth_n) < 0.12 * away:
            return False
    return True


def estimated_poses(
    true_t44: FloatArray, focal_px: float, typical_depth: float, rng: np.random.Generator
) -> FloatArray:
    """Poses with errors like those of bundle adjustment.

    A shift and the turn that undoes most of it in the image go together, since that is what
    the images leave open; what remains is a part of a pixel. Shifts are at most about one
    per cent of the path.
    """
    frames = len(true_t44)
    path = float(np.linalg.norm(np.diff(true_t44[:, :3, 3], axis=0), axis=1).sum())
    largest_shift = path * np.exp(rng.uniform(np.log(0.0005), np.log(0.012)))
    px = np.exp(rng.uniform(np.log(0.02), np.log(0.5)))
    shift_px = np.exp(rng.uniform(np.log(0.1), np.log(4.0)))
    times_s = FRAME_SECONDS * np.arange(frames, dtype=np.float64)
    result_t44 = true_t44.copy()
    slow_t3 = np.stack([shake(times_s, 1.0, rng) for _ in range(3)], 1)
    drift_t3 = 0.7 * slow_t3 + 0.5 * rng.normal(0, 1, (frames, 3))
    shift_t3 = drift_t3 * min(shift_px * typical_depth / focal_px, largest_shift)
    for row in range(frames):
        moved_3 = shift_t3[row]
        undo_3 = np.array([moved_3[1], -moved_3[0], 0.0]) / typical_depth
        turn_3 = 0.9 * undo_3 + rng.normal(0, px / focal_px, 3)
        rotation_33, _ = cv2.Rodrigues(turn_3)
        result_t44[row, :3, 3] += true_t44[row, :3, :3] @ moved_3
        result_t44[row, :3, :3] = true_t44[row, :3, :3] @ rotation_33
    return result_t44


def sparse_points(
    images_thw3: NDArray[np.uint8],
    depth_thw: NDArray[np.float32],
    *,
    camera: Camera,
    true_t44: FloatArray,
    estimated_t44: FloatArray,
    rng: np.random.Generator,
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Points (n, 3) at corners, as triangulated with the estimated poses, and who sees them."""
    points, seen = [np.zeros((0, 3))], [np.zeros((0, len(images_thw3)), bool)]
    corners = int(rng.integers(25, 120))
    for row, image_hw3 in enumerate(images_thw3):
        gray_hw = cv2.cvtColor(image_hw3, cv2.COLOR_RGB2GRAY)
        found = cv2.goodFeaturesToTrack(gray_hw, corners, 0.01, 6)
        if found is None:
            continue
        pixels_n2 = found.reshape(-1, 2).astype(np.float64)
        column_n, line_n = np.round(pixels_n2).astype(int).T
        depth_n = depth_thw[row][line_n, column_n].astype(np.float64)
        pixels_n2, depth_n = pixels_n2[depth_n > 0], depth_n[depth_n > 0]
        rays_n3 = np.column_stack([camera.normalize(pixels_n2), np.ones(len(depth_n))])
        world_n3 = (rays_n3 * depth_n[:, None]) @ true_t44[row, :3, :3].T + true_t44[row, :3, 3]
        seen_nt = _seen(world_n3, depth_thw, camera, true_t44)
        seen_nt &= rng.random(seen_nt.shape) < 0.85
        parallax_n = _parallax(world_n3, seen_nt, true_t44)
        keep_n = (seen_nt.sum(1) >= 3) & (parallax_n > 0.01)
        noise_n = rng.normal(0, 0.4 / camera.fx, len(depth_n)) / np.maximum(parallax_n, 0.01)
        noisy_n3 = rays_n3 * (depth_n * (1 + noise_n))[:, None]
        placed_n3 = noisy_n3 @ estimated_t44[row, :3, :3].T + estimated_t44[row, :3, 3]
        points.append(placed_n3[keep_n])
        seen.append(seen_nt[keep_n])
    return np.concatenate(points), np.concatenate(seen)


def _seen(
    world_n3: FloatArray, depth_thw: NDArray[np.float32], camera: Camera, poses_t44: FloatArray
) -> NDArray[np.bool_]:
    """(n, t): whether each frame sees each point."""
    columns = []
    for pose_44, depth_hw in zip(poses_t44, depth_thw, strict=True):
        cam_n3 = (world_n3 - pose_44[:3, 3]) @ pose_44[:3, :3]
        front_n = cam_n3[:, 2] > 1e-3
        pixels_n2 = camera.project(np.where(front_n[:, None], cam_n3, [0.0, 0.0, 1.0]))
        x_n, y_n = np.round(pixels_n2).astype(int).T
        inside_n = front_n & (x_n >= 0) & (y_n >= 0) & (x_n < camera.width) & (y_n < camera.height)
        there_n = depth_hw[np.where(inside_n, y_n, 0), np.where(inside_n, x_n, 0)]
        columns.append(inside_n & (np.abs(there_n - cam_n3[:, 2]) < 0.02 * cam_n3[:, 2]))
    return np.stack(columns, 1)


def _parallax(
    world_n3: FloatArray, seen_nt: NDArray[np.bool_], poses_t44: FloatArray
) -> FloatArray:
    """Angle (n,) between the first and the last frame that see a point, radians."""
    first_n, last_n = seen_nt.argmax(1), seen_nt.shape[1] - 1 - seen_nt[:, ::-1].argmax(1)
    one_n3, other_n3 = (poses_t44[row_n, :3, 3] - world_n3 for row_n in (first_n, last_n))
    lengths_n = np.linalg.norm(one_n3, axis=1) * np.linalg.norm(other_n3, axis=1)
    cosine_n = (one_n3 * other_n3).sum(1) / np.maximum(lengths_n, 1e-9)
    return np.asarray(np.arccos(np.clip(cosine_n, -1, 1)))
