"""The field of a fisheye is told by matches; ordinary lenses are left alone."""

import numpy as np
import pytest

from mvrecon.artifacts.frames import CameraPrior, FrameRecord, FrameTable, InputPart
from mvrecon.formats.frame_view import Crop
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import rigid, transform_points
from stages.pose.mapping.fisheye import find_fisheye, fisheye_field_deg
from stages.pose.matching.features import FeatureMatches
from tests.stages.pose.scene import turn

SIZE = (640, 480)
SHOTS, POINTS = 6, 900


def fisheye(field_deg, size):
    """Pixels of an equidistant fisheye of a field across the width."""

    def project(cam_n3):
        off_n = np.linalg.norm(cam_n3[:, :2], axis=1)
        reach_n = size[0] / np.radians(field_deg) * np.arctan2(off_n, cam_n3[:, 2]) / off_n
        return reach_n[:, None] * cam_n3[:, :2] + (np.array(size) - 1) / 2

    return project


def flat(focal, size, k1=0.0, k2=0.0):
    """Pixels of an ordinary camera of a focal length in widths."""
    pixels = focal * size[0]
    camera = Camera(*size, pixels, pixels, (size[0] - 1) / 2, (size[1] - 1) / 2, (k1, k2, 0.0, 0.0))

    def project(cam_n3):
        xy_n2 = camera.project(cam_n3)
        wide = np.linalg.norm(cam_n3[:, :2], axis=1) > 1.1 * cam_n3[:, 2]
        return np.where(wide[:, None] | (cam_n3[:, 2:] < 0.1), -1.0, xy_n2)

    return project


def matches(project, size=SIZE, noise_px=0.3, wrong=0.08):
    """Matches of shots from within a cloud of points, a few of them wrong."""
    rng = np.random.default_rng(0)
    points_n3 = rng.uniform(-6, 6, (POINTS, 3))
    points_n3 *= np.maximum(1.0, 3.0 / np.linalg.norm(points_n3, axis=1))[:, None]
    keypoints, seen = [], []
    for shot in range(SHOTS):
        pose = rigid(turn(0.06 * shot, 0.02 * shot), np.array([0.15 * shot, 0.0, 0.06 * shot]))
        xy_n2 = project(transform_points(pose, points_n3))
        xy_n2 += rng.normal(scale=noise_px, size=xy_n2.shape)
        seen.append(np.all((xy_n2 > 0) & (xy_n2 < np.array(size) - 1), axis=1))
        lost_n = rng.random(POINTS) < wrong
        xy_n2[lost_n] = rng.uniform((0, 0), size, (lost_n.sum(), 2))
        keypoints.append(xy_n2.astype(np.float32))
    pairs = [(a, b) for a in range(SHOTS) for b in range(a + 1, SHOTS)]
    both = {(a, b): np.flatnonzero(seen[a] & seen[b]) for a, b in pairs}
    return FeatureMatches(tuple(keypoints), {p: np.column_stack([r, r]) for p, r in both.items()})


@pytest.mark.parametrize(("field_deg", "size"), [(120, SIZE), (150, SIZE), (100, (480, 640))])
def test_a_fisheye_is_found_with_its_field(field_deg, size) -> None:
    found_deg = fisheye_field_deg(matches(fisheye(field_deg, size), size), size)
    assert found_deg == pytest.approx(field_deg, abs=3)


@pytest.mark.parametrize(
    "project",
    [flat(0.9, SIZE), flat(0.55, SIZE), flat(0.75, SIZE, -0.28, 0.08), flat(0.8, SIZE, 0.1)],
    ids=["usual", "wide", "barrel", "pincushion"],
)
def test_ordinary_lenses_are_none(project) -> None:
    assert fisheye_field_deg(matches(project), SIZE) is None


def test_few_matches_tell_nothing() -> None:
    features = matches(fisheye(150, SIZE))
    few = {pair: rows[:40] for pair, rows in features.matches.items()}
    assert fisheye_field_deg(FeatureMatches(features.keypoints, few), SIZE) is None
    assert fisheye_field_deg(FeatureMatches.nothing(SHOTS), SIZE) is None


def test_only_frames_of_one_unknown_lens_are_asked() -> None:
    features = matches(fisheye(140, SIZE))
    camera = Camera(*SIZE, 576.0, 576.0, 319.5, 239.5)

    def table(*sources, parts=()):
        priors = tuple(CameraPrior(camera, source) for source in sources)
        frames = (
            FrameRecord(i, f"{i:06d}", str(i), float(i), i % len(priors), 1.0, "")
            for i in range(SHOTS)
        )
        return FrameTable("sequence", "", priors, tuple(frames), parts)

    assert find_fisheye(table("default"), features) == pytest.approx(140, abs=3)
    assert find_fisheye(table("given"), features) is None
    assert find_fisheye(table("default", "exif"), features) is None
    cut = InputPart("a.mp4", "sequence", "", 0, Crop((640, 600), (0, 60, 0, 60)))
    assert find_fisheye(table("default", parts=(cut,)), features) is None
