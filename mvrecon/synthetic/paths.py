"""Camera paths like those of a hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon import render

FloatArray = NDArray[np.float64]

UP = np.array([0.0, 0.0, 1.0])
SHAKE_HZ = (0.45, 0.8, 1.3, 2.1, 3.4)


def look_at(position: FloatArray, target: FloatArray, roll_rad: float = 0.0) -> FloatArray:
    """world_from_cam (4, 4) of a camera upright about z (before its roll), OpenCV axes.

    Args:
        position: of the camera, not above or below the target.
        target: on the optical axis.
        roll_rad: about the optical axis.
    """
    pose = render.look_at(position, target, UP)
    right, down = pose[:3, 0].copy(), pose[:3, 1].copy()
    cosine, sine = np.cos(roll_rad), np.sin(roll_rad)
    pose[:3, 0] = cosine * right + sine * down
    pose[:3, 1] = -sine * right + cosine * down
    return pose


def shake(times_s: FloatArray, size: float, rng: np.random.Generator) -> FloatArray:
    """A smooth random swing (n,) of standard deviation about `size`: slow is large."""
    frequencies = np.array(SHAKE_HZ) * rng.uniform(0.8, 1.25, len(SHAKE_HZ))
    amplitudes = frequencies**-1.3
    phases = rng.uniform(0, 2 * np.pi, len(SHAKE_HZ))
    waves = np.sin(2 * np.pi * np.outer(times_s, frequencies) + phases) @ amplitudes
    return np.asarray(waves * (size / np.sqrt((amplitudes**2).sum() / 2)))


@dataclass(frozen=True)
class HandArc:
    """A hand that carries a camera round something.

    Attributes:
        target_m: what the camera looks at.
        radius_m: mean distance from the target, measured horizontally.
        height_m: of the camera above the target at the start and at the end.
        from_deg, to_deg: azimuth of the camera seen from the target.
        shake_m: standard deviation of the swing of the hand.
        aim_shake_m: the same of the point looked at.
        roll_shake_deg: the same of the roll.
    """

    target_m: tuple[float, float, float]
    radius_m: float
    height_m: tuple[float, float]
    from_deg: float
    to_deg: float
    shake_m: float = 0.012
    aim_shake_m: float = 0.02
    roll_shake_deg: float = 0.8

    def poses(
        self, times_s: FloatArray, seed: int, arc_s: tuple[float, float] | None = None
    ) -> FloatArray:
        """world_from_cam (n, 4, 4) at ascending times.

        Args:
            times_s: of the poses.
            seed: of the shaking.
            arc_s: when the arc begins and ends; with the times if None.
        """
        rng = np.random.default_rng(seed)
        start_s, end_s = arc_s or (times_s[0], times_s[-1])
        progress = (times_s - start_s) / (end_s - start_s if end_s > start_s else 1.0)
        # A hand starts and stops gently, but does not rest.
        progress = 0.7 * progress + 0.3 * progress**2 * (3 - 2 * progress)
        azimuth = np.deg2rad(self.from_deg + (self.to_deg - self.from_deg) * progress)
        height = self.height_m[0] + (self.height_m[1] - self.height_m[0]) * progress
        arc = np.stack(
            [self.radius_m * np.cos(azimuth), self.radius_m * np.sin(azimuth), height], 1
        )
        swing = np.stack([shake(times_s, self.shake_m, rng) for _ in range(3)], 1)
        aim = np.stack([shake(times_s, self.aim_shake_m, rng) for _ in range(3)], 1)
        roll = np.deg2rad(shake(times_s, self.roll_shake_deg, rng))
        positions = np.array(self.target_m) + arc + swing
        return np.stack(
            [
                look_at(position, self.target_m + wobble, float(angle))
                for position, wobble, angle in zip(positions, aim, roll, strict=True)
            ]
        )
