import numpy as np
import pytest

from mvrecon.evaluation.bench.flow.pictures import (
    GAP_PX,
    TILE_PX,
    UNKNOWN_RGB,
    error_rgb,
    error_strip,
)


def test_strip_shows_the_four_side_by_side():
    image = np.full((50, 80, 3), 200, np.uint8)
    truth = np.zeros((50, 80, 2), np.float32)
    truth[..., 0] = 5
    flow = truth.copy()
    flow[:, 40:, 0] = -5
    valid = np.ones((50, 80), bool)
    strip = error_strip(image, truth, valid, flow, np.linalg.norm(flow - truth, axis=-1))
    assert strip.shape == (50, 4 * 80 + 3 * GAP_PX, 3)
    tiles = [strip[:, i * (80 + GAP_PX) :][:, :80].astype(int) for i in range(4)]
    assert (tiles[0] == 200).all()
    np.testing.assert_array_equal(tiles[1][:, :40], tiles[2][:, :40])
    assert np.abs(tiles[1][:, 40:] - tiles[2][:, 40:]).max() > 100
    assert tiles[3][:, 40:].sum(-1).min() > tiles[3][:, :40].sum(-1).max()


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_large_images_shrink_and_sparse_truth_keeps_its_colour(share):
    rng = np.random.default_rng(0)
    valid = rng.random((200, 2 * TILE_PX)) <= share
    truth = np.zeros((*valid.shape, 2), np.float32)
    truth[..., 1] = 3
    image = np.zeros((*valid.shape, 3), np.uint8)
    strip = error_strip(image, truth, valid, truth, np.full(valid.shape, 16.0))
    assert strip.shape == (100, 4 * TILE_PX + 3 * GAP_PX, 3)
    errors = strip[:, -TILE_PX:].reshape(-1, 3)
    colours = np.unique(errors, axis=0)
    assert len(colours) == (2 if share < 1 else 1)


def test_errors_are_brighter_the_larger_they_are_and_unknown_ones_grey():
    errors = np.array([[0.0, 1.0, 4.0, 16.0, 100.0, 5.0]])
    picture = error_rgb(errors, np.array([[True] * 5 + [False]]))
    brightness = picture.astype(int).sum(-1)[0]
    assert (np.diff(brightness[:4]) > 0).all()
    assert brightness[3] == brightness[4]
    assert tuple(picture[0, 5]) == UNKNOWN_RGB
