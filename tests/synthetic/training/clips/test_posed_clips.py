from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvrecon.errors import InputError
from mvrecon.synthetic.training.clips.files import (
    ClipDepths,
    PosedClip,
    clip_path,
    clip_paths,
    depths_path,
    load_clip,
    load_clip_depths,
    save_clip_depths,
)
from mvrecon.synthetic.training.clips.posed_clips import make_clip, render_clips
from mvrecon.synthetic.training.clips.render import texture_pyramid
from mvrecon.synthetic.training.clips.scenes import KINDS
from mvrecon.synthetic.training.clips.solids import load_meshes
from mvrecon.synthetic.training.textures import procedural_textures

SIZE_HW = (64, 96)
TETRAHEDRON_OFF = "OFF\n4 4 0\n0 0 0\n2 0 0\n0 4 0\n0 0 2\n3 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3\n"
TETRAHEDRON_OBJ = "v 0 0 0\nv 2 0 0\nv 0 4 0\nv 0 0 2\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"


@pytest.fixture(scope="module")
def textures() -> list:
    return texture_pyramid(procedural_textures(8))


@pytest.fixture(scope="module")
def clips(textures: list) -> dict[str, PosedClip]:
    return {kind: make_clip(5, textures, (), kind, SIZE_HW) for kind in KINDS}


def share_of_first_seen_in(clip: PosedClip, frame: int) -> tuple[float, float]:
    """Of the first frame's points that fall into another, the share found there; and how many."""
    camera = clip.camera()
    depth_hw = clip.depth_thw[0].astype(np.float64)
    y_n, x_n = np.nonzero(depth_hw)
    plane_n2 = camera.normalize(np.column_stack([x_n, y_n]).astype(np.float64))
    cam_n3 = np.column_stack([plane_n2, np.ones(len(x_n))]) * depth_hw[y_n, x_n, None]
    first, other = clip.true_world_from_cam_t44[[0, frame]]
    world_n3 = cam_n3 @ first[:3, :3].T + first[:3, 3]
    there_n3 = (world_n3 - other[:3, 3]) @ other[:3, :3]
    there_n3 = there_n3[there_n3[:, 2] > 0.01]
    u_n, v_n = np.round(camera.project(there_n3)).astype(int).T
    inside_n = (u_n >= 0) & (v_n >= 0) & (u_n < camera.width) & (v_n < camera.height)
    found_n = clip.depth_thw[frame][v_n[inside_n], u_n[inside_n]]
    same_n = np.abs(found_n / there_n3[inside_n, 2] - 1) < 0.03
    return float(same_n.mean()), float(inside_n.mean())


@pytest.mark.parametrize("kind", KINDS)
def test_depth_and_poses_agree_between_frames(clips: dict[str, PosedClip], kind: str) -> None:
    clip = clips[kind]
    assert clip.kind == kind
    assert clip.images_thw3.shape == (8, *SIZE_HW, 3)
    same, inside = share_of_first_seen_in(clip, 1)
    assert inside > 0.3
    assert same > 0.75
    assert clip.images_thw3.std(axis=(1, 2)).min() > 2


@pytest.mark.parametrize("kind", KINDS)
def test_poses_and_points_are_as_good_as_a_pose_stages(
    clips: dict[str, PosedClip], kind: str
) -> None:
    clip = clips[kind]
    centres_t3 = clip.true_world_from_cam_t44[:, :3, 3]
    path = np.linalg.norm(np.diff(centres_t3, axis=0), axis=1).sum()
    errors_t = np.linalg.norm(clip.world_from_cam_t44[:, :3, 3] - centres_t3, axis=1)
    assert 0 < np.sqrt((errors_t**2).mean()) < 0.04 * path
    points = clip.sparse_points()
    assert (np.bincount(points.observation_point_m) >= 3).all()
    for row in range(len(clip)):
        pixels_n2 = points.observation_xy_m2[points.observation_frame_m == row]
        depths_n = clip.depth_thw[row]
        x_n, y_n = np.clip(
            np.round(pixels_n2).astype(int).T, 0, [[SIZE_HW[1] - 1], [SIZE_HW[0] - 1]]
        )
        seen = points.seen_by(row)
        cam_from_world = clip.posed_frames()[row].cam_from_world
        z_n = points.xyz_n3[seen] @ cam_from_world[2, :3] + cam_from_world[2, 3]
        there_n = depths_n[y_n, x_n]
        assert np.median(np.abs(z_n - there_n) / np.maximum(z_n, 1e-6)) < 0.06


def test_same_seed_gives_the_same_clip(clips: dict[str, PosedClip], textures: list) -> None:
    again = make_clip(5, textures, (), "desk", SIZE_HW)
    np.testing.assert_array_equal(again.images_thw3, clips["desk"].images_thw3)
    np.testing.assert_array_equal(again.world_from_cam_t44, clips["desk"].world_from_cam_t44)
    other = make_clip(6, textures, (), "desk", SIZE_HW)
    assert not np.array_equal(other.depth_thw, clips["desk"].depth_thw)


def test_rendering_resumes_and_reads_back(
    tmp_path: Path, textures: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mvrecon.synthetic.training.clips.posed_clips.SIZES_HW", (SIZE_HW,))

    def make(seed: int) -> PosedClip:
        return make_clip(seed, textures)

    first = list(render_clips(tmp_path, [0], make))
    written = first[0].stat().st_mtime_ns
    assert list(render_clips(tmp_path, [0, 1], make)) == [
        clip_path(tmp_path, 0),
        clip_path(tmp_path, 1),
    ]
    assert first[0].stat().st_mtime_ns == written
    np.testing.assert_array_equal(
        load_clip(first[0]).depth_thw, make_clip(0, textures, size_hw=SIZE_HW).depth_thw
    )
    depths = ClipDepths(np.ones((8, 4, 6), np.float32), np.full((8, 4, 6), 0.5), {"a": np.eye(2)})
    save_clip_depths(depths_path(first[0], "made"), depths)
    back = load_clip_depths(depths_path(first[0], "made"))
    np.testing.assert_array_equal(back.extras["a"], np.eye(2))
    assert len(clip_paths(tmp_path)) == 2
    with pytest.raises(InputError, match="no clip"):
        clip_paths(tmp_path / "nothing")


def test_meshes_of_a_folder_are_made_one_metre_large(tmp_path: Path) -> None:
    (tmp_path / "chair" / "model").mkdir(parents=True)
    (tmp_path / "chair" / "model" / "a.off").write_text(TETRAHEDRON_OFF)
    (tmp_path / "b.obj").write_text(TETRAHEDRON_OBJ)
    (tmp_path / "notes.txt").write_text("no mesh")
    meshes = load_meshes(tmp_path)
    assert len(meshes) == 2
    for mesh in meshes:
        low, high = mesh.vertices_n3.min(0), mesh.vertices_n3.max(0)
        # The y axis of the file stands upright.
        assert high[2] - low[2] == pytest.approx(1.0)
        assert low[2] == pytest.approx(0.0)
        np.testing.assert_allclose((low + high)[:2], 0, atol=1e-9)
