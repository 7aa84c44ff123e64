"""Reads what a run published and finds its frames in a posed set."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from mvrecon.datasets.posed import PosedImage, PosedSet
from mvrecon.errors import InputError
from mvrecon.formats.trajectory import read_trajectory

COLUMNS = {"name", "source", "posed"}


@dataclass(frozen=True)
class RunFrame:
    """A key frame of a run.

    Attributes:
        name: six digits.
        source: file name, or frame number in the video.
        world_from_cam: (4, 4) in the run's world, None if it has no pose.
    """

    name: str
    source: str
    world_from_cam: NDArray[np.float64] | None


@dataclass(frozen=True)
class MatchedFrame:
    """A posed key frame of a run and what is true of it.

    Attributes:
        name: of the key frame.
        world_from_cam: (4, 4) in the run's world.
        truth: its entry in the posed set.
    """

    name: str
    world_from_cam: NDArray[np.float64]
    truth: PosedImage


def read_key_frames(run_dir: Path) -> list[RunFrame]:
    """The key frames in `frames.csv` with their poses in `trajectory.txt`.

    Raises:
        InputError: a file is missing, or the two do not agree.
    """
    remedy = f"Make it with: mvrecon run INPUT -o {run_dir}"
    for name in ("frames.csv", "trajectory.txt"):
        if not (run_dir / name).is_file():
            raise InputError(f"{run_dir} has no {name}", remedy)
    with (run_dir / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not rows[0].keys() >= COLUMNS:
        raise InputError(f"{run_dir / 'frames.csv'} lacks {COLUMNS - rows[0].keys()}", remedy)
    poses = read_trajectory(run_dir / "trajectory.txt").world_from_cam_n44
    posed = sum(row["posed"] == "1" for row in rows)
    if posed != len(poses):
        raise InputError(
            f"{run_dir}: frames.csv has {posed} posed frames, trajectory.txt has {len(poses)}",
            remedy,
        )
    remaining = iter(poses)
    frames = [
        RunFrame(row["name"], row["source"], next(remaining) if row["posed"] == "1" else None)
        for row in rows
    ]
    return [frame for frame in frames if frame.name]


def match_frames(frames: Sequence[RunFrame], posed_set: PosedSet) -> list[MatchedFrame]:
    """The posed key frames that the set knows the truth of, in the run's order.

    A file's name is looked for among the names of the set's files; a source that is a
    mere number is the frame of that number: the entry at that position.

    Raises:
        InputError: the set has none of the run's key frames, or fewer frames than the video.
    """
    remedy = "Give the set that the run's input belongs to"
    last = max((int(frame.source) for frame in frames if frame.source.isdecimal()), default=-1)
    if last >= len(posed_set.images):
        raise InputError(
            f"{posed_set.root} has {len(posed_set.images)} frames, the run's video has more",
            remedy,
        )
    names = Counter(PurePosixPath(image.file).name for image in posed_set.images)
    by_name = {
        PurePosixPath(image.file).name: image
        for image in posed_set.images
        if names[PurePosixPath(image.file).name] == 1
    }
    truths = [_truth_of(frame.source, by_name, posed_set.images) for frame in frames]
    if not any(truths):
        first = frames[0].source if frames else "none"
        raise InputError(
            f"{posed_set.root} has none of the run's key frames (the first comes from {first})",
            remedy,
        )
    return [
        MatchedFrame(frame.name, frame.world_from_cam, truth)
        for frame, truth in zip(frames, truths, strict=True)
        if truth is not None and frame.world_from_cam is not None
    ]


def _truth_of(
    source: str, by_name: dict[str, PosedImage], images: Sequence[PosedImage]
) -> PosedImage | None:
    if source.isdecimal():
        return images[int(source)]
    return by_name.get(PurePosixPath(source).name)
