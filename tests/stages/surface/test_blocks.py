import numpy as np
import pytest

from mvrecon.errors import NotEnoughDataError
from stages.surface.blocks import DETAIL_PX, block_rows, choose_voxel_size, find_blocks, survey
from stages.surface.config import SurfaceConfig
from tests.stages.surface.scenes import CAMERA, depth_map, exact_depth, make_frames

CONFIG = SurfaceConfig()


def exact_maps():
    return {frame.name: depth_map(frame, exact_depth(frame)) for frame in make_frames()}


def test_blocks_cover_the_surface_and_are_found_again():
    maps = exact_maps()
    keys = find_blocks(list(maps), maps.__getitem__, 0.05, CONFIG)
    rows = block_rows(keys, keys.astype(np.int64))
    assert np.array_equal(rows, np.arange(len(keys)))
    assert block_rows(keys, np.array([[500, 500, 500]])).tolist() == [-1]
    # The front of the sphere, in blocks of 0.4.
    angle = np.linspace(0, 2 * np.pi, 50)
    ring = np.stack([0.6 * np.cos(angle), 0.6 * np.sin(angle), -0.8 * np.ones(50)], axis=1)
    assert np.all(block_rows(keys, np.floor(ring / 0.4).astype(np.int64)) >= 0)


def test_one_view_or_little_confidence_touches_no_block():
    maps = exact_maps()
    alone = list(maps)[:1]
    assert len(find_blocks(alone, maps.__getitem__, 0.05, CONFIG)) == 0
    doubted = SurfaceConfig(volume={"min_evidence": 9.0})
    assert len(find_blocks(list(maps), maps.__getitem__, 0.05, doubted)) == 0
    with pytest.raises(NotEnoughDataError, match="2 views"):
        choose_voxel_size(alone, maps.__getitem__, 0.05, CONFIG)


def test_voxels_are_coarsened_to_the_budget_and_no_more():
    maps = exact_maps()
    size, keys = choose_voxel_size(list(maps), maps.__getitem__, 0.05, CONFIG)
    assert size == 0.05
    budget = SurfaceConfig(volume={"max_blocks": 150})
    coarse, few = choose_voxel_size(list(maps), maps.__getitem__, 0.05, budget)
    assert 75 < len(few) <= 150 < len(keys)
    assert coarse > 0.05


def test_the_scale_is_that_of_the_depth_maps():
    maps = exact_maps()
    scale, sights = survey(list(maps), maps.__getitem__, 0.1)
    assert [sight.name for sight in sights] == list(maps)
    medians = [np.median(one.depth_hw) for one in maps.values()]
    assert scale.reference_depth == pytest.approx(np.median(medians))
    assert scale.pixel_footprint == pytest.approx(scale.reference_depth / CAMERA.fx)
    assert scale.voxel_size(2.0) == pytest.approx(DETAIL_PX * scale.pixel_footprint / 2, rel=0.01)
    far = scale.voxel_size(2.0, 5 * scale.reference_depth)
    assert far == pytest.approx(5 * scale.voxel_size(2.0))
    with pytest.raises(NotEnoughDataError, match="confidence"):
        survey(list(maps), maps.__getitem__, 1.1)
