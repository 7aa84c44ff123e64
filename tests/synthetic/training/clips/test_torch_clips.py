from __future__ import annotations

import numpy as np
import pytest
import torch

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import TriangleScene, pixel_rays
from mvrecon.synthetic.training.batch import Draws
from mvrecon.synthetic.training.clips.files import PosedClip
from mvrecon.synthetic.training.clips.torch_clips import cast, draw_still_scene, make_torch_clip
from mvrecon.synthetic.training.pairs.rigid import render
from mvrecon.synthetic.training.pairs.rigid_scenes import RigidScenes
from mvrecon.synthetic.training.pairs.solids import BOXES, FIRST_MESH, SOLIDS, faces
from mvrecon.synthetic.training.textures import procedural_textures
from tests.synthetic.training.clips.test_posed_clips import share_of_first_seen_in

CAMERA = Camera(96, 64, 80.0, 80.0, 47.5, 31.5)
SIZE_HW = (CAMERA.height, CAMERA.width)
BOX_CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
BOX_FACES = np.array(
    [
        *[(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)],
        *[(2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)],
    ]
)


@pytest.fixture(scope="module")
def textures() -> torch.Tensor:
    return procedural_textures(4)


@pytest.fixture(scope="module")
def clip(textures: torch.Tensor) -> PosedClip:
    return make_torch_clip(3, textures, frames=12, size_hw=SIZE_HW)


def triangles_of(scenes: RigidScenes) -> TriangleScene:
    """The room, the boxes and the meshes of a scene as triangles."""
    vertices, triangles, first = [], [], 0
    for solid in [*range(1 + BOXES), *range(FIRST_MESH, SOLIDS)]:
        mesh = solid - FIRST_MESH
        corners_n3 = BOX_CORNERS if mesh < 0 else scenes.vertices[0, mesh].double().numpy()
        pose_44 = scenes.world_from_solid_b2p44[0, 0, solid].double().numpy()
        size_3 = scenes.size_bp3[0, solid].double().numpy()
        vertices.append(corners_n3 * size_3 @ pose_44[:3, :3].T + pose_44[:3, 3])
        triangles.append((BOX_FACES if mesh < 0 else faces().numpy()) + first)
        first += len(corners_n3)
    return TriangleScene(np.concatenate(vertices), np.concatenate(triangles))


@pytest.mark.parametrize("index", range(3))
def test_depth_is_that_of_open3d(textures: torch.Tensor, index: int) -> None:
    scenes = draw_still_scene(Draws(21, index, torch.device("cpu")), len(textures), CAMERA)
    _, (depth_hw,) = cast(scenes, np.eye(4)[None], textures, CAMERA)
    solid_hw = render(scenes, 0, textures, SIZE_HW).solid_bhw[0].numpy()
    hits = triangles_of(scenes).cast(*pixel_rays(CAMERA, np.eye(4)))
    expected_hw = hits.distance_n.reshape(SIZE_HW)
    # The curved solids are not among the triangles; what lies behind them is.
    flat_hw = (solid_hw <= BOXES) | (solid_hw >= FIRST_MESH)
    assert flat_hw.mean() > 0.4
    assert (np.abs(depth_hw / expected_hw - 1)[flat_hw] < 1e-3).mean() > 0.998
    assert (depth_hw <= expected_hw * 1.001)[~flat_hw].all()


def test_depth_and_poses_agree_between_frames(clip: PosedClip) -> None:
    assert clip.images_thw3.shape == (12, *SIZE_HW, 3)
    same, inside = share_of_first_seen_in(clip, 1)
    assert inside > 0.3
    assert same > 0.75
    assert clip.images_thw3.std(axis=(1, 2)).min() > 2


def test_same_seed_gives_the_same_clip(clip: PosedClip, textures: torch.Tensor) -> None:
    again = make_torch_clip(3, textures, frames=12, size_hw=SIZE_HW)
    np.testing.assert_array_equal(again.images_thw3, clip.images_thw3)
    np.testing.assert_array_equal(again.world_from_cam_t44, clip.world_from_cam_t44)
    other = make_torch_clip(4, textures, frames=12, size_hw=SIZE_HW)
    assert not np.array_equal(other.depth_thw, clip.depth_thw)
