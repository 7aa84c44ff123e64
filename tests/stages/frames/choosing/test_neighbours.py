"""The motion about key frames of a stream."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import pytest

from mvrecon.artifacts.image_motion import ImageMotion
from mvrecon.errors import InputError
from stages.frames.choosing.neighbours import MotionMeter
from stages.frames.source import SourceFrame

SIZE_HW = (96, 128)
STEP_PX = 3.0


def unreadable(_: int | None) -> np.ndarray:
    raise InputError("cannot read it", "Restore it")


def stream(count: int, broken: Iterable[int] = ()) -> list[SourceFrame]:
    """A texture that moves to the right by the same step in each frame."""
    rng = np.random.default_rng(1)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (SIZE_HW[0], 400)), (0, 0), 2.0)
    texture = np.clip((texture - texture.mean()) * 6 + 128, 0, 255).astype(np.uint8)
    frames = []
    for index in range(count):
        start = 200 - round(STEP_PX * index)
        image = np.ascontiguousarray(texture[:, start : start + SIZE_HW[1]])
        grey = unreadable if index in broken else lambda _, image=image: image
        frames.append(SourceFrame(index, str(index), index / 30, grey, unreadable))
    return frames


def measure(frames: list[SourceFrame], wanted: Iterable[int]) -> dict[int, ImageMotion]:
    meter = MotionMeter(wanted)
    found = dict(pair for frame in frames for pair in meter.finished(frame))
    return found | dict(meter.last())


def middle_px(grid_hw2: np.ndarray) -> np.ndarray:
    return SIZE_HW[1] * np.median(grid_hw2[6:-6, 6:-6], axis=(0, 1))


def test_motion_to_the_frames_before_and_after() -> None:
    found = measure(stream(6), [2, 3])
    assert sorted(found) == [2, 3]
    for motion in found.values():
        assert motion.after_s == pytest.approx(1 / 30)
        assert motion.before_s == pytest.approx(-1 / 30)
        np.testing.assert_allclose(middle_px(motion.after_hw2), [STEP_PX, 0], atol=0.2)
        np.testing.assert_allclose(middle_px(motion.before_hw2), [-STEP_PX, 0], atol=0.2)


def test_the_ends_of_a_stream_have_one_neighbour() -> None:
    found = measure(stream(4), [0, 3])
    assert (found[0].before_s, found[3].after_s) == (0.0, 0.0)
    np.testing.assert_allclose(middle_px(found[0].after_hw2), [STEP_PX, 0], atol=0.2)
    np.testing.assert_allclose(middle_px(found[3].before_hw2), [-STEP_PX, 0], atol=0.2)


def test_an_unreadable_neighbour_is_none() -> None:
    found = measure(stream(5, broken=[3]), [2])
    assert found[2].after_s == 0.0
    assert found[2].before_s == pytest.approx(-1 / 30)


def test_a_lone_frame_has_no_motion() -> None:
    found = measure(stream(1), [0])
    assert (found[0].before_s, found[0].after_s) == (0.0, 0.0)
    assert not found[0].after_hw2.any()
