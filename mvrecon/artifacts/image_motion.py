"""How the image of a key frame moves while it is taken: part of the frames stage's result.

The frames of a video just before and after a key frame show it. A rolling shutter reads rows
one after the other: what a row shows had moved, or had yet to move, from where it was when
the middle row was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.sampling import rescale_pixels, sample_bilinear

FloatArray = NDArray[np.float64]


def motion_item(name: str) -> str:
    """Item that holds the motion of the key frame `name`."""
    return f"motion/{name}.npz"


@dataclass(frozen=True)
class ImageMotion:
    """Displacements to the frames before and after, on a coarse grid over the image.

    Attributes:
        before_hw2, after_hw2: float32 displacement to the frame [shares of the image's width].
        before_s, after_s: time of that frame less the key frame's; 0 where there is none.
    """

    before_hw2: NDArray[np.float32]
    after_hw2: NDArray[np.float32]
    before_s: float
    after_s: float

    def save(self, path: Path) -> None:
        """Write as .npz, displacements in 16 bits."""
        with path.open("wb") as file:
            np.savez(
                file,
                before_hw2=self.before_hw2.astype(np.float16),
                after_hw2=self.after_hw2.astype(np.float16),
                times_s=np.array([self.before_s, self.after_s]),
            )

    @classmethod
    def load(cls, path: Path) -> ImageMotion:
        """Read what `save` wrote."""
        with np.load(path) as data:
            before_s, after_s = (float(time_s) for time_s in data["times_s"])
            before_hw2 = data["before_hw2"].astype(np.float32)
            return cls(before_hw2, data["after_hw2"].astype(np.float32), before_s, after_s)

    def row_motion(
        self, xy_m2: FloatArray, size_wh: tuple[int, int], readout_s: float
    ) -> FloatArray:
        """How far pixels are from where they would be at the middle row's time.

        Args:
            xy_m2: pixels as they are seen.
            size_wh: of the image that they are pixels of.
            readout_s: time from the first row to the last.

        Returns:
            (m, 2) for a second of read-out: times `readout_s` it is the distance in pixels.
        """
        height = size_wh[1]
        late_m1 = ((xy_m2[:, 1] - 0.5 * (height - 1)) / height)[:, None]
        speeds = [
            self._speed(grid_hw2, time_s, xy_m2, size_wh, readout_s)
            for grid_hw2, time_s in (
                (self.before_hw2, self.before_s),
                (self.after_hw2, self.after_s),
            )
            if time_s
        ]
        if not speeds:
            return np.zeros_like(xy_m2)
        (first_m2, first_m1), (last_m2, last_m1) = speeds[0], speeds[-1]
        if len(speeds) == 1:
            return np.asarray(late_m1 * first_m2)
        # Through both ends and the point itself goes one motion of even acceleration.
        half_acceleration_m2 = (last_m2 - first_m2) / (last_m1 - first_m1)
        speed_m2 = last_m2 - half_acceleration_m2 * last_m1
        return np.asarray(late_m1 * (speed_m2 - readout_s * late_m1 * half_acceleration_m2))

    def _speed(
        self,
        grid_hw2: NDArray[np.float32],
        time_s: float,
        xy_m2: FloatArray,
        size_wh: tuple[int, int],
        readout_s: float,
    ) -> tuple[FloatArray, FloatArray]:
        """Mean speed (m, 2) [px/s] towards a frame, and the time (m, 1) until it is there."""
        width, height = size_wh
        shrink_2 = np.array([grid_hw2.shape[1] / width, grid_hw2.shape[0] / height])
        moved_m2 = width * sample_bilinear(grid_hw2, rescale_pixels(xy_m2, shrink_2))
        # A point that ends on another row is seen there earlier or later.
        taken_m1 = time_s + readout_s * moved_m2[:, 1:] / height
        return moved_m2 / taken_m1, taken_m1
