from __future__ import annotations

import numpy as np

from stages.depth.sweep.upsampling import upsample_by_color


def plane(height: int, width: int, scale: float) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    position = [(values + 0.5) * scale - 0.5 for values in (x, y)]
    return (0.5 + 0.01 * position[0] - 0.02 * position[1]).astype(np.float32)


def test_a_slanted_plane_stays_a_plane() -> None:
    coarse_hw, fine_hw = plane(12, 16, 1.0), plane(24, 32, 0.5)
    flat = np.full((24, 32), 100, np.float32)
    result_hw = upsample_by_color(coarse_hw, flat[:12, :16], flat)
    np.testing.assert_allclose(result_hw[3:-3, 3:-3], fine_hw[3:-3, 3:-3], atol=1e-5)


def test_depth_edges_move_to_the_image_edge() -> None:
    gray_hw = np.full((24, 32), 50, np.float32)
    gray_hw[:, 17:] = 200
    coarse_gray_hw = gray_hw.reshape(12, 2, 16, 2).mean(axis=(1, 3))
    coarse_hw = np.where(np.arange(16) < 8, 1.0, 2.0).astype(np.float32)[None].repeat(12, 0)
    result_hw = upsample_by_color(coarse_hw, coarse_gray_hw, gray_hw)
    assert set(np.unique(result_hw)) == {1.0, 2.0}
    assert np.all(result_hw[:, 17] == 2.0)
    assert np.mean(result_hw[:, :16] == 1.0) == 1.0
