"""What each frame looks like by itself and beside its neighbours: sharp, dark, a duplicate."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.geometry.resize import fit_size
from stages.frames.motion import GreyImage, mean_difference
from stages.frames.source import SourceFrame

SHARPNESS_SIZE_PX = 640
MOTION_SIZE_PX = 320

CONTRAST_WINDOW_PX = 15
# Variance [grey levels²] of noise: without it an empty wall would count as sharp.
NOISE_VARIANCE = 4.0

DARK_LEVEL = 24
DARK_QUANTILE = 0.98
# A repeated frame differs only by how it was compressed.
DUPLICATE_LEVELS = 0.25
NEIGHBOURS = 8

DARK = "dark"
DUPLICATE = "duplicate"
UNREADABLE = "unreadable"
NO_PICTURE = np.zeros((0, 0), np.uint8)


@dataclass(frozen=True)
class Look:
    """A frame as the choice of key frames sees it.

    Attributes:
        index: among all frames considered.
        source: file name, or frame number in the video.
        timestamp_s: presentation time.
        grey_hw: small image for motion.
        sharpness: higher is sharper, dimensionless.
        flaw: why it is of no use at all (dark, duplicate, unreadable), or empty.
        blur: why it should be avoided, or empty.
    """

    index: int
    source: str
    timestamp_s: float
    grey_hw: GreyImage
    sharpness: float = 0.0
    flaw: str = ""
    blur: str = ""


def look_at_frames(frames: Iterable[SourceFrame]) -> Iterator[Look]:
    """Sharpness, darkness and duplicates, frame by frame."""
    last_hw: GreyImage | None = None
    last_index = 0
    for frame in frames:
        try:
            grey_hw = frame.grey_hw(SHARPNESS_SIZE_PX)
        except InputError as error:
            flaw = f"{UNREADABLE}: {error.what}"
            yield Look(frame.index, frame.source, frame.timestamp_s, NO_PICTURE, 0.0, flaw)
            continue
        size = fit_size((grey_hw.shape[1], grey_hw.shape[0]), MOTION_SIZE_PX)
        small_hw = np.asarray(cv2.resize(grey_hw, size, interpolation=cv2.INTER_AREA), np.uint8)
        flaw = ""
        if is_dark(small_hw):
            flaw = DARK
        elif last_hw is not None and is_duplicate(last_hw, small_hw):
            flaw = f"{DUPLICATE}: no change since frame {last_index:06d}"
        else:
            last_hw, last_index = small_hw, frame.index
        sharpness = measure_sharpness(grey_hw)
        yield Look(frame.index, frame.source, frame.timestamp_s, small_hw, sharpness, flaw)


def mark_blurred(looks: Iterable[Look], below: float) -> Iterator[Look]:
    """Mark frames that are less sharp than `below` times the median of their neighbours.

    Looks up to `NEIGHBOURS` frames ahead and back; duplicates and dark frames do not count.
    """
    before: deque[float] = deque(maxlen=NEIGHBOURS)
    ahead: deque[Look] = deque()
    for look in looks:
        ahead.append(look)
        if len(ahead) > NEIGHBOURS:
            yield _mark_first(ahead, before, below)
    while ahead:
        yield _mark_first(ahead, before, below)


def _mark_first(ahead: deque[Look], before: deque[float], below: float) -> Look:
    look = ahead.popleft()
    if look.flaw:
        return look
    after = [other.sharpness for other in ahead if not other.flaw]
    usual = float(np.median([*before, look.sharpness, *after]))
    before.append(look.sharpness)
    if look.sharpness >= below * usual:
        return look
    blur = f"blurred: sharpness {look.sharpness:.2f}, its neighbours' {usual:.2f}"
    return replace(look, blur=blur)


def measure_sharpness(grey_hw: GreyImage) -> float:
    """Gradient energy over local contrast: how steep edges are, whatever is in the picture.

    After the focus measures compared by Pertuz et al., "Analysis of focus measure operators
    for shape-from-focus", 2013 (gradient energy and grey-level variance).
    """
    smooth_hw = np.asarray(cv2.GaussianBlur(grey_hw, (3, 3), 0), np.uint8)
    gradient_energy = _mean_square(smooth_hw[:, 1:], smooth_hw[:, :-1]) + _mean_square(
        smooth_hw[1:], smooth_hw[:-1]
    )
    window = (CONTRAST_WINDOW_PX, CONTRAST_WINDOW_PX)
    variance = _mean_square(smooth_hw, np.asarray(cv2.blur(smooth_hw, window), np.uint8))
    return float(np.sqrt(gradient_energy / (variance + NOISE_VARIANCE)))


def _mean_square(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Mean squared difference."""
    return float(cv2.norm(first, second, cv2.NORM_L2SQR)) / first.size


def is_dark(grey_hw: GreyImage) -> bool:
    """Whether nearly all of the picture is black."""
    return float(np.quantile(grey_hw, DARK_QUANTILE)) < DARK_LEVEL


def is_duplicate(first_hw: GreyImage, second_hw: GreyImage) -> bool:
    """Whether two small images show the same moment."""
    return (
        first_hw.shape == second_hw.shape
        and mean_difference(first_hw, second_hw) < DUPLICATE_LEVELS
    )
