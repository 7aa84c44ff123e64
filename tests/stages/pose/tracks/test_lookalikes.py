import numpy as np

from stages.pose.options import TrackOptions
from stages.pose.tracks.chaining import build_tracks
from stages.pose.tracks.corners import distance_to_look_alike, expected_motion, has_jumped
from tests.stages.pose.scene import CAMERA, Relief, sideways_path

PERIOD_M = 0.45
PERIOD_PX = PERIOD_M * CAMERA.fx / 5.0


class PatternedWall(Relief):
    """A wall whose pattern repeats every 18 pixels, with things that occur once."""

    def height(self, x, y):
        return np.full_like(x, 5.0)

    def texture(self, x, y):
        u, v = 2 * np.pi * x / PERIOD_M, 2 * np.pi * y / PERIOD_M
        pattern = 128 + 40 * np.sin(u) * np.cos(v) + 30 * np.sin(2 * u + 1) * np.sin(v + 0.5)
        return np.where(self.is_unique(x, y), super().texture(x, y), pattern)

    def is_unique(self, x, y):
        return np.sin(2.1 * x + 0.5) * np.cos(1.7 * y + 0.2) > 0.8


def test_what_repeats_is_known_with_its_period():
    image = PatternedWall().image(np.eye(4))
    x, y = np.meshgrid(np.arange(20, 220, 3.0), np.arange(20, 160, 3.0))
    xy = np.column_stack([x.ravel(), y.ravel()]).astype(np.float32)
    distance = distance_to_look_alike(image, xy, xy, TrackOptions().look_alike)
    hit = PatternedWall().points(np.eye(4), xy.astype(np.float64))
    unique = PatternedWall().is_unique(hit[:, 0], hit[:, 1])
    assert np.isfinite(distance[~unique]).mean() > 0.7
    assert np.isfinite(distance[unique]).mean() < 0.1
    assert abs(np.median(distance[np.isfinite(distance)]) - PERIOD_PX) < 1.0


def test_random_texture_has_no_look_alikes():
    image = Relief().image(np.eye(4))
    xy = np.random.default_rng(0).uniform(20, 160, (400, 2)).astype(np.float32)
    distance = distance_to_look_alike(image, xy, xy, TrackOptions().look_alike)
    assert np.isfinite(distance).mean() < 0.2


def test_a_jump_is_told_from_parallax():
    sure_xy = np.array([[10.0, 10], [20, 10], [10, 20], [20, 20], [15, 30]], np.float32)
    motion = np.tile(np.float32([6.0, 0.0]), (5, 1))
    expected = expected_motion(np.float32([[12.0, 12], [18, 18]]), sure_xy, motion)
    moved = np.float32([[8.0, 1.0], [-10.0, 0.0]])
    assert has_jumped(moved, expected, np.float32([16.0, 16.0])).tolist() == [False, True]
    assert not has_jumped(moved, expected, np.float32([np.inf, np.inf])).any()


def test_tracks_do_not_follow_flow_that_jumps_by_a_period():
    """The flow of one pair is off by a period wherever the pattern repeats."""
    scene, poses = PatternedWall(), sideways_path(4, 0.15)
    images = [scene.image(pose) for pose in poses]
    flows = scene.flows(poses, offsets=(1,))
    for way, pose in (("forward_hw2", poses[1]), ("backward_hw2", poses[2])):
        hit = scene.points(pose, scene.grid())
        repeats = ~scene.is_unique(hit[:, 0], hit[:, 1]).reshape(180, 240)
        getattr(flows[1, 2], way)[repeats, 0] += PERIOD_PX * (1 if way[0] == "f" else -1)
    tracks = build_tracks(
        range(4),
        lambda frame: images[frame],
        lambda frame: {frame - 1: flows[frame - 1, frame]} if frame else {},
        (CAMERA.width, CAMERA.height),
        TrackOptions(per_frame=300),
    )
    xy_1, xy_2 = tracks.shared(1, 2)
    error = np.linalg.norm(
        scene.project(poses[2], scene.points(poses[1], xy_1.astype(np.float64))) - xy_2, axis=1
    )
    assert len(error) > 60
    assert (error < 1.0).mean() > 0.85
