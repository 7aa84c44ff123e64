"""What the frames stage will find, from a sparse look at the input; for a child process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.formats.frame_view import FrameView
from mvrecon.formats.images import list_images, read_header
from mvrecon.formats.video import Video
from stages.frames.choosing.appearance import Look, look_at_frames, mark_blurred
from stages.frames.choosing.motion import MotionSince
from stages.frames.choosing.order import measure_order
from stages.frames.choosing.selection import Limits
from stages.frames.decode import CHOSEN_STEP, selection_limits
from stages.frames.source import SourceFrame, Trim, folder_frames, video_frames
from stages.frames.views import find_views, viewed

if TYPE_CHECKING:
    from stages.frames.config import FramesConfig

# Places of the input that are looked at, in frames each: long enough for several key frames of a
# slow camera.
WINDOW = 40
WINDOWS = 6
# Of looking; at least two places are.
MOST_S = 8.0
LEAST_WINDOWS = 2
Size = tuple[int, int]


@dataclass(frozen=True)
class Expected:
    """What is expected of an input.

    Attributes:
        kind: of the input.
        frames: that will be considered.
        key_frames: that will be chosen of them.
        size: (width, height) of the upright original frames.
        look_s: processor time of looking at one frame on this machine.
    """

    kind: Literal["sequence", "photos"]
    frames: int
    key_frames: int
    size: Size
    look_s: float


def expect(path: Path, config: FramesConfig) -> Expected:
    """Look at some places of a video or folder.

    Raises:
        InputError: it is missing or cannot be read.
    """
    cv2.setNumThreads(1)
    views, _ = find_views(path, config)
    seen = (_expect_folder if path.is_dir() else _expect_video)(path, config, views[0])
    if views[0] is None:
        return seen
    count = len(views)
    return replace(
        seen,
        frames=count * seen.frames,
        key_frames=count * seen.key_frames,
        size=views[0].size,
    )


def together(inputs: Sequence[Expected]) -> Expected:
    """What is expected of several inputs: as of one with the largest frames of them."""
    frames = sum(one.frames for one in inputs)
    return Expected(
        "photos" if all(one.kind == "photos" for one in inputs) else "sequence",
        frames,
        sum(one.key_frames for one in inputs),
        max((one.size for one in inputs), key=lambda size: size[0] * size[1]),
        sum(one.look_s * one.frames for one in inputs) / frames,
    )


def _expect_video(path: Path, config: FramesConfig, view: FrameView | None) -> Expected:
    video = Video(path)
    total = video.expected_frames
    start, end = _trimmed(video, config)
    count = max(round((end - start) * total), 1)
    if count <= WINDOW * LEAST_WINDOWS:
        trim = Trim(config.start_s, config.end_s)
        windows: Iterator[Iterator[SourceFrame]] = iter([video_frames(video, trim)])
    else:
        shares = start + (end - start) * _places(count) / count
        windows = (_video_window(video, share) for share in shares)
    seen = _look((viewed(window, view) for window in windows), selection_limits(config))
    count = max(count, seen.frames if total == 0 else 1)
    return seen.expected("sequence", count, video.size, selection_limits(config))


def _trimmed(video: Video, config: FramesConfig) -> tuple[float, float]:
    """Part of the video that is taken, as shares of its duration."""
    duration_s = video.expected_frames / video.frame_rate
    if not duration_s:
        return 0.0, 1.0
    end_s = duration_s if config.end_s is None else min(config.end_s, duration_s)
    return min(config.start_s, end_s) / duration_s, end_s / duration_s


def _video_window(video: Video, share: float) -> Iterator[SourceFrame]:
    for frame in islice(video.frames_from(share), WINDOW):
        yield SourceFrame(frame.number, "", frame.timestamp_s, frame.grey_hw, frame.rgb_hw3)


def _expect_folder(path: Path, config: FramesConfig, view: FrameView | None) -> Expected:
    images = list_images(path)
    order = measure_order(images)
    kind = order.kind if config.kind == "auto" else config.kind
    limits = selection_limits(config)
    is_spaced = kind == "sequence" and order.step < CHOSEN_STEP * config.min_parallax
    windows = (folder_frames(images[place : place + WINDOW]) for place in _places(len(images)))
    views = (viewed(window, view) for window in windows)
    seen = _look(views, limits, is_chosen=not is_spaced)
    return seen.expected(kind, len(images), read_header(images[0]).size, limits)


def _places(count: int) -> NDArray[np.int64]:
    """First frames of the windows, those first that are looked at in any case."""
    if count <= WINDOW * LEAST_WINDOWS:
        return np.arange(0, count, WINDOW)
    return np.linspace(0, count - WINDOW, WINDOWS).round().astype(int)[[1, 4, 0, 2, 5, 3]]


@dataclass
class _Seen:
    """Sums over the windows: frames, steps between them, key frames that these make, seconds."""

    frames: int = 0
    steps: int = 0
    spacings: float = 0.0
    passed_s: float = 0.0

    def expected(
        self, kind: Literal["sequence", "photos"], count: int, size: Size, limits: Limits
    ) -> Expected:
        """The same of the whole input."""
        key_frames = 1 + round((count - 1) * self.spacings / max(self.steps, 1))
        if limits.every_frame:
            key_frames = count
        elif limits.max_frames is not None:
            key_frames = min(key_frames, limits.max_frames)
        key_frames = min(max(key_frames, limits.few), count)
        return Expected(kind, count, key_frames, size, self.passed_s / max(self.frames, 1))


def _look(
    windows: Iterator[Iterator[SourceFrame]], limits: Limits, is_chosen: bool = False
) -> _Seen:
    """Choose key frames in each window, until the time is over.

    Raises:
        InputError: no frame can be read.
    """
    seen = _Seen()
    for number, window in enumerate(windows):
        if number >= LEAST_WINDOWS and seen.passed_s > MOST_S:
            break
        started_s = time.process_time()
        looks = list(mark_blurred(look_at_frames(window), limits.selection.min_sharpness))
        usable = [look for look in looks if not look.flaw]
        seen.frames += len(looks)
        seen.steps += max(len(looks) - 1, 0)
        seen.spacings += max(len(usable) - 1, 0) if is_chosen else _spacings(usable, limits)
        seen.passed_s += time.process_time() - started_s
    if not seen.frames:
        raise InputError("no frame can be read", "Copy or export the file again")
    return seen


def _spacings(usable: Sequence[Look], limits: Limits) -> float:
    """Distances between key frames, in their number; the last may be a part of one."""
    chosen = list(limits.key_frames(iter(usable), limits.parallax))
    if not chosen:
        return 0.0
    rest = [look for look in usable if look.index > chosen[-1].index]
    if not rest:
        return float(len(chosen) - 1)
    since = MotionSince(chosen[-1].grey_hw)
    motions = [since.measure(look.grey_hw) for look in rest]
    return len(chosen) - 1 + min(motions[-1].parallax / limits.parallax, 1.0)
