"""The motion of rows while an image is taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvrecon.artifacts.image_motion import ImageMotion

WIDTH, HEIGHT = 64, 48
FRAME_S = 0.1
XY = np.array([[10.0, 0.0], [30.0, 23.5], [50.0, 47.0]])
# Time of each row in shares of the read-out, the middle one at 0.
LATE = ((XY[:, 1] - 23.5) / 48)[:, None]


def evenly(speed_px: np.ndarray, acceleration_px: np.ndarray, has_before: bool = True):
    """Every pixel moves alike: speed [px/s] and acceleration [px/s²], rows read at once."""
    ends = []
    for time_s in (-FRAME_S if has_before else 0.0, FRAME_S):
        moved_px = speed_px * time_s + 0.5 * acceleration_px * time_s**2
        ends.append(np.broadcast_to(moved_px / WIDTH, (12, 16, 2)).astype(np.float32))
    return ImageMotion(ends[0], ends[1], -FRAME_S if has_before else 0.0, FRAME_S)


def test_rows_below_the_middle_are_seen_later() -> None:
    motion = evenly(np.array([20.0, 0.0]), np.zeros(2))
    found = motion.row_motion(XY, (WIDTH, HEIGHT), readout_s=0.05)
    np.testing.assert_allclose(found, LATE * [20.0, 0.0], atol=1e-5)


def test_acceleration_counts_with_the_square_of_the_time() -> None:
    speed, acceleration, readout_s = np.array([20.0, 0.0]), np.array([60.0, 0.0]), 0.08
    motion = evenly(speed, acceleration)
    found = readout_s * motion.row_motion(XY, (WIDTH, HEIGHT), readout_s)
    # From the row's time to the middle row's: back by the time passed.
    back_s = -readout_s * LATE
    expected = -(speed * back_s + 0.5 * acceleration * back_s**2)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_point_that_changes_rows_is_seen_sooner_or_later() -> None:
    # In 0.1 s it moves 9.6 px down, a fifth of the height, which takes 0.02 s to read.
    motion = evenly(np.array([0.0, 96.0]), np.zeros(2), has_before=False)
    found = motion.row_motion(XY, (WIDTH, HEIGHT), readout_s=0.1)
    np.testing.assert_allclose(found, LATE * [0.0, 9.6 / 0.12], rtol=1e-5, atol=1e-6)


def test_an_image_without_neighbours_does_not_move() -> None:
    still = np.zeros((12, 16, 2), np.float32)
    assert not ImageMotion(still, still, 0.0, 0.0).row_motion(XY, (WIDTH, HEIGHT), 0.1).any()


def test_it_is_read_back(tmp_path: Path) -> None:
    motion = evenly(np.array([20.0, -7.0]), np.zeros(2))
    motion.save(tmp_path / "m.npz")
    again = ImageMotion.load(tmp_path / "m.npz")
    assert (again.before_s, again.after_s) == (motion.before_s, motion.after_s)
    np.testing.assert_allclose(again.after_hw2, motion.after_hw2, rtol=1e-3)
    assert again.before_hw2 == pytest.approx(motion.before_hw2, rel=1e-3)
