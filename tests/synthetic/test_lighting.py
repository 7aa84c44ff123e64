import numpy as np
import pytest

from mvrecon.geometry.raycasting import TriangleScene
from mvrecon.synthetic.lighting import Light, irradiance

# A small sun straight above, a large one, and no light from elsewhere.
SUN = Light((0.0, 0.0, 5.0), 0.01, (1.0, 0.5, 0.25), (0.0, 0.0, 0.0))
SKY = Light((0.0, 0.0, 5.0), 0.01, (0.0, 0.0, 0.0), (0.5, 0.5, 0.5), ambient_reach_m=1.0)
UP = np.float32([0, 0, 1])


def board(height_m, low_x=-4.0, high_x=4.0):
    """A horizontal rectangle, with a floor far below it."""
    corners = [(low_x, -4), (high_x, -4), (high_x, 4), (low_x, 4)]
    vertices = np.array([(x, y, height_m) for x, y in corners] + [(x, y, -9.0) for x, y in corners])
    return TriangleScene(vertices, np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]]))


def light_at(scene, light, *places, normal=UP):
    positions = np.float32(places)
    return irradiance(scene, positions, np.tile(np.float32(normal), (len(positions), 1)), light)


def test_light_falls_with_the_cosine_and_has_its_colour():
    scene = board(-5.0)
    assert light_at(scene, SUN, (0, 0, 0))[0] == pytest.approx([1.0, 0.5, 0.25], rel=1e-3)
    slanted = np.array([0, np.sin(1.0), np.cos(1.0)])
    assert light_at(scene, SUN, (0, 0, 0), normal=slanted)[0, 0] == pytest.approx(np.cos(1.0), 1e-2)
    assert not light_at(scene, SUN, (0, 0, 0), normal=-UP).any()


def test_what_is_between_casts_a_shadow_whose_edge_is_soft():
    scene = board(2.5, 0.0, 4.0)
    soft = Light((0.0, 0.0, 5.0), 0.5, SUN.colour, SUN.ambient, shadow_samples=256)
    lit, edge, dark = light_at(scene, soft, (-2, 0, 0), (0, 0, 0), (2, 0, 0))[:, 0]
    assert dark == 0
    assert lit > 0.8
    assert edge == pytest.approx(0.5, abs=0.06)


def test_near_things_block_the_sky_and_far_ones_do_not():
    assert light_at(board(2.0), SKY, (0, 0, 0))[0] == pytest.approx([0.5] * 3)
    assert light_at(board(0.2), SKY, (0, 0, 0))[0, 0] < 0.05
    # Half of the sky, at the edge of a board just above.
    half = light_at(board(0.01, 0.0, 4.0), SKY, (0, 0, 0))[0, 0]
    assert half == pytest.approx(0.25, abs=0.03)
