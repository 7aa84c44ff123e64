import numpy as np
import pytest

from stages.surface.blocks import find_blocks, survey
from stages.surface.bricks import (
    BRICK_BLOCKS,
    GIB,
    batches,
    blocks_of,
    nearest_sights,
    split_into_bricks,
)
from stages.surface.build import memory_bytes
from stages.surface.config import SurfaceConfig
from stages.surface.reconstruct import reconstruct_surface
from tests.stages.surface.scenes import depth_map, exact_depth, make_frames, make_inputs
from tests.stages.surface.test_clean import edge_counts
from tests.stages.surface.test_reconstruct import CONFIG, changed

VOXEL_SIZE = 0.02


@pytest.fixture(scope="module")
def maps():
    return {frame.name: depth_map(frame, exact_depth(frame)) for frame in make_frames()}


@pytest.fixture
def small_bricks(monkeypatch):
    monkeypatch.setattr("stages.surface.bricks.BRICK_BLOCKS", 4)


def test_every_block_is_in_one_brick_with_what_its_cells_reach_beside_it(maps, small_bricks):
    keys = find_blocks(list(maps), maps.__getitem__, VOXEL_SIZE, SurfaceConfig())
    bricks = split_into_bricks(keys, VOXEL_SIZE)
    assert len(bricks) > 20
    owned = np.concatenate([brick.owned_n3 for brick in bricks])
    assert sorted(map(tuple, owned)) == list(map(tuple, keys))
    known = set(map(tuple, keys))
    for brick in bricks:
        mine = set(map(tuple, brick.owned_n3))
        reached = {(x + 1, y, z + 1) for x, y, z in mine} & known - mine
        assert reached <= set(map(tuple, brick.border_n3)) <= known - mine
        corners = brick.owned_n3 * VOXEL_SIZE * 8
        assert (np.linalg.norm(corners - brick.center_3, axis=1) <= brick.radius * 1.0001).all()


def test_batches_keep_the_order_and_the_memory(maps, small_bricks):
    keys = find_blocks(list(maps), maps.__getitem__, VOXEL_SIZE, SurfaceConfig())
    bricks = split_into_bricks(keys, VOXEL_SIZE)
    room = 3 * max(brick.size_bytes for brick in bricks)
    found = list(batches(bricks, room))
    assert [brick for batch in found for brick in batch] == bricks
    assert 1 < len(found) < len(bricks)
    assert all(sum(brick.size_bytes for brick in batch) <= room for batch in found)
    assert [len(batch) for batch in batches(bricks, 1)] == [1] * len(bricks)
    assert len(blocks_of(bricks)) == len(keys)


def test_the_nearest_view_of_a_brick_is_found_and_none_where_none_looks(maps):
    _, sights = survey(list(maps), maps.__getitem__, 0.1)
    far_behind = np.int32([[0, 0, 0], [0, 0, 4000]])
    here, behind = nearest_sights(split_into_bricks(far_behind, VOXEL_SIZE), sights)
    edge = VOXEL_SIZE * 8 * BRICK_BLOCKS
    assert 0 < here < 5 + edge
    assert behind == np.inf


def test_in_bricks_one_by_one_the_surface_is_that_of_all_at_once(small_bricks):
    """However much memory there is, to the bit: half a dozen blocks at a time, or all."""
    inputs = make_inputs(make_frames())
    few, many = (
        reconstruct_surface(inputs, changed("volume", memory=memory)) for memory in (1e-6, 1.0)
    )
    assert np.array_equal(few.mesh.faces_m3, many.mesh.faces_m3)
    assert np.array_equal(few.mesh.points.xyz_n3, many.mesh.points.xyz_n3)
    assert np.array_equal(few.cloud.rgb_n3, many.cloud.rgb_n3)


def test_bricks_join_without_a_seam(monkeypatch):
    """As many open edges as in one brick, and the same surface."""
    inputs = make_inputs(make_frames())
    # Voxels are finer than the depth deserves here; all faces are to stay all the same.
    config = changed("volume", changed("mesh", face_density=10, fill_holes=0), resolution=2)
    one = reconstruct_surface(inputs, config)
    monkeypatch.setattr("stages.surface.bricks.BRICK_BLOCKS", 2)
    cut = reconstruct_surface(inputs, config)
    assert one.summary.numbers["bricks"] < cut.summary.numbers["bricks"]
    assert len(cut.mesh.faces_m3) == len(one.mesh.faces_m3)
    assert (edge_counts(cut.mesh.faces_m3) == 1).sum() == (
        edge_counts(one.mesh.faces_m3) == 1
    ).sum()
    assert np.allclose(cut.mesh.points.xyz_n3, one.mesh.points.xyz_n3)


def test_simplified_bricks_join_without_a_seam(monkeypatch):
    """Borders between bricks are inside the surface: open edges lie only at its own outline."""
    inputs = make_inputs(make_frames())
    config = changed("mesh", face_density=0.3, fill_holes=0)
    monkeypatch.setattr("stages.surface.bricks.BRICK_BLOCKS", 3)
    cut = reconstruct_surface(inputs, config)
    dense = reconstruct_surface(inputs, changed("mesh", face_density=10, fill_holes=0))
    assert len(cut.mesh.faces_m3) < 0.6 * len(dense.mesh.faces_m3)
    assert (edge_counts(cut.mesh.faces_m3) == 1).sum() == (
        edge_counts(dense.mesh.faces_m3) == 1
    ).sum()


def test_memory_is_what_was_asked_for_or_a_bounded_share():
    assert memory_bytes(2.0) == 2 * GIB
    assert 0.25 * GIB <= memory_bytes(0.0) <= GIB
    assert "memory" not in CONFIG.key_options()["volume"]
