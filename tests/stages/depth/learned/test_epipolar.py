from __future__ import annotations

import numpy as np
import torch

from stages.depth.learned.epipolar import (
    OFFSETS,
    Epipolar,
    epipolar_geometry,
    feature_camera,
    feature_transfer,
    similarities,
)
from tests.stages.depth.scenes import CAMERA, POSES, SLANTED, render

BOUNDS = (0.1, 0.5)


def geometry(count: int = 4) -> Epipolar:
    first = np.linalg.inv(POSES[0])
    transfers = [feature_transfer(CAMERA, first, CAMERA, np.linalg.inv(pose)) for pose in POSES[1:]]
    return epipolar_geometry(CAMERA, transfers, BOUNDS, count)


def features_of(pose: np.ndarray) -> torch.Tensor:
    """Brightness of a finely textured plane as an angle on the circle."""
    gray_hw = render([SLANTED], feature_camera(CAMERA), pose)[0]
    angle = torch.from_numpy(gray_hw) / 40.0
    return torch.stack([angle.sin(), angle.cos()])[None]


def test_the_true_depth_is_most_alike() -> None:
    truth_hw = render([SLANTED], feature_camera(CAMERA), POSES[0])[1]
    inverse = torch.from_numpy(1.0 / truth_hw)[None, None]
    view, *others = (features_of(pose) for pose in POSES)
    epipolar = geometry()
    offset = 2.0 * epipolar.unit_b[:, None, None, None]
    found = similarities(view, others, epipolar, inverse, offset)
    assert found.shape[1] == 2 * OFFSETS + 1
    mean = found[0, :OFFSETS].mean((1, 2))
    assert int(mean.argmax()) == OFFSETS // 2
    assert mean[OFFSETS // 2] > 0.8
    assert mean[OFFSETS // 2] > mean[OFFSETS // 2 + 1] + 0.1
    assert (found[0, OFFSETS : 2 * OFFSETS] >= found[0, :OFFSETS] - 0.3).float().mean() > 0.9


def test_a_unit_is_about_a_pixel_in_the_widest_pair() -> None:
    epipolar = geometry()
    ray = torch.tensor([20.0, 15.0, 1.0])
    moved = []
    for rank in range(4):
        points = [
            epipolar.infinite_bv33[0, rank] @ ray + xi * epipolar.epipole_bv3[0, rank]
            for xi in (0.3, 0.3 + float(epipolar.unit_b[0]))
        ]
        first, second = (point[:2] / point[2] for point in points)
        moved.append(float((first - second).norm()))
    assert 0.6 < max(moved) < 1.6


def test_missing_neighbours_say_nothing() -> None:
    view, other = features_of(POSES[0]), features_of(POSES[1])
    first = np.linalg.inv(POSES[0])
    transfer = feature_transfer(CAMERA, first, CAMERA, np.linalg.inv(POSES[1]))
    inverse = torch.full((1, 1, *view.shape[-2:]), 0.25)
    alone = epipolar_geometry(CAMERA, [transfer], BOUNDS, 1)
    filled = epipolar_geometry(CAMERA, [transfer], BOUNDS, 2)
    offset = alone.unit_b[:, None, None, None]
    one = similarities(view, [other], alone, inverse, offset)
    two = similarities(view, [other, -other], filled, inverse, offset)
    torch.testing.assert_close(one[:, : 2 * OFFSETS], two[:, : 2 * OFFSETS])
    torch.testing.assert_close(one[:, -1], 2 * two[:, -1])
