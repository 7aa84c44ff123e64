from __future__ import annotations

import numpy as np

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.transfer import PixelTransfer
from mvrecon.geometry.undistortion import distorting_map, undistorting_map
from stages.depth.sweep.flow_prior import FlowMatch, match_by_flow, triangulate
from tests.stages.depth.scenes import CAMERA, POSES, SLANTED, render

SOURCE = Camera(320, 240, 300.0, 302.0, 161.0, 117.0, distortion=(0.08, -0.02, 0.002, -0.001))


def exact_match(row: int, source: Camera = SOURCE) -> FlowMatch:
    """What `match_by_flow` makes of the true flow between distorted images."""
    size = (source.width, source.height)
    x_hw, y_hw = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    pixels_n2 = np.column_stack([x_hw.ravel(), y_hw.ravel()]).astype(float)
    rays_n3 = np.column_stack([source.normalize(pixels_n2), np.ones(len(pixels_n2))])
    normal = np.cross(SLANTED.u, SLANTED.v)
    points_n3 = rays_n3 * (np.dot(SLANTED.origin, normal) / (rays_n3 @ normal))[:, None]
    other_from_world = np.linalg.inv(POSES[row])
    moved_n2 = source.project(points_n3 @ other_from_world[:3, :3].T + other_from_world[:3, 3])
    flow_hw2 = (moved_n2 - pixels_n2).reshape(*size[::-1], 2).astype(np.float32)
    return match_by_flow(
        flow_hw2,
        np.ones(size[::-1], np.float32),
        distorting_map(CAMERA, source),
        undistorting_map(source, CAMERA),
        PixelTransfer.between(CAMERA, np.eye(4), CAMERA, other_from_world),
    )


def true_inverse_depth() -> np.ndarray:
    return 1.0 / render([SLANTED], CAMERA, np.eye(4))[1]


def test_true_flow_of_distorted_images_gives_the_true_depth() -> None:
    prior = triangulate([exact_match(row) for row in (1, 2, 3)], initial=0.2)
    inner = np.s_[12:-12, 12:-12]
    error_hw = np.abs(prior.inverse_depth_hw / true_inverse_depth() - 1)[inner]
    known_hw = prior.weight_hw[inner] > 0.6
    assert known_hw.mean() > 0.9
    assert np.percentile(error_hw[known_hw], 99) < 0.01


def test_one_wrong_view_is_outvoted() -> None:
    matches = [exact_match(row) for row in (1, 2, 3, 4)]
    wrong = FlowMatch(
        matches[0].target_hw2 + np.float32(9.0), matches[0].confidence_hw, matches[0].transfer
    )
    inner = np.s_[20:-20, 25:-25]
    prior = triangulate([wrong, *matches[1:]], initial=0.2)
    error_hw = np.abs(prior.inverse_depth_hw / true_inverse_depth() - 1)[inner]
    assert np.median(error_hw) < 0.02
    honest = triangulate(matches, initial=0.2)
    assert prior.weight_hw[inner].mean() < honest.weight_hw[inner].mean()


def test_flow_that_leaves_the_image_or_is_not_trusted_weighs_nothing() -> None:
    match = exact_match(1)
    assert (match.confidence_hw == 0).any()
    nothing = FlowMatch(match.target_hw2, np.zeros_like(match.confidence_hw), match.transfer)
    assert triangulate([nothing], initial=0.2).weight_hw.max() == 0


def test_uncertainty_grows_as_the_baseline_shrinks() -> None:
    near = PixelTransfer.between(CAMERA, np.eye(4), CAMERA, np.linalg.inv(_moved(0.1)))
    far = PixelTransfer.between(CAMERA, np.eye(4), CAMERA, np.linalg.inv(_moved(1.0)))
    start_hw2 = np.stack(np.meshgrid(np.arange(160.0), np.arange(120.0)), -1).astype(np.float32)
    ones_hw = np.ones((120, 160), np.float32)
    deviations = [
        triangulate([FlowMatch(start_hw2, ones_hw, transfer)], 0.0).deviation_hw.mean()
        for transfer in (near, far)
    ]
    assert 5 < deviations[0] / deviations[1] < 20


def _moved(x: float) -> np.ndarray:
    pose = np.eye(4)
    pose[0, 3] = x
    return pose
