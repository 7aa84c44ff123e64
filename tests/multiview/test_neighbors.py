from __future__ import annotations

import numpy as np

from mvrecon.artifacts.poses import PosedFrame, SparsePoints
from mvrecon.geometry.camera import Camera
from mvrecon.multiview.neighbors import choose_neighbors

CAMERA = Camera(640, 480, 500.0, 500.0, 319.5, 239.5)
DISTANCE = 5.0


def frames_at(centers: list[tuple[float, float, float]]) -> list[PosedFrame]:
    frames = []
    for row, center in enumerate(centers):
        pose = np.eye(4)
        pose[:3, 3] = center
        frames.append(PosedFrame(f"{row:06d}", float(row), CAMERA, CAMERA, pose))
    return frames


def wall_points(seen_by: list[list[int]]) -> SparsePoints:
    """A point grid for each list of frames that see it."""
    x, y = np.meshgrid(np.linspace(-0.8, 0.8, 5), np.linspace(-0.8, 0.8, 5))
    grid_n3 = np.column_stack([x.ravel(), y.ravel(), np.full(25, DISTANCE)])
    xyz, points, rows = [], [], []
    for group, frames in enumerate(seen_by):
        xyz.append(grid_n3)
        for frame in frames:
            points.extend(range(25 * group, 25 * (group + 1)))
            rows.extend([frame] * 25)
    count = 25 * len(seen_by)
    return SparsePoints(
        np.concatenate(xyz),
        np.zeros((count, 3), np.uint8),
        np.zeros(count, np.float32),
        np.array(points, np.int32),
        np.array(rows, np.int32),
        np.zeros((len(points), 2), np.float32),
    )


def angles_deg(frames: list[PosedFrame], rows: list[int]) -> np.ndarray:
    baselines = [np.linalg.norm(frames[row].world_from_cam[:3, 3]) for row in rows]
    return np.rad2deg(np.arctan2(baselines, DISTANCE))


def test_views_have_useful_angles() -> None:
    frames = frames_at([(0.08 * step, 0, 0) for step in range(40)])
    chosen = choose_neighbors(frames, wall_points([list(range(40))]), 0, 5, in_order=True)
    angles = angles_deg(frames, chosen)
    assert len(chosen) == 5
    assert angles[0] > 5
    assert angles.max() < 25


def test_views_lie_on_both_sides() -> None:
    frames = frames_at([(0.1 * step, 0, 0) for step in range(-15, 16)])
    chosen = choose_neighbors(frames, wall_points([list(range(31))]), 15, 4, in_order=True)
    assert min(chosen) < 15 < max(chosen)
    assert {row > 15 for row in chosen[:2]} == {True, False}


def test_a_view_of_something_else_is_left_out() -> None:
    frames = frames_at([(0, 0, 0), (0.5, 0, 0), (-0.5, 0, 0), (0, 0.5, 0)])
    points = wall_points([[0, 1, 2], [3]])
    assert set(choose_neighbors(frames, points, 0, 4, in_order=False)) == {1, 2}


def test_a_view_from_the_same_place_is_left_out() -> None:
    frames = frames_at([(0, 0, 0), (0, 0, 0), (0.6, 0, 0)])
    assert choose_neighbors(frames, wall_points([[0, 1, 2]]), 0, 2, in_order=True) == [2]


def test_without_points_neighbours_in_time_serve_a_sequence() -> None:
    frames = frames_at([(0.1 * step, 0, 0) for step in range(20)])
    nothing = wall_points([[19]])
    assert set(choose_neighbors(frames, nothing, 5, 2, in_order=True)) <= {3, 4, 6, 7}
    assert choose_neighbors(frames, nothing, 5, 2, in_order=False) == []
