from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mvrecon.artifacts.depth import DepthMap
from stages.surface.blocks import BLOCK_VOXELS
from stages.surface.config import VolumeOptions
from stages.surface.views import make_view
from stages.surface.volume import Volume, voxel_offsets

VOXEL_SIZE = 0.1
TRUNCATION = 0.4
WALL_Z = 4.0
K_33 = np.array([[60.0, 0, 31.5], [0, 60.0, 23.5], [0, 0, 1]])


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def wall_view(confidence=0.5):
    """A wall before a camera at the origin; nothing is seen in the left half."""
    depth_hw = np.full((48, 64), WALL_Z, np.float32)
    depth_hw[:, :32] = 0
    confidence_hw = np.full((48, 64), confidence, np.float32)
    return make_view(DepthMap(depth_hw, confidence_hw, K_33, np.eye(4)), 0.1, WALL_Z)


def column():
    """Blocks along the ray through (0.45, 0.05, 4), from the camera to behind the wall."""
    return Volume.empty(np.array([[0, 0, z] for z in range(8)], np.int32), VOXEL_SIZE, TRUNCATION)


def along_z(volume, values):
    """Values at x = 0.4, y = 0 by depth."""
    places = (volume.keys_n3[:, None] * BLOCK_VOXELS + voxel_offsets()) * VOXEL_SIZE
    on_line = np.isclose(places[..., 0], 0.4) & np.isclose(places[..., 1], 0.0)
    order = np.argsort(places[on_line][:, 2])
    return places[on_line][order, 2], values[on_line][order]


def test_distance_is_exact_near_the_wall_cut_before_it_and_unknown_behind(pool):
    volume = column()
    volume.integrate(wall_view(), 0.3, pool)
    z, weight = along_z(volume, volume.weight_sum)
    _, distance = along_z(volume, volume.distance_sum)
    seen = weight > 0
    assert seen[(z > 0.8) & (z < WALL_Z + 0.39)].all()
    assert not seen[z > WALL_Z + TRUNCATION].any()
    expected = np.minimum(WALL_Z - z[seen], TRUNCATION)
    assert np.allclose(distance[seen] / weight[seen], expected, atol=1e-4)
    # Free space counts for the share that carving gives it.
    before, at = weight[np.isclose(z, 2.0)], weight[np.isclose(z, 3.8)]
    assert before == pytest.approx(0.3 * at, rel=0.02)


def test_evidence_and_views_add_up_near_the_surface_only(pool):
    volume = column()
    for _ in range(3):
        volume.integrate(wall_view(0.5), 0.3, pool)
    z, views = along_z(volume, volume.views)
    _, evidence = along_z(volume, volume.evidence)
    near = np.abs(z - WALL_Z) < 0.35
    assert (views[near] == 3).all()
    assert evidence[near] == pytest.approx(np.full(near.sum(), 1.5))
    assert not views[z < 3.5].any()
    rows = np.arange(len(volume.keys_n3))
    for needed, enough in (((4, 0.0), False), ((1, 1.6), False), ((3, 1.4), True)):
        options = VolumeOptions(min_views=needed[0], min_evidence=needed[1])
        assert volume.surface_voxels(rows, options).any() == enough


def test_what_is_seen_through_more_than_it_is_seen_is_no_surface(pool):
    volume = column()
    rows = np.arange(len(volume.keys_n3))
    for _ in range(3):
        volume.integrate(wall_view(0.5), 0.3, pool)
    z, through = along_z(volume, volume.seen_through)
    assert through[z < WALL_Z - TRUNCATION - 0.05].max() == pytest.approx(1.5)
    assert not through[z > WALL_Z - TRUNCATION + 0.05].any()
    # A sheet in front, of which two views are as sure; here are the voxels behind it.
    volume.evidence[:], volume.views[:], volume.weight_sum[:] = 1.0, 2, 1.0
    volume.distance_sum[:] = -1.0
    for ratio, kept in ((1.4, False), (1.6, True)):
        _, left = along_z(volume, volume.surface_voxels(rows, VolumeOptions(see_through=ratio)))
        assert left[(z > 1.0) & (z < 3.5)].all() == kept
        assert left[np.abs(z - WALL_Z) < 0.3].all()


def test_sums_are_the_same_to_the_bit_whatever_blocks_are_beside(pool):
    volume = column()
    some = Volume.empty(volume.keys_n3[3:6], VOXEL_SIZE, TRUNCATION)
    for each in (volume, some):
        each.integrate(wall_view(), 0.3, pool)
    assert np.array_equal(volume.distance_sum[3:6], some.distance_sum)
    assert np.array_equal(volume.seen_through[3:6], some.seen_through)


def test_pixels_without_depth_leave_the_volume_as_it_was(pool):
    volume = column()
    mirrored = Volume.empty(volume.keys_n3 - np.int32([1, 0, 0]), VOXEL_SIZE, TRUNCATION)
    mirrored.integrate(wall_view(), 0.3, pool)
    assert not mirrored.views[:, voxel_offsets()[:, 0] < 6].any()


def test_views_are_counted_up_to_a_byte(pool):
    volume = column()
    volume.views[:] = 255
    volume.integrate(wall_view(), 0.3, pool)
    assert volume.views.min() == 255
