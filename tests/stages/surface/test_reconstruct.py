from dataclasses import replace

import numpy as np
import pytest

from mvrecon.errors import NotEnoughDataError
from mvrecon.formats.mesh import write_cloud_ply, write_glb, write_mesh_ply
from mvrecon.geometry.raycasting import TriangleScene
from stages.surface.clean import triangle_areas
from stages.surface.config import SurfaceConfig
from stages.surface.reconstruct import reconstruct_surface
from tests.stages.surface.scenes import (
    RADIUS,
    WALL_Z,
    depth_map,
    distance_to_scene,
    exact_depth,
    make_frames,
    make_inputs,
)

# Exact depth is not fattened.
VOXEL_SIZE = 0.05
CONFIG = SurfaceConfig(volume={"voxel_size": VOXEL_SIZE}, depth={"trim": 0})


def changed(group, config=CONFIG, **options):
    """A configuration with other options in one group."""
    return config.model_copy(update={group: getattr(config, group).model_copy(update=options)})


@pytest.fixture(scope="module")
def frames():
    return make_frames()


@pytest.fixture(scope="module")
def exact(frames):
    return reconstruct_surface(make_inputs(frames), CONFIG)


def with_outliers(frames, confidence):
    """Every fourth pixel's depth is wrong; its confidence is given."""
    rng = np.random.default_rng(0)
    maps = {}
    for frame in frames:
        depth_hw = exact_depth(frame)
        wrong = rng.random(depth_hw.shape) < 0.25
        noise = rng.uniform(2.2, 2.8, depth_hw.shape)
        depth_hw = np.where(wrong, noise, depth_hw).astype(np.float32)
        maps[frame.name] = depth_map(
            frame, depth_hw, np.where(wrong, confidence, 1.0).astype(np.float32)
        )
    return maps


def test_exact_depth_gives_the_surface_within_a_fraction_of_a_voxel(exact):
    distance = distance_to_scene(exact.mesh.points.xyz_n3)
    assert np.median(distance) < 0.05 * VOXEL_SIZE
    assert np.quantile(distance, 0.95) < 0.5 * VOXEL_SIZE


def test_the_whole_front_of_the_sphere_is_there(exact):
    directions = np.random.default_rng(1).normal(size=(500, 3))
    directions[:, 2] = -np.abs(directions[:, 2])
    front = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    front = front[front[:, 2] < -0.3] * RADIUS
    mesh = TriangleScene(exact.mesh.points.xyz_n3, exact.mesh.faces_m3)
    assert mesh.distance(front).max() < VOXEL_SIZE


def test_what_is_far_gets_fewer_faces_and_points_for_its_area(monkeypatch):
    """The wall's distance to the views makes its bricks coarser; the ball's are as they were."""
    monkeypatch.setattr("stages.surface.bricks.BRICK_BLOCKS", 2)
    frames = make_frames()
    near = [replace(frame, world_from_cam=nearer(frame.world_from_cam)) for frame in frames]
    maps = {frame.name: depth_map(frame, exact_depth(frame)) for frame in near}
    fine = SurfaceConfig(volume={"voxel_size": 0.03}, depth={"trim": 0})
    surface = reconstruct_surface(make_inputs(near, maps), fine)
    centroids = surface.mesh.points.xyz_n3[surface.mesh.faces_m3].mean(axis=1)
    areas = triangle_areas(surface.mesh.points.xyz_n3, surface.mesh.faces_m3)
    on_wall = np.abs(centroids[:, 2] - WALL_Z) < 0.05
    on_ball = np.linalg.norm(centroids, axis=1) < RADIUS + 0.05
    assert areas[on_wall].mean() > 1.5 * areas[on_ball].mean()


def nearer(world_from_cam):
    """The same view from a third of the way."""
    pose = world_from_cam.copy()
    pose[:3, 3] += 1.2 * pose[:3, 2]
    return pose


def test_normals_point_to_the_cameras(exact):
    for points in (exact.mesh.points, exact.cloud):
        on_wall = np.abs(points.xyz_n3[:, 2] - WALL_Z) < 0.02
        assert np.allclose(np.linalg.norm(points.normals_n3, axis=1), 1.0, atol=1e-3)
        assert np.mean(points.normals_n3[on_wall, 2] < -0.9) > 0.95


def test_colors_are_those_of_the_images_even_beside_the_silhouette(exact):
    points = exact.mesh.points
    on_sphere = np.linalg.norm(points.xyz_n3, axis=1) < RADIUS + 0.02
    red = points.rgb_n3[:, 0] > points.rgb_n3[:, 1]
    assert np.mean(red[on_sphere]) > 0.97
    assert np.mean(red[~on_sphere]) < 0.03


def test_outliers_of_low_confidence_do_not_show(frames):
    surface = reconstruct_surface(make_inputs(frames, with_outliers(frames, 0.2)), CONFIG)
    distance = distance_to_scene(surface.mesh.points.xyz_n3)
    assert np.quantile(distance, 0.98) < VOXEL_SIZE


def with_board(frames, views, confidence=1.0):
    """The first few views agree on a board at z = −2 that is not there."""
    maps = {}
    for index, frame in enumerate(frames):
        depth_hw = exact_depth(frame)
        confidence_hw = np.ones_like(depth_hw)
        if index < views:
            board = -2.0 - frame.world_from_cam[2, 3]
            depth_hw[:, :30] = board
            confidence_hw[:, :30] = confidence
        maps[frame.name] = depth_map(frame, depth_hw, confidence_hw)
    return maps


def share_before_the_sphere(surface):
    return np.mean(surface.mesh.points.xyz_n3[:, 2] < -1.3)


