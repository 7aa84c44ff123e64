"""Tracks that may still go on, while they are chained."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stages.pose.tracks.track_table import FloatArray, IntArray


@dataclass
class LiveTracks:
    """Tracks that may still go on, one row each.

    Attributes:
        track_n: index of the track.
        frame_n, xy_n2: where it was last seen.
        anchor_n, anchor_xy_n2: where its patch was taken from.
        warp_n22: linear part of the patch's way from there to where it was last seen.
        look_alike_px_n: distance to the nearest point that looks like it, when it was new.
    """

    track_n: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    frame_n: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    xy_n2: FloatArray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    anchor_n: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    anchor_xy_n2: FloatArray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    warp_n22: FloatArray = field(default_factory=lambda: np.zeros((0, 2, 2), np.float32))
    look_alike_px_n: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))

    def keep(self, kept: NDArray[np.bool_] | IntArray) -> None:
        """Only some of them."""
        for name, values in vars(self).items():
            setattr(self, name, values[kept])

    def add(
        self, track_n: IntArray, frame: int, xy_n2: FloatArray, look_alike_px_n: FloatArray
    ) -> None:
        """New ones, which begin in a frame."""
        frame_n = np.full(len(track_n), frame, np.int64)
        warp_n22 = np.tile(np.eye(2, dtype=np.float32), (len(track_n), 1, 1))
        new = LiveTracks(track_n, frame_n, xy_n2, frame_n, xy_n2, warp_n22, look_alike_px_n)
        for name, values in vars(self).items():
            setattr(self, name, np.concatenate([values, getattr(new, name)]))
