from __future__ import annotations

import numpy as np
import pytest
import torch

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import TriangleScene
from mvrecon.synthetic.training.clips_flow import clip_pair, rigid_flow
from mvrecon.synthetic.training.clips_render import texture_pyramid
from mvrecon.synthetic.training.clips_scenes import KINDS
from mvrecon.synthetic.training.sampling import pixel_grid, sample
from mvrecon.synthetic.training.textures import procedural_textures

SIZE = (64, 96)
CAMERA = Camera(96, 64, 80.0, 80.0, 47.5, 31.5)


@pytest.fixture(scope="module")
def textures() -> list[torch.Tensor]:
    return texture_pyramid(procedural_textures(8))


def squares(*sizes_and_depths: tuple[float, float]) -> TriangleScene:
    """Squares before the camera, each of a half side and a depth."""
    corners, faces = [], []
    for half, depth in sizes_and_depths:
        first = len(corners)
        corners += [(x, y, depth) for x, y in ((-half, -half), (half, -half), (half, half))]
        corners.append((-half, half, depth))
        faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    return TriangleScene(np.array(corners), np.array(faces))


def shifted_pose(x: float) -> np.ndarray:
    pose_44 = np.eye(4)
    pose_44[0, 3] = x
    return np.stack([np.eye(4), pose_44])


def test_a_camera_that_moves_sideways_shifts_a_wall_by_its_disparity():
    flow_hw2, visible_hw = rigid_flow(squares((9.0, 4.0)), CAMERA, shifted_pose(0.5))
    np.testing.assert_allclose(flow_hw2[..., 0], -80.0 * 0.5 / 4.0, atol=1e-4)
    np.testing.assert_allclose(flow_hw2[..., 1], 0.0, atol=1e-4)
    columns = np.broadcast_to(np.arange(96), SIZE)
    np.testing.assert_array_equal(visible_hw, columns >= 10)


def test_what_a_nearer_thing_comes_to_cover_is_not_visible():
    # Seen from the first pose the small square covers columns 37.5…57.5; in the second it has
    # moved by -20 px, and the wall behind it by -10 px.
    scene = squares((9.0, 4.0), (0.25, 2.0))
    flow_hw2, visible_hw = rigid_flow(scene, CAMERA, shifted_pose(0.5))
    row = flow_hw2[32, :, 0]
    np.testing.assert_allclose(row[40:55], -20.0, atol=1e-4)
    np.testing.assert_allclose(row[60:], -10.0, atol=1e-4)
    # The wall's columns 27.5…37.5 lie behind the square's new place, 17.5…37.5.
    assert not visible_hw[32, 28:38].any()
    assert visible_hw[32, 10:27].all()
    assert visible_hw[32, 38:].all()


def test_the_sky_moves_with_the_turn_of_the_camera_alone():
    flow_hw2, visible_hw = rigid_flow(squares((0.1, 50.0)), CAMERA, shifted_pose(0.5))
    assert abs(flow_hw2[0, 0]).max() < 1e-3
    assert visible_hw[0, 20]


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_frame_warped_by_the_flow_is_the_first(textures, kind: str):
    pair = clip_pair(3, textures, kind, SIZE)
    assert pair.visible_bhw.float().mean() >= 0.5
    target = (pair.flow_b2hw + pixel_grid(*SIZE, torch.device("cpu")).permute(2, 0, 1)).permute(
        0, 2, 3, 1
    )
    first, second, warped = (
        image.mean(1)[pair.visible_bhw]
        for image in (pair.first_b3hw, pair.second_b3hw, sample(pair.second_b3hw, target))
    )
    # Exposure drifts between the frames.
    same, moved = (
        float(torch.corrcoef(torch.stack([first, other]))[0, 1]) for other in (warped, second)
    )
    assert same > 0.85
    assert same > moved


def test_the_same_seed_gives_the_same_pair(textures):
    one, same, other = (clip_pair(seed, textures, "desk", SIZE) for seed in (3, 3, 4))
    assert torch.equal(one.first_b3hw, same.first_b3hw)
    assert torch.equal(one.flow_b2hw, same.flow_b2hw)
    assert not torch.equal(one.flow_b2hw, other.flow_b2hw)
