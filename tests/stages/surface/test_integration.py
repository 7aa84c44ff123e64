from __future__ import annotations

import numpy as np

from stages.surface.integration import MAX_COUNT, add_view

REACH = 0.5


def integrate(
    z_n: list[float], u_n: list[float], depth_w: list[float], views: int = 0
) -> tuple[np.ndarray, ...]:
    """Sums of single voxels in pixel (u, 1), seen in an image whose rows are all alike."""
    depth_hw = np.tile(np.array(depth_w, np.float32), (3, 1))
    ones_hw = np.ones_like(depth_hw)
    maps_hw4 = np.stack([depth_hw, 2 * (depth_hw > 0), ones_hw, 0.5 * ones_hw], 2)
    corner_n3 = np.array([[u * z, z, z] for z, u in zip(z_n, u_n, strict=True)], np.float32)
    sums = tuple(np.zeros((len(z_n), 1), np.float32) for _ in range(4))
    counts = np.full((len(z_n), 1), views, np.uint8)
    add_view(
        np.arange(len(z_n)),
        corner_n3,
        np.zeros((1, 3), np.float32),
        maps_hw4.astype(np.float32),
        depth_hw,
        np.float32(REACH),
        np.float32(0.25),
        np.float32(0.9),
        sums,
        counts,
    )
    return *(values[:, 0] for values in sums), counts[:, 0]


def test_each_side_of_a_wall() -> None:
    z_n = [3.8, 4.25, 4.6, 1.0, -1.0]
    distance, weight, evidence, through, views = integrate(z_n, [1] * 5, [4.0] * 4)
    np.testing.assert_allclose(weight, [2, 2 * 0.5, 0, 2 * 0.25, 0], rtol=1e-5)
    np.testing.assert_allclose(distance[:4], [0.4, -0.25, 0, 0.5 * 0.5], rtol=1e-5)
    np.testing.assert_allclose(evidence, [0.5, 0.5, 0, 0, 0])
    # Clearly seen through is what lies before the depth by its noise and the truncation.
    np.testing.assert_allclose(through, [0, 0, 0, 0.5, 0])
    np.testing.assert_array_equal(views, [1, 1, 0, 0, 0])


def test_depth_is_interpolated_on_a_surface_and_not_across_an_edge() -> None:
    distance, weight, *_ = integrate([3.9, 3.9], [1.4, 2.4], [4.0, 4.0, 4.2, 9.0])
    np.testing.assert_allclose(distance / weight, [0.1 + 0.4 * 0.2, 4.2 - 3.9], rtol=1e-4)


def test_outside_the_image_and_where_it_has_no_depth_nothing_is_added() -> None:
    _, weight, *_ = integrate([4.0] * 4, [-0.6, -0.4, 3.6, 2.0], [4.0, 4.0, 0.0, 4.0])
    np.testing.assert_array_equal(weight > 0, [False, True, False, False])


def test_views_are_counted_up_to_a_byte() -> None:
    *_, views = integrate([4.0], [1.0], [4.0] * 4, views=MAX_COUNT)
    assert views[0] == MAX_COUNT
