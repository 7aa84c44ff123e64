"""How the image moves about each key frame, from the frames just before and after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.image_motion import ImageMotion
from mvrecon.errors import InputError
from mvrecon.geometry.resize import fit_size
from stages.frames.source import SourceFrame

# Frames next to each other differ little: small images show by how much.
WORKING_PX = 640
# The motion is smooth but at outlines: it is kept at so many pixels of the working image.
GRID_PX = 4

Flow = NDArray[np.float32]


class MotionMeter:
    """Dense inverse search (Kroeger et al., ECCV 2016) between neighbours of a stream.

    Args:
        wanted: indices of the frames whose motion is wanted.
    """

    def __init__(self, wanted: Iterable[int]) -> None:
        self._wanted = frozenset(wanted)
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._last: tuple[SourceFrame, NDArray[np.uint8]] | None = None
        self._before: tuple[Flow, float] | None = None

    def finished(self, frame: SourceFrame) -> Iterator[tuple[int, ImageMotion]]:
        """Take the next frame; gives the motion of the one before it if that is wanted."""
        last, before = self._last, self._before
        is_near = {frame.index - 1, frame.index, frame.index + 1} & self._wanted
        grey_hw = _grey(frame) if is_near else None
        self._last = None if grey_hw is None else (frame, grey_hw)
        self._before = None
        if last is None or grey_hw is None or last[1].shape != grey_hw.shape:
            if last is not None and last[0].index in self._wanted:
                yield last[0].index, _motion(last[1], before, None)
            return
        (earlier, earlier_hw), passed_s = last, frame.timestamp_s - last[0].timestamp_s
        if frame.index in self._wanted:
            self._before = self._flow(grey_hw, earlier_hw), -passed_s
        if earlier.index in self._wanted:
            after = self._flow(earlier_hw, grey_hw), passed_s
            yield earlier.index, _motion(earlier_hw, before, after)

    def last(self) -> Iterator[tuple[int, ImageMotion]]:
        """The motion of the stream's last frame if it is wanted."""
        if self._last is not None and self._last[0].index in self._wanted:
            yield self._last[0].index, _motion(self._last[1], self._before, None)

    def _flow(self, first_hw: NDArray[np.uint8], second_hw: NDArray[np.uint8]) -> Flow:
        return np.asarray(self._search.calc(first_hw, second_hw, np.empty(0)), np.float32)


def _grey(frame: SourceFrame) -> NDArray[np.uint8] | None:
    """The image, None if it cannot be read."""
    try:
        return frame.grey_hw(WORKING_PX)
    except InputError:
        return None


def _motion(
    image_hw: NDArray[np.uint8],
    before: tuple[Flow, float] | None,
    after: tuple[Flow, float] | None,
) -> ImageMotion:
    height, width = image_hw.shape
    grid_wh = fit_size((width, height), max(width, height) // GRID_PX)
    none = np.zeros((height, width, 2), np.float32), 0.0
    ends = [
        (np.asarray(cv2.resize(flow_hw2, grid_wh, interpolation=cv2.INTER_AREA)) / width, time_s)
        for flow_hw2, time_s in (before or none, after or none)
    ]
    return ImageMotion(ends[0][0], ends[1][0], ends[0][1], ends[1][1])
