"""Image motion between two small grey images: how far it moved, how much is still seen.

Corners (Shi and Tomasi, "Good features to track", 1994) are followed by pyramidal
Lucas–Kanade, forwards and backwards; where that loses them, phase correlation (Kuglin and Hines,
"The phase correlation image alignment method", 1975) or dense inverse search flow (Kroeger et
al., "Fast optical flow using dense inverse search", 2016) gives a new start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

GreyImage = NDArray[np.uint8]

# All lengths are in pixels of the small image (320 px).
MAX_CORNERS = 120  # enough for a median
MIN_CORNERS = 12  # fewer may be noise
CORNER_QUALITY = 0.03  # of the best corner's: what noise makes of an even surface is below it
CORNER_DISTANCE_PX = 6
LK_WINDOW_PX = 15
LK_LEVELS = 3
LK_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 12, 0.03)
# Contrast is made even, so that brightness may change, and weak texture counts like strong.
EVEN_CELL_PX = 4  # so coarsely are mean and deviation taken, for speed
EVEN_WINDOW_CELLS = 23  # of the windows for them: a large motion needs coarse texture
EVEN_LEVELS = 48.0  # deviation after it, in grey levels
FAINT_LEVELS = 8.0  # added to the deviation: contrast below it stays below, and so does noise
# Mean difference of evened windows; what has nothing in common differs by 54.
ALIKE_LEVELS = 30.0
ROUND_TRIP_PX = 1.0  # a corner that comes back farther from its start was lost
MIN_OVERLAP = 0.35  # share of corners: with fewer, those found again may be wrong ones
# With fewer corners seen again, they may be noise: then the images are compared as a whole,
# by the means of blocks, which noise hardly moves: by a fifth of the fine detail that it makes.
UNSURE_OVERLAP = 0.6
BLOCK_PX = 8
UNCHANGED_LEVELS = 1.0  # mean difference of blocks in grey levels
UNCHANGED_SHARE = 0.3  # of the fine detail: where contrast is low, less is a change
# With less fine detail [grey levels], as in the dark or in haze, flow trusts fewer of the pixels
# than corners are found again.
FAINT_DETAIL = 1.5
# Moving forward, the image hardly moves in the middle, and so fast at the border that flow
# loses it: what is near there must not move farther than this between two key frames.
FAST = 0.9
FAST_PART = 0.45


@dataclass(frozen=True)
class Motion:
    """Motion of the image from one frame to another.

    Attributes:
        parallax: displacement of the corners seen in both, as a fraction of the diagonal: the
            median, or a part of that of the fastest ones if these are much faster.
        overlap: share of the corners that are seen in both.
    """

    parallax: float
    overlap: float

    @property
    def lost(self) -> bool:
        """Whether too little is seen in both to measure anything."""
        return self.overlap < MIN_OVERLAP


class MotionSince:
    """Motion since a reference frame; follow it in the order of the video.

    Args:
        reference_hw: small grey image.

    Attributes:
        is_faint: the reference has so little contrast that flow needs more than corners do.
    """

    def __init__(self, reference_hw: GreyImage) -> None:
        self._reference_shape = reference_hw.shape
        smooth_hw = _smooth(reference_hw)
        detail = mean_difference(reference_hw, smooth_hw)
        self.is_faint = detail < FAINT_DETAIL
        self._unchanged_levels = min(UNCHANGED_LEVELS, UNCHANGED_SHARE * detail)
        self._blocks_hw = block_means(smooth_hw)
        self._even_hw = _even(smooth_hw)
        self._diagonal_px = float(np.hypot(*reference_hw.shape))
        corners = cv2.goodFeaturesToTrack(
            self._even_hw, MAX_CORNERS, CORNER_QUALITY, CORNER_DISTANCE_PX
        )
        self._corners_n2 = _points(corners)
        self._guess_n2 = self._corners_n2

    def measure(self, grey_hw: GreyImage) -> Motion:
        """Motion from the reference to another image; lost if that is of another size."""
        if grey_hw.shape != self._reference_shape:
            return Motion(0.0, 0.0)
        smooth_hw = _smooth(grey_hw)
        if len(self._corners_n2) < MIN_CORNERS:
            return self._without_corners(smooth_hw)
        even_hw = _even(smooth_hw)
        motion, guess_n2 = self._track(even_hw, self._guess_n2)
        if motion.overlap < UNSURE_OVERLAP:
            if self._change(smooth_hw) < self._unchanged_levels:
                return Motion(0.0, 1.0)
            for guess in (self._shifted_guess, self._dense_guess):
                other, other_n2 = self._track(even_hw, guess(even_hw))
                if other.overlap > motion.overlap:
                    motion, guess_n2 = other, other_n2
                if not motion.lost:
                    break
        self._guess_n2 = guess_n2
        return motion

    def _track(
        self, even_hw: GreyImage, guess_n2: NDArray[np.float32]
    ) -> tuple[Motion, NDArray[np.float32]]:
        """The motion, and where the corners are then, or may be."""
        forth_n2, found_forth = _lucas_kanade(self._even_hw, even_hw, self._corners_n2, guess_n2)
        back_n2, found_back = _lucas_kanade(
            even_hw, self._even_hw, forth_n2, self._corners_n2.copy()
        )
        round_trip_px = np.linalg.norm(back_n2 - self._corners_n2, axis=1)
        seen = found_forth & found_back & (round_trip_px < ROUND_TRIP_PX)
        if seen.sum() < MIN_CORNERS:
            return Motion(0.0, 0.0), self._guess_n2
        shift_n2 = forth_n2 - self._corners_n2
        # Lost corners may come back: they are looked for where their like have gone.
        shift_n2[~seen] = np.median(shift_n2[seen], axis=0)
        median_px, fast_px = np.quantile(np.linalg.norm(shift_n2[seen], axis=1), [0.5, FAST])
        parallax_px = max(float(median_px), FAST_PART * float(fast_px))
        motion = Motion(parallax_px / self._diagonal_px, float(seen.mean()))
        return motion, self._corners_n2 + shift_n2

    def _shifted_guess(self, even_hw: GreyImage) -> NDArray[np.float32]:
        """Where the corners are if the whole picture has moved by one shift."""
        first_hw, second_hw = (image.astype(np.float32) for image in (self._even_hw, even_hw))
        size = (first_hw.shape[1], first_hw.shape[0])
        taper_hw = cv2.createHanningWindow(size, cv2.CV_32F)
        shift, _ = cv2.phaseCorrelate(first_hw, second_hw, taper_hw)
        return self._corners_n2 + np.asarray(shift, np.float32)

    def _dense_guess(self, even_hw: GreyImage) -> NDArray[np.float32]:
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        nothing: Any = None
        flow_hw2 = np.asarray(dis.calc(self._even_hw, even_hw, nothing), np.float32)
        x, y = self._corners_n2.round().astype(int).T
        return np.asarray(self._corners_n2 + flow_hw2[y, x], np.float32)

    def _change(self, smooth_hw: GreyImage) -> float:
        """Mean difference of blocks in grey levels."""
        return mean_difference(self._blocks_hw, block_means(smooth_hw))

    def _without_corners(self, smooth_hw: GreyImage) -> Motion:
        return Motion(0.0, float(self._change(smooth_hw) < UNCHANGED_LEVELS))


def mean_difference(first_hw: NDArray[Any], second_hw: NDArray[Any]) -> float:
    """Mean absolute difference in grey levels."""
    return float(cv2.mean(cv2.absdiff(first_hw, second_hw))[0])


def fine_detail(grey_hw: GreyImage) -> float:
    """Mean of what smoothing takes away, in grey levels: texture and noise."""
    return mean_difference(grey_hw, _smooth(grey_hw))


def _smooth(grey_hw: GreyImage) -> GreyImage:
    """Less noise: noise has corners, too."""
    return np.asarray(cv2.GaussianBlur(grey_hw, (5, 5), 1.0), np.uint8)


def _even(smooth_hw: GreyImage) -> GreyImage:
    """Mean 128 and deviation `EVEN_LEVELS` in every window, but where there is little to see."""
    levels_hw = smooth_hw.astype(np.float32)
    mean_hw = _window_means(levels_hw)
    variance_hw = np.maximum(_window_means(levels_hw * levels_hw) - mean_hw * mean_hw, 0)
    gain_hw = EVEN_LEVELS / (np.sqrt(variance_hw) + FAINT_LEVELS)
    size = (smooth_hw.shape[1], smooth_hw.shape[0])
    gains_hw, shifts_hw = (cv2.resize(part, size) for part in (gain_hw, 128 - mean_hw * gain_hw))
    even_hw = cv2.add(cv2.multiply(levels_hw, gains_hw), shifts_hw, dtype=cv2.CV_8U)
    return np.asarray(even_hw, np.uint8)


def _window_means(levels_hw: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of the windows around every cell."""
    height, width = levels_hw.shape
    cells = (max(1, width // EVEN_CELL_PX), max(1, height // EVEN_CELL_PX))
    cells_hw = cv2.resize(levels_hw, cells, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.blur(cells_hw, (EVEN_WINDOW_CELLS, EVEN_WINDOW_CELLS)), np.float32)


def block_means(grey_hw: GreyImage) -> NDArray[np.float32]:
    """Coarse image of the means of blocks, which noise hardly moves."""
    size = (max(1, grey_hw.shape[1] // BLOCK_PX), max(1, grey_hw.shape[0] // BLOCK_PX))
    means_hw = cv2.resize(grey_hw.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(means_hw, np.float32)


def _lucas_kanade(
    first_hw: GreyImage,
    second_hw: GreyImage,
    points_n2: NDArray[np.float32],
    guess_n2: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    moved, status, difference = cv2.calcOpticalFlowPyrLK(
        first_hw,
        second_hw,
        points_n2,
        guess_n2.copy(),
        winSize=(LK_WINDOW_PX, LK_WINDOW_PX),
        maxLevel=LK_LEVELS,
        criteria=LK_STOP,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return _points(moved), (status.reshape(-1) > 0) & (difference.reshape(-1) < ALIKE_LEVELS)


def _points(points: Any) -> NDArray[np.float32]:
    """(n, 2), from OpenCV's changing shapes."""
    return np.asarray([] if points is None else points, np.float32).reshape(-1, 2)