def test_a_hallucination_shows_if_it_is_trusted_and_leaves_nothing_if_not(frames):
    config = changed("volume", carving=0.0, see_through=1000)
    trusted = reconstruct_surface(make_inputs(frames, with_board(frames, 3)), config)
    doubted = reconstruct_surface(make_inputs(frames, with_board(frames, 3, 0.2)), config)
    assert share_before_the_sphere(trusted) > 0.01
    assert share_before_the_sphere(doubted) == 0.0
    lenient = changed("volume", config, min_evidence=0.3)
    filled = reconstruct_surface(make_inputs(frames, with_board(frames, 3, 0.2)), lenient)
    assert share_before_the_sphere(filled) > 0.01


def test_a_small_floating_piece_is_removed_and_kept_on_request(frames):
    """All views agree on a small ball beside the big one."""
    center, radius = np.array([1.7, 0.0, 0.0]), 0.15
    maps = {}
    for frame in frames:
        depth_hw = exact_depth(frame)
        in_cam = (center - frame.world_from_cam[:3, 3]) @ frame.world_from_cam[:3, :3]
        k = depth_map(frame, depth_hw).k_33
        v, u = np.mgrid[0 : depth_hw.shape[0], 0 : depth_hw.shape[1]]
        at = (k @ in_cam)[:2] / in_cam[2]
        disc = np.hypot(u - at[0], v - at[1]) < radius * k[0, 0] / in_cam[2]
        maps[frame.name] = depth_map(frame, np.where(disc, in_cam[2], depth_hw).astype(np.float32))

    def near_ball(surface):
        return np.sum(np.linalg.norm(surface.mesh.points.xyz_n3 - center, axis=1) < 0.3)

    strict = reconstruct_surface(make_inputs(frames, maps), changed("mesh", min_piece=0.05))
    lenient = reconstruct_surface(make_inputs(frames, maps), changed("mesh", min_piece=0.0))
    assert near_ball(lenient) > 10
    assert near_ball(strict) == 0
    assert strict.summary.numbers["pieces_removed"] > 0


def test_large_separate_pieces_are_kept(exact):
    assert exact.summary.numbers["pieces_kept"] >= 2


def test_face_budget_is_kept_and_the_shape_with_it(frames):
    surface = reconstruct_surface(
        make_inputs(frames), changed("mesh", changed("cloud", max_points=1000), max_faces=1500)
    )
    assert 1000 < len(surface.mesh.faces_m3) <= 1500
    assert len(surface.cloud.xyz_n3) == 1000
    assert np.quantile(distance_to_scene(surface.mesh.points.xyz_n3), 0.9) < VOXEL_SIZE


def test_block_budget_coarsens_the_voxels_and_says_so(frames):
    surface = reconstruct_surface(
        make_inputs(frames), SurfaceConfig(volume={"max_blocks": 100, "resolution": 4})
    )
    assert surface.summary.numbers["blocks"] <= 100
    assert any("max_blocks" in warning for warning in surface.summary.warnings)


def test_min_views_leaves_open_what_one_view_saw(frames):
    maps = {frame.name: depth_map(frame, exact_depth(frame)) for frame in frames}
    for frame in frames[1:]:
        blind = np.zeros_like(exact_depth(frame))
        maps[frame.name] = depth_map(frame, blind)
    with pytest.raises(NotEnoughDataError, match="2 views"):
        reconstruct_surface(make_inputs(frames, maps), CONFIG)
    alone = reconstruct_surface(make_inputs(frames, maps), changed("volume", min_views=1))
    assert len(alone.mesh.faces_m3) > 1000


def test_free_space_of_other_views_carves_a_hallucination_away(frames):
    def share(carving):
        config = changed("volume", carving=carving, see_through=1000)
        inputs = make_inputs(frames, with_board(frames, 2))
        return share_before_the_sphere(reconstruct_surface(inputs, config))

    assert share(0.0) > 0.01
    assert share(1.0) < 0.2 * share(0.0)


def test_a_sheet_that_two_views_are_sure_of_is_none_if_others_see_through_it(frames):
    """Without weighing free space against surface: by what is seen behind it alone."""

    def share(see_through):
        config = changed("volume", carving=0.0, see_through=see_through)
        inputs = make_inputs(frames, with_board(frames, 2))
        return share_before_the_sphere(reconstruct_surface(inputs, config))

    assert share(1000) > 0.01
    assert share(1.5) < 0.05 * share(1000)


def test_no_depth_is_not_enough_data(frames):
    maps = {frame.name: depth_map(frame, np.zeros_like(exact_depth(frame))) for frame in frames}
    with pytest.raises(NotEnoughDataError):
        reconstruct_surface(make_inputs(frames, maps), CONFIG)
    with pytest.raises(NotEnoughDataError):
        reconstruct_surface(make_inputs([]), CONFIG)


def test_bytes_are_the_same_on_repetition_and_for_any_number_of_workers(frames, exact, tmp_path):
    again = reconstruct_surface(make_inputs(frames, workers=3), CONFIG)
    for name, write in (("mesh.ply", write_mesh_ply), ("mesh.glb", write_glb)):
        write(tmp_path / f"a_{name}", exact.mesh)
        write(tmp_path / f"b_{name}", again.mesh)
        assert (tmp_path / f"a_{name}").read_bytes() == (tmp_path / f"b_{name}").read_bytes()
    write_cloud_ply(tmp_path / "a.ply", exact.cloud)
    write_cloud_ply(tmp_path / "b.ply", again.cloud)
    assert (tmp_path / "a.ply").read_bytes() == (tmp_path / "b.ply").read_bytes()
    assert exact.summary == again.summary
