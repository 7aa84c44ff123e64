"""The user's input as one stream of frames, be it a video or a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.formats.images import read_grey, read_rgb, text_name
from mvrecon.formats.video import Video

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class SourceFrame:
    """A frame whose pixels are read when asked for.

    Attributes:
        index: among all frames considered.
        source: file name, or frame number in the video.
        timestamp_s: presentation time; the index for images.
        grey_hw, rgb_hw3: give the upright image, its longer side at most so many pixels;
            they raise InputError if it cannot be read.
    """

    index: int
    source: str
    timestamp_s: float
    grey_hw: Callable[[int | None], Pixels]
    rgb_hw3: Callable[[int | None], Pixels]


@dataclass(frozen=True)
class Trim:
    """Part of a video, in seconds from its first frame."""

    start_s: float = 0.0
    end_s: float | None = None


def video_frames(video: Video, trim: Trim) -> Iterator[SourceFrame]:
    """Frames of the trimmed video.

    Raises:
        InputError: nothing can be decoded, or nothing is left by the trimming.
    """
    first_s: float | None = None
    index = 0
    for frame in video:
        first_s = frame.timestamp_s if first_s is None else first_s
        since_start_s = frame.timestamp_s - first_s
        if since_start_s < trim.start_s:
            continue
        if trim.end_s is not None and since_start_s > trim.end_s:
            break
        yield SourceFrame(index, str(frame.number), frame.timestamp_s, frame.grey_hw, frame.rgb_hw3)
        index += 1
    if index == 0:
        raise InputError(
            f"{video.path} has no frame between {trim.start_s:g} s and "
            + ("its end" if trim.end_s is None else f"{trim.end_s:g} s"),
            "Change --frames.start_s or --frames.end_s",
        )


def folder_frames(paths: Iterable[Path]) -> Iterator[SourceFrame]:
    """The images of a folder, in the order given."""
    for index, path in enumerate(paths):
        yield _image_frame(index, path)


def _image_frame(index: int, path: Path) -> SourceFrame:
    def grey_hw(longest_px: int | None) -> Pixels:
        return read_grey(path, longest_px)

    def rgb_hw3(longest_px: int | None) -> Pixels:
        return read_rgb(path, longest_px)

    return SourceFrame(index, text_name(path), float(index), grey_hw, rgb_hw3)
