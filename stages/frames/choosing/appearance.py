"""What each frame looks like by itself and beside its neighbours: sharp, dark, a duplicate."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from mvrecon.errors import InputError
from mvrecon.geometry.resize import fit_size
from stages.frames.choosing.motion import GreyImage, fine_detail, mean_difference
from stages.frames.source import SourceFrame

# Longer sides of the images that are looked at: blur shows in the larger, and motion is followed
# fast in the smaller.
SHARPNESS_SIZE_PX = 640
MOTION_SIZE_PX = 320

# Of the shorter side of the images in which motion is followed: below, no stage has anything to
# hold on to.
MIN_SIDE_PX = 32
BLUR_PX = 9  # width of the blur whose effect is measured, as in the paper
# Gradients that noise and rounding make in the smoothed image: they are no sharp edges.
NOISE_LEVELS = np.uint8(1)

# A frame is dark if all but 2 % of its pixels are below this grey level.
DARK_LEVEL = 24
DARK_QUANTILE = 0.98
# Mean difference in grey levels: a repeated frame differs only by how it was compressed.
DUPLICATE_LEVELS = 0.25
DUPLICATE_SHARE = 0.1  # of the fine detail at most: where contrast is low, less is a motion
NEIGHBOURS = 8  # frames before and after: about a quarter of a second of video

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
        sharpness: higher is sharper, 0…1.
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
            _require_size(grey_hw, frame.source)
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


def _require_size(grey_hw: GreyImage, source: str) -> None:
    height, width = grey_hw.shape
    if min(height, width) < MIN_SIDE_PX and max(height, width) < SHARPNESS_SIZE_PX:
        raise InputError(
            f"{source} has only {width}×{height} px, too few for any stage",
            f"Give images of {MIN_SIDE_PX} px or more on each side",
        )
    if min(fit_size((width, height), MOTION_SIZE_PX)) < MIN_SIDE_PX:
        raise InputError(
            f"{source} is more than {MOTION_SIZE_PX // MIN_SIDE_PX} times as long as wide",
            "Cut it into parts that overlap",
        )


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
    """How much of the image's gradients a blur takes away, 0…1, in the worse direction.

    What is blurred already loses little; contrast and content matter little. After Crété
    et al., "The blur effect: perception and estimation with a new no-reference perceptual
    blur metric", 2007.
    """
    smooth_hw = np.asarray(cv2.GaussianBlur(grey_hw, (3, 3), 0), np.uint8)
    return min(_gradient_loss(smooth_hw), _gradient_loss(smooth_hw.T))


def _gradient_loss(grey_hw: GreyImage) -> float:
    """Share of the horizontal gradients that a horizontal blur removes."""
    blurred_hw = np.asarray(cv2.blur(grey_hw, (BLUR_PX, 1)), np.uint8)
    gradient_hw = cv2.absdiff(grey_hw[:, 1:], grey_hw[:, :-1])
    left_hw = np.asarray(cv2.absdiff(blurred_hw[:, 1:], blurred_hw[:, :-1])) + NOISE_LEVELS
    total = float(cv2.sumElems(gradient_hw)[0])
    return float(cv2.sumElems(cv2.subtract(gradient_hw, left_hw))[0]) / max(total, 1.0)


def is_dark(grey_hw: GreyImage) -> bool:
    """Whether nearly all of the picture is black."""
    return float(np.quantile(grey_hw, DARK_QUANTILE)) < DARK_LEVEL


def is_duplicate(first_hw: GreyImage, second_hw: GreyImage) -> bool:
    """Whether two small images show the same moment."""
    if first_hw.shape != second_hw.shape:
        return False
    difference = mean_difference(first_hw, second_hw)
    # The detail costs more to measure, and is wanted only now and then.
    return difference < DUPLICATE_LEVELS and difference <= DUPLICATE_SHARE * fine_detail(second_hw)
