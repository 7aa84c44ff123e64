import cv2
import numpy as np

from stages.pose.tracks.corners import BORDER_PX, Grid, corners_by_cell
from tests.stages.pose.scene import Relief


def test_no_corners_in_a_flat_image():
    flat = np.full((120, 160), 100, np.uint8)
    xy, cell = corners_by_cell(flat, Grid.of(160, 120, 100))
    assert len(xy) == len(cell) == 0


def test_one_corner_a_cell_inside_it():
    grid = Grid.of(240, 180, 100)
    xy, cell = corners_by_cell(Relief().image(np.eye(4)), grid)
    assert len(cell) > 60
    assert len(np.unique(cell)) == len(cell)
    np.testing.assert_array_equal(grid.cell_of(xy), cell)


def test_cells_are_about_as_many_as_wanted_and_cover_the_image():
    grid = Grid.of(640, 480, 500)
    assert grid.cell_px == 25
    assert (grid.columns, grid.rows) == (26, 20)
    xy = np.array([[0, 0], [24.4, 0], [24.6, 0], [639, 479]], np.float32)
    assert grid.cell_of(xy).tolist() == [0, 0, 1, 26 * 20 - 1]
    assert Grid.of(20, 10, 5000).cell_px == 4


def test_a_corner_is_found_where_it_is_and_none_at_the_border():
    image = np.full((60, 80), 60, np.uint8)
    cv2.rectangle(image, (30, 20), (79, 59), 200, -1)
    xy, cell = corners_by_cell(image, Grid.of(80, 60, 1))
    assert len(cell) == 1
    assert np.abs(xy[0] - [30, 20]).max() <= 2
    noise = np.random.default_rng(0).integers(0, 255, (60, 80)).astype(np.uint8)
    xy, _ = corners_by_cell(noise, Grid.of(80, 60, 300))
    assert len(xy) > 200
    assert (xy >= BORDER_PX).all()
    assert (xy < np.array([80, 60]) - BORDER_PX).all()
