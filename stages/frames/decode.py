"""What the frames stage does in a child process, since files may crash their decoders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FrameRecord, FrameTable
from mvrecon.artifacts.image_motion import ImageMotion
from mvrecon.atomic import replacing
from mvrecon.engine.processes.channel import report_progress
from mvrecon.formats.frame_view import Face, FrameView
from mvrecon.formats.images import (
    ImageHeader,
    list_images,
    read_header,
    write_jpeg,
    write_png,
)
from mvrecon.formats.masks import Masks
from mvrecon.formats.video import Video
from mvrecon.geometry.resize import fit_size, resize_by_area
from stages.frames.camera_prior import make_camera, make_priors
from stages.frames.choosing.appearance import UNREADABLE, look_at_frames
from stages.frames.choosing.neighbours import MotionMeter
from stages.frames.choosing.order import Order, measure_order
from stages.frames.choosing.selection import (
    Limits,
    Selection,
    select_from_sequence,
    select_from_set,
)
from stages.frames.source import SourceFrame, Trim, folder_frames, video_frames
from stages.frames.views import find_views, viewed

if TYPE_CHECKING:
    from stages.frames.config import FramesConfig

# A folder whose neighbours move at least this part of the wanted parallax is a chosen set.
CHOSEN_STEP = 0.5
PROGRESS_EVERY = 10  # frames


@dataclass(frozen=True)
class KeyFrameSettings:
    """How key frames are stored.

    Attributes:
        longest_px: bound of the longer side.
        jpeg_quality: in percent.
        start_s: start of the trimmed video, from which indices count.
        masks: folder of the masks, if they are given.
        view: what is taken of the frames; None: all.
    """

    longest_px: int
    jpeg_quality: int
    start_s: float
    masks: Path | None = None
    view: FrameView | None = None


def choose_from_input(
    path: Path, config: FramesConfig
) -> tuple[list[tuple[FrameView | None, FrameTable]], list[str]]:
    """The key frames of each view of an input, and warnings; most have one, of whole frames.

    Raises:
        MvreconError: as `choose_key_frames`.
    """
    views, warnings = find_views(path, config)
    tables = []
    for view in views:
        table, told = choose_key_frames(path, config, view)
        tables.append((view, table))
        warnings += [warning for warning in told if warning not in warnings]
    return tables, warnings


def choose_key_frames(
    path: Path, config: FramesConfig, view: FrameView | None = None
) -> tuple[FrameTable, list[str]]:
    """Look at all frames and choose.

    Args:
        path: video file or image folder.
        config: options of the stage.
        view: what is taken of the frames; None: all.

    Returns:
        The table of all frames, and warnings.

    Raises:
        InputError: nothing readable.
        NotEnoughDataError: nothing to reconstruct.
        UsageError: the given intrinsics or masks do not suit the frames.
    """
    # Some of OpenCV's flow depends on the number of threads; results must not.
    cv2.setNumThreads(1)
    choose = _choose_from_folder if path.is_dir() else _choose_from_video
    table, warnings = choose(path, config, view)
    masks = Masks(config.masks, path if path.is_dir() else None)
    masks.require_any([frame.source for frame in table.key_frames])
    return table, warnings


def write_key_frames(
    path: Path,
    names: Mapping[int, str],
    folder: Path,
    settings: KeyFrameSettings,
    in_order: bool,
) -> None:
    """Decode again and write the key frames, each in one step.

    Args:
        path: video file or image folder.
        names: of the key frames, by index of the frame.
        folder: where `NAME.jpg` and, for a sequence, the image's motion `NAME.npz` go, and
            `NAME.png`, where not all of the frame is kept.
        settings: how to store them.
        in_order: whether the input is a sequence.
    """
    cv2.setNumThreads(1)
    if path.is_dir():
        frames = folder_frames(list_images(path))
    else:
        frames = video_frames(Video(path), Trim(settings.start_s))
    masks = Masks(settings.masks, path if path.is_dir() else None)
    last = max(names)
    meter = MotionMeter(names if in_order else ())
    written = 0
    for frame in viewed(frames, settings.view):
        _save_motions(meter.finished(frame), names, folder)
        if frame.index > last:
            return
        if name := names.get(frame.index):
            rgb_hw3 = frame.rgb_hw3(settings.longest_px)
            # Before the image, which tells that both are there.
            kept_hw = _kept(masks, frame.source, rgb_hw3.shape[1::-1], settings.view)
            if kept_hw is not None:
                with replacing(folder / f"{name}.png") as temporary:
                    write_png(temporary, kept_hw.astype(np.uint8) * 255)
            with replacing(folder / f"{name}.jpg") as temporary:
                write_jpeg(temporary, rgb_hw3, settings.jpeg_quality)
            written += 1
            report_progress(written, len(names), "key frame")
    _save_motions(meter.last(), names, folder)


def _kept(
    masks: Masks, source: str, size_wh: tuple[int, ...], view: FrameView | None
) -> NDArray[np.bool_] | None:
    """What is kept of a picture of this size; None if all is."""
    width, height = size_wh
    if view is None:
        return masks.kept(source, (width, height))
    whole_hw = masks.kept(source, view.whole)
    if whole_hw is None:
        return None
    levels_hw = whole_hw.astype(np.uint8) * 255

    def read(longest_px: int | None) -> NDArray[np.uint8]:
        return resize_by_area(levels_hw, fit_size(view.whole, longest_px))

    return np.asarray(view.read(read, max(width, height)) > 127)


def _save_motions(
    motions: Iterable[tuple[int, ImageMotion]], names: Mapping[int, str], folder: Path
) -> None:
    for index, motion in motions:
        with replacing(folder / f"{names[index]}.npz") as temporary:
            motion.save(temporary)


def _choose_from_video(
    path: Path, config: FramesConfig, view: FrameView | None
) -> tuple[FrameTable, list[str]]:
    video = Video(path)
    frames = video_frames(video, Trim(config.start_s, config.end_s))
    looks = look_at_frames(_with_progress(viewed(frames, view), video.expected_frames))
    selection = select_from_sequence(looks, selection_limits(config), path)
    order = Order("sequence", "a video is a sequence")
    headers = {index: ImageHeader(video.size, None) for index in selection.kept}
    warnings = [f"{path.name} is damaged: {video.damage}"] if video.damage else []
    return _finish(selection, order, headers, config, warnings, view=view)


def _choose_from_folder(
    path: Path, config: FramesConfig, view: FrameView | None
) -> tuple[FrameTable, list[str]]:
    images = list_images(path)
    order = measure_order(images)
    looks = look_at_frames(_with_progress(viewed(folder_frames(images), view), len(images)))
    finely_spaced = order.step < CHOSEN_STEP * config.min_parallax
    is_sequence = config.kind == "sequence" or (config.kind == "auto" and order.kind == "sequence")
    if is_sequence and finely_spaced:
        selection = select_from_sequence(looks, selection_limits(config), path)
    else:
        selection = select_from_set(looks, selection_limits(config), path, in_order=is_sequence)
    headers = {index: read_header(images[index]) for index in selection.kept}
    unreadable = [look.flaw for look in selection.looks if look.flaw.startswith(UNREADABLE)]
    return _finish(selection, order, headers, config, unreadable, view=view)


def _finish(
    selection: Selection,
    order: Order,
    headers: Mapping[int, ImageHeader],
    config: FramesConfig,
    warnings: list[str],
    *,
    view: FrameView | None,
) -> tuple[FrameTable, list[str]]:
    given: Sequence[float] | None = config.camera
    if view is not None:
        given = _given_of_view(view, given)
        headers = {
            index: _header_of_view(view, header) if header.size == view.whole else header
            for index, header in headers.items()
        }
    cameras, camera_of, camera_warnings = make_priors(headers, given, config.max_size)
    kind, reason = order.kind, order.reason
    if config.kind != "auto":
        kind, reason = config.kind, f"asked for by --frames.kind {config.kind}"
    geodetic = {index: header.geodetic for index, header in headers.items()}
    records = tuple(_records(selection, camera_of, geodetic))
    table = FrameTable(kind, reason, cameras, records)
    return table, [*warnings, *camera_warnings, *selection.warnings]


def _header_of_view(view: FrameView, header: ImageHeader) -> ImageHeader:
    """What a view says of itself."""
    focal_px = view.focal_px if isinstance(view, Face) else header.focal_px
    return replace(header, size=view.size, focal_px=focal_px)


def _is_guess(view: FrameView) -> bool:
    """Whether a view's camera is to be refined: no fisheye is quite as it is taken to be."""
    return isinstance(view, Face) and view.lens == "fisheye"


