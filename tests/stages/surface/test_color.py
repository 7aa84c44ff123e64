from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mvrecon.formats.mesh import Mesh, PointCloud
from mvrecon.geometry.camera import Camera
from mvrecon.render import MeshRenderer, look_at
from stages.surface.color import VertexColors

CAMERA = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)
UP = np.array([0.0, -1.0, 0.0])
RED, BLUE = (200, 20, 20), (20, 20, 200)
# Two points on the wall z = 4, the second behind the board at z = 2.
POINTS = np.float32([[-0.8, 0, 4], [0.8, 0, 4]])


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def scene(with_board=True):
    squares = [(-3, 3, 4.0)] + ([(0.1, 0.7, 2.0)] if with_board else [])
    xyz = np.float32([[x, y, z] for low, high, z in squares for y in (-3, 3) for x in (low, high)])
    faces = np.int32([[4 * k, 4 * k + 1, 4 * k + 3] for k in range(len(squares))])
    faces = np.concatenate([faces, np.int32([[4 * k, 4 * k + 3, 4 * k + 2] for k in (0, 1)])])
    faces = faces[(faces < len(xyz)).all(1)]
    count = len(xyz)
    normals = np.tile(np.float32([0, 0, -1]), (count, 1))
    return MeshRenderer(
        Mesh(
            PointCloud(xyz, normals, np.zeros((count, 3), np.uint8), np.ones(count, np.float32)),
            faces,
        ),
        threads=1,
    )


def start():
    normals = np.tile(np.float32([0, 0, -1]), (len(POINTS), 1))
    return VertexColors.start(POINTS, normals, voxel_size=0.05, reference_depth=4.0)


def image(color):
    return np.full((CAMERA.height, CAMERA.width, 3), color, np.uint8)


def pose(x, z=0.0):
    return look_at(np.array([x, 0.0, z]), np.array([x, 0.0, 4.0]), UP)


def test_a_point_takes_the_colour_of_the_view_that_sees_it(pool):
    colors, surface = start(), scene()
    colors.add(image(RED), CAMERA, pose(0.0), surface, pool)
    colors.add(image(BLUE), CAMERA, pose(1.6), surface, pool)
    seen, hidden_from_the_first = colors.rgb()
    assert seen[0] > seen[2]
    assert tuple(hidden_from_the_first) == BLUE


def test_a_hidden_point_has_the_only_colour_there_is(pool):
    colors = start()
    colors.add(image(RED), CAMERA, pose(0.0), scene(), pool)
    assert colors.rgb().tolist() == [list(RED)] * 2


def test_where_no_view_looks_is_grey():
    assert start().rgb().tolist() == [[128, 128, 128]] * 2


def test_the_nearer_view_counts_more(pool):
    colors, surface = start(), scene(with_board=False)
    colors.add(image(RED), CAMERA, pose(0.0, 0.0), surface, pool)
    colors.add(image(BLUE), CAMERA, pose(0.0, 2.0), surface, pool)
    # Twice as near: sixteen times the weight.
    for red, _, blue in colors.rgb().tolist():
        assert blue > 170
        assert 20 < red < 45


def test_what_moves_hides_what_is_behind_it(pool):
    colors, surface = start(), scene(with_board=False)
    moving = np.zeros((12, 16), bool)
    moving[:, :8] = True
    colors.add(image(RED), CAMERA, pose(0.0), surface, pool, moving_hw=moving)
    colors.add(image(BLUE), CAMERA, pose(0.0), surface, pool)
    left, right = colors.rgb().tolist()
    assert left == list(BLUE)
    assert right[0] == pytest.approx(right[2], abs=1)
