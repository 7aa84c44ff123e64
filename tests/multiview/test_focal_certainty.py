import numpy as np
import pytest

from mvrecon.artifacts.poses import PosedFrame, SparsePoints
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import rigid
from mvrecon.multiview.focal_certainty import TOO_SURE, focal_deviation

CAMERA = Camera(640, 480, 500.0, 500.0, 319.5, 239.5)


def turned(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def seen(poses, xyz_n3, noise_px, seed=0):
    """Frames and points as adjusted to observations with noise: the poses are nearly true."""
    rng = np.random.default_rng(seed)
    frames = [
        PosedFrame(f"{i:06d}", float(i), CAMERA, CAMERA, pose) for i, pose in enumerate(poses)
    ]
    observations = []
    for row, frame in enumerate(frames):
        cam_n3 = xyz_n3 @ frame.cam_from_world[:3, :3].T + frame.cam_from_world[:3, 3]
        xy_n2 = 500 * cam_n3[:, :2] / cam_n3[:, 2:] + [319.5, 239.5]
        xy_n2 += rng.normal(0, noise_px, xy_n2.shape)
        observations += [(point, row, *xy) for point, xy in enumerate(xy_n2)]
    observations.sort()
    table = np.array(observations)
    return frames, SparsePoints(
        xyz_n3,
        np.zeros((len(xyz_n3), 3), np.uint8),
        np.ones(len(xyz_n3), np.float32),
        table[:, 0].astype(np.int32),
        table[:, 1].astype(np.int32),
        table[:, 2:].astype(np.float32),
    )


def orbit(count=8, span=1.2):
    """Cameras on a circle about the points."""
    angles = np.linspace(-span / 2, span / 2, count)
    return [
        rigid(turned(-angle), np.array([5 * np.sin(angle), 0.3 * i % 0.7, -5 * np.cos(angle)]))
        for i, angle in enumerate(angles)
    ]


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(1).uniform(-1.2, 1.2, (150, 3))


def test_it_grows_with_the_noise_and_falls_with_the_root_of_the_points(points):
    one = focal_deviation(*seen(orbit(), points, 0.5))
    assert 0.0001 < one / TOO_SURE < 0.02
    assert focal_deviation(*seen(orbit(), points, 1.0)) == pytest.approx(2 * one, rel=0.15)
    more = np.random.default_rng(2).uniform(-1.2, 1.2, (600, 3))
    assert focal_deviation(*seen(orbit(), more, 0.5)) == pytest.approx(one / 2, rel=0.25)


def test_motion_that_tells_little_leaves_it_unsure(points):
    sideways = [rigid(np.eye(3), np.array([0.05 * i, 0, -5.0])) for i in range(8)]
    unsure = focal_deviation(*seen(sideways, points, 0.5))
    assert unsure is None or unsure > 20 * focal_deviation(*seen(orbit(), points, 0.5))


def test_wrong_matches_do_not_count(points):
    frames, clean = seen(orbit(), points, 0.5)
    xy_m2 = clean.observation_xy_m2.copy()
    xy_m2[::20] += 200
    spoilt = SparsePoints(**{**vars(clean), "observation_xy_m2": xy_m2})
    assert focal_deviation(frames, spoilt) == pytest.approx(focal_deviation(frames, clean), rel=0.1)


def test_nothing_is_told_of_hardly_any_points(points):
    assert focal_deviation(*seen(orbit(), points[:3], 0.5)) is None