def _given_of_view(view: FrameView, given: Sequence[float] | None) -> Sequence[float] | None:
    """Intrinsics of the whole frames, as those of the view."""
    camera = view.camera(make_camera(given, view.whole) if given else None)
    if camera is None or _is_guess(view):
        return None
    return (camera.fx, camera.fy, camera.cx, camera.cy, *camera.distortion)


def _records(
    selection: Selection,
    camera_of: Mapping[int, int],
    geodetic: Mapping[int, tuple[float, float, float] | None],
) -> Iterator[FrameRecord]:
    for look in selection.looks:
        yield FrameRecord(
            index=look.index,
            name=f"{look.index:06d}" if look.index in camera_of else "",
            source=look.source,
            timestamp_s=round(look.timestamp_s, 6),
            camera=camera_of.get(look.index, 0),
            sharpness=round(look.sharpness, 4),
            reason=selection.reasons.get(look.index, ""),
            geodetic=geodetic.get(look.index),
            poses_only=look.index in selection.poses_only,
            after_cut=look.index in selection.cuts,
        )


def selection_limits(config: FramesConfig) -> Limits:
    """What the options say of the choice."""
    return Limits(config.max, config.min_parallax, config.every_frame, config.selection)


def _with_progress(frames: Iterable[SourceFrame], total: int) -> Iterator[SourceFrame]:
    for frame in frames:
        if frame.index % PROGRESS_EVERY == 0:
            report_progress(frame.index, max(total, frame.index) or None, "frame")
        yield frame
