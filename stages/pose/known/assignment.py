"""Which of the given poses belongs to which key frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FrameRecord, FrameTable
from mvrecon.datasets.given_poses import GivenPose
from mvrecon.errors import InputError
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import interpolate_rigid

# Width over height of the poses' images and of ours may differ by rounding.
SAME_SHAPE = 0.01
# A way of matching is taken if it finds so many of the key frames; else the best one is.
ENOUGH = 0.5
# Of the interval between frames; a pose that near is theirs, and between two poses that are
# no more than two intervals apart there is one.
TIME_TOLERANCE = 0.5
# Of the tolerance: times that were only rounded.
EXACT = 0.05

Assigned = dict[str, GivenPose]


def assign_poses(table: FrameTable, given: Sequence[GivenPose], origin: str) -> Assigned:
    """The pose of each key frame that has one, by the key frame's name.

    Images are found by file name, by its stem, or by the key frame's name; a trajectory by
    time (that of a video, or the number that an image's name is, or its index). The frames
    of a video are found by time, by number if the poses' names are numbers, or one by one.

    Args:
        table: of the input.
        given: poses.
        origin: their file, for errors.

    Raises:
        InputError: no key frame has a pose.
    """
    frames = table.key_frames
    best: Assigned = {}
    for found in _ways(table, given):
        if len(found) > len(best):
            best = found
        if len(best) >= ENOUGH * len(frames):
            return best
    if best:
        return best
    named = given[0].file or f"a pose at {given[0].timestamp_s:g} s"
    raise InputError(
        f"{origin} has a pose for none of the {len(frames)} key frames: it has {len(given)}, "
        f"the first is {named}; the first key frame is {_described(table, frames[0])}",
        "Name the images as the input does; for a video give times, or one pose for each frame",
    )


def stored_camera(given: Camera, stored: Camera, name: str) -> Camera:
    """Given intrinsics at the size of the stored key frames.

    Raises:
        InputError: the shapes of the images differ.
    """
    if abs(given.width * stored.height / (given.height * stored.width) - 1) > SAME_SHAPE:
        raise InputError(
            f"the known intrinsics of {name} are for {given.width}×{given.height} px, "
            f"the upright frame has the shape of {stored.width}×{stored.height} px",
            "Give the intrinsics of the whole, upright original images",
        )
    return given.scaled(stored.width, stored.height)


def is_video(table: FrameTable) -> bool:
    """Whether the frames come from a video: their sources are mere numbers."""
    return all(frame.source.isdecimal() for frame in table.frames)


def _described(table: FrameTable, frame: FrameRecord) -> str:
    if is_video(table):
        return f"number {frame.source} of the video, at {frame.timestamp_s:g} s"
    return frame.source


def _ways(table: FrameTable, given: Sequence[GivenPose]) -> Iterator[Assigned]:
    """Matches by one way after the other, the surest first."""
    frames = table.key_frames
    times_s = [frame.timestamp_s for frame in table.frames]
    if not is_video(table):
        yield _by_name(frames, given, lambda name: PurePosixPath(name).name)
        yield _by_name(frames, given, lambda name: PurePosixPath(name).stem)
        if all(_is_number(PurePosixPath(frame.source).stem) for frame in table.frames):
            named_s = [float(PurePosixPath(frame.source).stem) for frame in table.frames]
            yield max(_by_time(table, given, named_s), _by_time(table, given, times_s), key=len)
        else:
            yield _by_time(table, given, times_s)
        yield _by_key_frame(frames, given)
        return
    yield _by_time(table, given, times_s)
    count = int(table.frames[-1].source) + 1
    if len(given) == count:
        yield _by_position(frames, given)
    yield _by_number(frames, given)
    if len(given) > count and given[0].file:
        yield _by_position(frames, given)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def _by_name(
    frames: Sequence[FrameRecord], given: Sequence[GivenPose], part: Callable[[str], str]
) -> Assigned:
    counts = Counter(part(pose.file) for pose in given)
    known = {part(pose.file): pose for pose in given if counts[part(pose.file)] == 1}
    return {
        frame.name: known[part(frame.source)] for frame in frames if part(frame.source) in known
    }


def _by_key_frame(frames: Sequence[FrameRecord], given: Sequence[GivenPose]) -> Assigned:
    """A run's own model: its images are named after the key frames."""
    known = {PurePosixPath(pose.file).stem: pose for pose in given}
    found = {frame.name: known[frame.name] for frame in frames if frame.name in known}
    return found if len(found) == len(given) else {}


def _by_number(frames: Sequence[FrameRecord], given: Sequence[GivenPose]) -> Assigned:
    known = {
        int(stem): pose for pose in given if (stem := PurePosixPath(pose.file).stem).isdecimal()
    }
    return {frame.name: known[int(frame.source)] for frame in frames if int(frame.source) in known}


def _by_position(frames: Sequence[FrameRecord], given: Sequence[GivenPose]) -> Assigned:
    return {frame.name: given[int(frame.source)] for frame in frames}


def _by_time(table: FrameTable, given: Sequence[GivenPose], times_s: Sequence[float]) -> Assigned:
    """Poses at the frames' times, between two poses if there is one on each side."""
    timed = [
        (pose.timestamp_s, row) for row, pose in enumerate(given) if pose.timestamp_s is not None
    ]
    if not timed or len(times_s) < 2:
        return {}
    known = [given[row] for _, row in sorted(timed)]
    known_s = np.array(sorted(time_s for time_s, _ in timed))
    tolerance_s = TIME_TOLERANCE * float(np.median(np.diff(times_s)))
    found: Assigned = {}
    for frame, time_s in zip(table.frames, times_s, strict=True):
        pose = _pose_at(time_s, known, known_s, tolerance_s) if frame.name else None
        if pose:
            found[frame.name] = pose
    return found


def _pose_at(
    time_s: float, known: Sequence[GivenPose], known_s: NDArray[np.float64], tolerance_s: float
) -> GivenPose | None:
    after = int(np.searchsorted(known_s, time_s))
    around = [row for row in (after - 1, after) if 0 <= row < len(known)]
    nearest = min(around, key=lambda row: abs(known_s[row] - time_s))
    gap_s = float(known_s[around[-1]] - known_s[around[0]])
    exact = abs(known_s[nearest] - time_s) < EXACT * tolerance_s
    if len(around) == 2 and not exact and gap_s <= 4 * tolerance_s:
        first, second = (known[row].world_from_cam for row in around)
        share = float((time_s - known_s[around[0]]) / gap_s)
        return replace(known[nearest], world_from_cam=interpolate_rigid(first, second, share))
    return known[nearest] if abs(known_s[nearest] - time_s) <= tolerance_s else None
