"""Which pictures are taken of frames: black bars are cut, 360° and fisheye are looked through."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError, UsageError
from mvrecon.formats.frame_view import Crop, Face, FrameView, Size
from mvrecon.formats.images import list_images, read_grey, read_header
from mvrecon.formats.video import Video
from stages.frames.source import SourceFrame

if TYPE_CHECKING:
    from stages.frames.config import FramesConfig

# Frames that are looked at, and their longer side at first: most inputs have no bars.
SAMPLES = 8
LOOK_PX = 320
# Bars are darker than this in all but a few pixels, which compression leaves; the picture beside
# them is lighter in some frame in so much of its row.
BLACK = 20
FEW = 0.01
LIT = 0.3
# Bars of letterboxed pictures are of one size on both sides; thinner ones come from the codec.
UNEVEN = 0.02
LEAST_BAR = 0.02
LEAST_LEFT = 0.4
# 360°: views of one field, so wide that neighbours overlap.
YAWS_DEG = (0.0, 90.0, 180.0, 270.0)
FACE_DEG = 100.0
# Of a fisheye: beyond, a pinhole's picture is mostly its stretched border.
WIDEST_DEG = 110.0
# What files of 360° say of themselves, in their first or last megabyte.
TOLD = (b"GSpherical:Spherical", b"ProjectionType", b"sv3d")
TOLD_BYTES = 1 << 20
TWO_TO_ONE = 0.01


def find_views(path: Path, config: FramesConfig) -> tuple[list[FrameView | None], list[str]]:
    """The views of an input, one of them None where frames are taken as they are; what is told.

    Raises:
        UsageError: options that do not suit each other.
    """
    try:
        size = _size(path)
    except InputError:
        return [None], []  # who reads all frames tells more of it
    is_round = abs(size[0] / (2 * size[1]) - 1) < TWO_TO_ONE
    projection = config.projection
    if projection == "auto":
        projection = "equirect" if is_round and _is_told(path) else "flat"
    if projection != "flat" and config.camera is not None:
        raise UsageError(
            "--frames.camera is of flat pictures, these are wider", "Leave it out for views"
        )
    if projection == "equirect":
        if not is_round:
            raise UsageError(
                f"{path} has frames of {size[0]}×{size[1]} px: 360° are twice as wide as high",
                "Export it as equirectangular, or: ffmpeg -i IN -vf v360=input=dfisheye OUT",
            )
        return [_face(size, yaw) for yaw in YAWS_DEG], ["360° are seen as four views of 100°"]
    if projection == "fisheye":
        return [_through_fisheye(size, config.field_deg)], []
    told = []
    if is_round and config.bars != "keep":
        told.append("twice as wide as high: if it shows 360°, give --frames.projection equirect")
    box = _bars(path) if config.bars == "auto" and min(size) > LOOK_PX // 4 else None
    if box is None:
        return [None], told
    left, top, right, bottom = box
    cut = f"black bars were cut: left {left}, top {top}, right {right}, bottom {bottom} px"
    return [Crop(size, box)], [cut]


def viewed(frames: Iterable[SourceFrame], view: FrameView | None) -> Iterator[SourceFrame]:
    """The frames as the view shows them."""
    for frame in frames:
        if view is None:
            yield frame
        else:
            yield replace(
                frame,
                grey_hw=partial(view.read, frame.grey_hw),
                rgb_hw3=partial(view.read, frame.rgb_hw3),
            )


def name_of(view: FrameView | None) -> str:
    """What tells views of one input apart."""
    return f"@{view.yaw_deg:.0f}" if isinstance(view, Face) and view.lens == "equirect" else ""


def _face(size: Size, yaw_deg: float) -> Face:
    side = round(size[0] * FACE_DEG / 360)
    focal_px = side / 2 / math.tan(math.radians(FACE_DEG / 2))
    return Face("equirect", size, (side, side), focal_px, yaw_deg)


def _through_fisheye(size: Size, field_deg: float | None) -> Face:
    if field_deg is None:
        raise UsageError(
            "a fisheye's field of view has to be known",
            "Give it across the picture's width: --frames.field_deg 150",
        )
    lens_focal_px = size[0] / math.radians(field_deg)
    half_rad = math.radians(min(field_deg, WIDEST_DEG)) / 2
    # As sharp as the lens in the middle.
    width = round(2 * lens_focal_px * math.tan(half_rad))
    height = round(min(width * size[1] / size[0], 2 * lens_focal_px * math.tan(half_rad)))
    return Face("fisheye", size, (width, height), lens_focal_px, 0.0, lens_focal_px)


def _size(path: Path) -> Size:
    if path.is_dir():
        return read_header(list_images(path)[0]).size
    video = Video(path)
    next(iter(video))
    return video.size


def _is_told(path: Path) -> bool:
    """Whether the file, or the first image, says that it shows 360°."""
    file = list_images(path)[0] if path.is_dir() else path
    with file.open("rb") as stream:
        text = stream.read(TOLD_BYTES)
        stream.seek(max(file.stat().st_size - TOLD_BYTES, 0))
        text += stream.read(TOLD_BYTES)
    return any(word in text for word in TOLD)


def _bars(path: Path) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom: bars that are black in all frames that are looked at."""
    try:
        if _box(_samples(path, LOOK_PX)) is None:
            return None
        return _box(_samples(path, None))
    except InputError:
        return None


def _samples(path: Path, longest_px: int | None) -> list[NDArray[np.uint8]]:
    if path.is_dir():
        images = list_images(path)
        places = np.linspace(0, len(images) - 1, min(SAMPLES, len(images))).astype(int)
        return [read_grey(images[place], longest_px) for place in places]
    video = Video(path)
    shares = np.arange(SAMPLES) / SAMPLES
    return [next(video.frames_from(share)).grey_hw(longest_px) for share in shares]


def _box(frames_hw: Sequence[NDArray[np.uint8]]) -> tuple[int, int, int, int] | None:
    if len({frame.shape for frame in frames_hw}) != 1:
        return None
    stack_thw = np.stack(frames_hw)
    top, bottom = _sides(stack_thw)
    left, right = _sides(stack_thw.swapaxes(1, 2))
    height, width = stack_thw.shape[1:]
    rest = (width - left - right) * (height - top - bottom)
    if rest < LEAST_LEFT * width * height or not (left or top):
        return None
    return left, top, right, bottom


def _sides(stack_thw: NDArray[Any]) -> tuple[int, int]:
    """Rows of a bar at the top and at the bottom; 0, 0 if there are not two alike."""
    lit_th = (stack_thw > BLACK).mean(axis=2)
    lit_h = lit_th.max(axis=0)
    picture = np.flatnonzero(lit_h > FEW)
    height = len(lit_h)
    if not len(picture):
        return 0, 0
    first, last = int(picture[0]), int(height - 1 - picture[-1])
    inside = lit_h[first + 2] if first + 2 < height else 0.0
    is_sharp = min(inside, lit_h[height - 3 - last]) > LIT
    is_even = abs(first - last) <= UNEVEN * height + 2
    if not (is_sharp and is_even and min(first, last) >= LEAST_BAR * height):
        return 0, 0
    return first, last
