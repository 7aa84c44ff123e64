"""Point tracks: where points of the scene are seen in several frames; those that still go on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Tracks:
    """Observations of tracks, sorted by frame and then by track.

    Attributes:
        frame_count: number of frames.
        track_m, frame_m: index of the track and of the frame of each observation.
        xy_m2: pixels of the key frame's image.
    """

    frame_count: int
    track_m: IntArray
    frame_m: IntArray
    xy_m2: FloatArray

    def in_frame(self, frame: int) -> tuple[IntArray, FloatArray]:
        """Tracks (k,), ascending, and their pixels (k, 2) in a frame."""
        rows = slice(*np.searchsorted(self.frame_m, [frame, frame + 1]))
        return self.track_m[rows], self.xy_m2[rows]

    def shared(self, first: int, second: int) -> tuple[FloatArray, FloatArray]:
        """Corresponding pixels (k, 2) of the tracks that two frames share."""
        track_1, xy_1 = self.in_frame(first)
        track_2, xy_2 = self.in_frame(second)
        _, row_1, row_2 = np.intersect1d(track_1, track_2, assume_unique=True, return_indices=True)
        return xy_1[row_1], xy_2[row_2]

    def lengths(self) -> IntArray:
        """Observations of each track."""
        return np.bincount(self.track_m) if len(self.track_m) else np.zeros(0, np.int64)

    def keep(self, kept_t: NDArray[np.bool_]) -> Tracks:
        """Only some tracks, numbered anew."""
        rows = kept_t[self.track_m]
        renumbered_t = np.cumsum(kept_t) - 1
        return Tracks(
            self.frame_count, renumbered_t[self.track_m[rows]], self.frame_m[rows], self.xy_m2[rows]
        )


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
