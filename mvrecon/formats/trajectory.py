"""Trajectories in TUM's format: `timestamp tx ty tz qx qy qz qw`, world_from_cam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.geometry.rigid import quaternion_from_rotation, rigid, rotation_from_quaternion


@dataclass(frozen=True)
class Trajectory:
    """Timed camera poses.

    Attributes:
        timestamp_s_n: times.
        world_from_cam_n44: poses, OpenCV axes.
    """

    timestamp_s_n: NDArray[np.float64]
    world_from_cam_n44: NDArray[np.float64]

    @property
    def path_length(self) -> float:
        """Length of the path through the camera centres, in world units."""
        steps_n3 = np.diff(self.world_from_cam_n44[:, :3, 3], axis=0)
        return float(np.linalg.norm(steps_n3, axis=1).sum())


def trajectory_text(timestamps_s: Sequence[float], poses: Sequence[NDArray[np.float64]]) -> str:
    """Text of a TUM file: one line for each pose `world_from_cam` (4, 4)."""
    lines = []
    for timestamp_s, pose in zip(timestamps_s, poses, strict=True):
        w, *xyz = quaternion_from_rotation(pose[:3, :3])
        values = " ".join(f"{value:.9g}" for value in (*pose[:3, 3], *xyz, w))
        lines.append(f"{timestamp_s:.6f} {values}\n")
    return "".join(lines)


def read_trajectory(path: Path) -> Trajectory:
    """Read a TUM file; lines that start with # are comments.

    Raises:
        InputError: the file is missing or a line does not hold eight numbers.
    """
    remedy = "Each line needs: timestamp tx ty tz qx qy qz qw"
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path} ({error})", remedy) from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            row = [float(value) for value in line.split()]
        except ValueError:
            row = []
        if len(row) != 8 or not np.any(row[4:]) or not np.isfinite(row).all():
            raise InputError(f"{path} line {number} is not a pose", remedy)
        rows.append(row)
    poses = [
        rigid(rotation_from_quaternion(np.array([row[7], *row[4:7]])), np.array(row[1:4]))
        for row in rows
    ]
    return Trajectory(
        np.array([row[0] for row in rows]), np.array(poses, np.float64).reshape(-1, 4, 4)
    )
