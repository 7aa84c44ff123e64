"""Optical flow chained into point tracks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.flow import FlowPair
from mvrecon.geometry.sampling import inside, rescale_pixels, sample_bilinear
from stages.pose.corners import Grid, corners_by_cell
from stages.pose.lookalikes import (
    MIN_SURE,
    distance_to_look_alike,
    expected_motion,
    has_jumped,
)
from stages.pose.patches import align_patches
from stages.pose.tracks import FloatArray, IntArray, LiveTracks, Tracks

# A patch older than this looks too different to anchor a track.
MAX_ANCHOR_AGE = 12
MAX_TRACKS_PER_CELL = 2
# Long flow that contradicts more than this part of the tracks, and so many, disagrees.
MAX_CONTRADICTED = 0.5
MIN_CONTRADICTED = 10


@dataclass(frozen=True)
class TrackOptions:
    """How tracks are made; the lengths in pixels are those of the flow's size.

    Attributes:
        per_frame: tracks wanted in a frame.
        min_confidence: of the flow at a point.
        max_forward_backward_px: distance after going there and back.
        max_disagreement_px: between the chain and the direct flow of a longer pair.
        min_length: observations of a track that is kept.
    """

    per_frame: int = 500
    min_confidence: float = 0.3
    max_forward_backward_px: float = 1.0
    max_disagreement_px: float = 2.0
    min_length: int = 3


def follow_flow(
    pair: FlowPair, xy_n2: FloatArray, size: tuple[int, int], options: TrackOptions
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Where points of the first image go.

    Args:
        pair: flow at a size that may differ from the image's.
        xy_n2: pixels of the first image.
        size: width and height of the images.
        options: thresholds.

    Returns:
        Pixels (n, 2) of the second image, and which of them can be trusted: inside,
        confident both ways, and back where they started.
    """
    height, width = pair.forward_hw2.shape[:2]
    scale_2 = np.array([width / size[0], height / size[1]])
    start_n2 = rescale_pixels(xy_n2, scale_2)
    end_n2 = start_n2 + sample_bilinear(pair.forward_hw2, start_n2)
    back_n2 = end_n2 + sample_bilinear(pair.backward_hw2, end_n2)
    good_n = inside(end_n2, width, height)
    good_n &= np.linalg.norm(back_n2 - start_n2, axis=1) <= options.max_forward_backward_px
    for confidence_hw, at_n2 in (
        (pair.forward_confidence_hw, start_n2),
        (pair.backward_confidence_hw, end_n2),
    ):
        good_n &= sample_bilinear(confidence_hw, at_n2) >= options.min_confidence
    return rescale_pixels(end_n2, 1.0 / scale_2).astype(np.float32), good_n


class TrackBuilder:
    """Grows tracks frame by frame; memory does not grow with the images seen.

    Args:
        size: width and height of the images.
        options: how.
    """

    def __init__(self, size: tuple[int, int], options: TrackOptions) -> None:
        self._size = size
        self._options = options
        self._grid = Grid.of(*size, options.per_frame)
        self._live = LiveTracks()
        self._grays: dict[int, NDArray[np.uint8]] = {}
        self._seen: dict[int, tuple[IntArray, FloatArray]] = {}
        self._next_track = 0
        # By the distance of its frames: how often long flow agreed with most tracks, or did not.
        self._record: dict[int, dict[bool, int]] = defaultdict(lambda: {False: 0, True: 0})
        self._rows: list[tuple[IntArray, int, FloatArray]] = []

    def add_frame(
        self, frame: int, gray_hw: NDArray[np.uint8], pairs: Mapping[int, FlowPair]
    ) -> None:
        """Continue the tracks into the next frame and start new ones.

        Args:
            frame: index, one more than that of the call before.
            gray_hw: its image.
            pairs: flow from earlier frames (by index) to this one.
        """
        self._grays[frame] = gray_hw
        for source in sorted(pairs, reverse=True):
            if source == frame - 1 or self._agrees(source, frame, pairs[source]):
                self._advance(source, frame, pairs[source])
        self._drop_crowded(frame)
        self._start(frame)
        here = self._live.frame_n == frame
        order = np.argsort(self._live.track_n[here])
        seen = self._live.track_n[here][order], self._live.xy_n2[here][order]
        self._seen[frame] = seen
        self._rows.append((seen[0], frame, seen[1]))
        self._forget(frame)

    def tracks(self) -> Tracks:
        """All tracks of at least `min_length` observations."""
        tracks = Tracks(
            len(self._rows),
            np.concatenate([track_n for track_n, _, _ in self._rows]),
            np.concatenate([np.full(len(track_n), f) for track_n, f, _ in self._rows]),
            np.concatenate([xy_n2 for _, _, xy_n2 in self._rows]),
        )
        return tracks.keep(tracks.lengths() >= min(self._options.min_length, len(self._rows)))

    def _advance(self, source: int, frame: int, pair: FlowPair) -> None:
        live = self._live
        rows = np.flatnonzero(live.frame_n == source)
        guess_n2, good_n = follow_flow(pair, live.xy_n2[rows], self._size, self._options)
        rows, guess_n2 = rows[good_n], guess_n2[good_n]
        flow_px = self._size[0] / pair.forward_hw2.shape[1]
        max_shift_px = 1.5 * max(flow_px, 1.0)
        xy_n2, refined_n = self._refine(
            frame, live.anchor_n[rows], live.anchor_xy_n2[rows], guess_n2, max_shift_px
        )
        again = ~refined_n
        xy_n2[again], good_again_n = self._refine(
            frame, live.frame_n[rows][again], live.xy_n2[rows][again], guess_n2[again], max_shift_px
        )
        xy_n2[np.flatnonzero(again)[~good_again_n]] = guess_n2[again][~good_again_n]
        kept_n = self._undo_jumps(rows, frame, xy_n2, refined_n, max_shift_px)
        kept_n &= inside(xy_n2, *self._size)
        rows, xy_n2, again = rows[kept_n], xy_n2[kept_n], again[kept_n]
        live.xy_n2[rows] = xy_n2
        live.frame_n[rows] = frame
        stale_n = again | (frame - live.anchor_n[rows] >= MAX_ANCHOR_AGE)
        live.anchor_n[rows[stale_n]] = frame
        live.anchor_xy_n2[rows[stale_n]] = xy_n2[stale_n]

    def _undo_jumps(
        self,
        rows: IntArray,
        frame: int,
        xy_n2: FloatArray,
        refined_n: NDArray[np.bool_],
        max_shift_px: float,
    ) -> NDArray[np.bool_]:
        """Take back jumps to look-alikes, in place; which tracks (n,) may go on."""
        live = self._live
        start_n2, look_alike_px_n = live.xy_n2[rows], live.look_alike_px_n[rows]
        kept_n = np.ones(len(rows), bool)
        doubtful = np.flatnonzero(np.isfinite(look_alike_px_n))
        if len(doubtful) == 0:
            return kept_n
        source = int(live.frame_n[rows[0]])
        if source == frame - 1:
            sure_n = refined_n & np.isinf(look_alike_px_n)
            sure_n2, sure_motion_n2 = start_n2[sure_n], (xy_n2 - start_n2)[sure_n]
        else:
            # Flow over several frames jumps more often than tracks that are chained.
            sure_n2, there_n2, _ = self._chained(source, frame)
            sure_motion_n2 = there_n2 - sure_n2
        if len(sure_n2) < MIN_SURE:
            return kept_n
        motion_n2 = xy_n2 - start_n2
        expected_n2 = expected_motion(start_n2[doubtful], sure_n2, sure_motion_n2)
        jumped_n = has_jumped(motion_n2[doubtful], expected_n2, look_alike_px_n[doubtful])
        jumped = doubtful[jumped_n]
        xy_n2[jumped], kept_n[jumped] = self._refine(
            frame,
            live.anchor_n[rows[jumped]],
            live.anchor_xy_n2[rows[jumped]],
            start_n2[jumped] + expected_n2[jumped_n],
            max_shift_px,
        )
        return kept_n

    def _refine(
        self,
        frame: int,
        anchor_n: IntArray,
        anchor_xy_n2: FloatArray,
        guess_n2: FloatArray,
        max_shift_px: float,
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        xy_n2, good_n = guess_n2.copy(), np.zeros(len(guess_n2), bool)
        for anchor in np.unique(anchor_n):
            rows = np.flatnonzero(anchor_n == anchor)
            xy_n2[rows], good_n[rows] = align_patches(
                self._grays[int(anchor)],
                self._grays[frame],
                anchor_xy_n2[rows],
                guess_n2[rows],
                max_shift_px,
            )
        return xy_n2, good_n

    def _chained(self, source: int, frame: int) -> tuple[FloatArray, FloatArray, IntArray]:
        """Pixels (n, 2) in an earlier and in this frame of the live tracks in both; their rows."""
        if source not in self._seen:
            nothing = np.zeros((0, 2), np.float32)
            return nothing, nothing, np.zeros(0, np.int64)
        live = self._live
        seen_track_n, seen_xy_n2 = self._seen[source]
        here = np.flatnonzero(live.frame_n == frame)
        _, seen_rows, here_rows = np.intersect1d(
            seen_track_n, live.track_n[here], assume_unique=True, return_indices=True
        )
        rows = here[here_rows]
        return seen_xy_n2[seen_rows], live.xy_n2[rows], rows

    def _agrees(self, source: int, frame: int, pair: FlowPair) -> bool:
        """Whether the direct flow from a frame further back is right; wrong tracks are dropped.

        Flow over so many frames that contradicts most tracks again and again has jumped to the
        next period of a repeated pattern, which short steps do not.
        """
        if source not in self._seen:
            return True
        live = self._live
        then_n2, now_n2, rows = self._chained(source, frame)
        direct_n2, good_n = follow_flow(pair, then_n2, self._size, self._options)
        flow_px = self._size[0] / pair.forward_hw2.shape[1]
        apart_n = np.linalg.norm(direct_n2 - now_n2, axis=1)
        wrong_n = good_n & (apart_n > self._options.max_disagreement_px * flow_px)
        record = self._record[frame - source]
        contradicts = wrong_n.sum() > max(MAX_CONTRADICTED * good_n.sum(), MIN_CONTRADICTED)
        record[bool(contradicts)] += 1
        if contradicts and record[True] >= record[False]:
            return False
        kept = np.ones(len(live.track_n), bool)
        kept[rows[wrong_n]] = False
        live.keep(kept)
        return True

    def _drop_crowded(self, frame: int) -> None:
        """Keep the oldest tracks of each cell."""
        live = self._live
        here = np.flatnonzero(live.frame_n == frame)
        cell_n = self._grid.cell_of(live.xy_n2[here])
        order = np.lexsort((live.track_n[here], cell_n))
        sorted_cell_n = cell_n[order]
        rank_n = np.arange(len(order)) - np.searchsorted(sorted_cell_n, sorted_cell_n)
        kept = np.ones(len(live.track_n), bool)
        kept[here[order[rank_n >= MAX_TRACKS_PER_CELL]]] = False
        live.keep(kept)

    def _start(self, frame: int) -> None:
        xy_n2, cell_n = corners_by_cell(self._grays[frame], self._grid)
        here = self._live.frame_n == frame
        free_n = ~np.isin(cell_n, self._grid.cell_of(self._live.xy_n2[here]))
        count = int(free_n.sum())
        track_n = np.arange(self._next_track, self._next_track + count)
        self._next_track += count
        look_alike_px_n = distance_to_look_alike(self._grays[frame], xy_n2[free_n], xy_n2)
        self._live.add(track_n, frame, xy_n2[free_n], look_alike_px_n)

    def _forget(self, frame: int) -> None:
        oldest = frame - MAX_ANCHOR_AGE
        self._live.keep((self._live.frame_n > oldest) & (self._live.anchor_n > oldest))
        for past in [past for past in self._grays if past <= oldest]:
            del self._grays[past], self._seen[past]


def build_tracks(
    frames: Iterable[int],
    load_gray: Callable[[int], NDArray[np.uint8]],
    load_pairs_to: Callable[[int], Mapping[int, FlowPair]],
    size: tuple[int, int],
    options: TrackOptions,
) -> Tracks:
    """Tracks through all frames.

    Args:
        frames: 0, 1, 2, …; may show progress.
        load_gray: image of a frame.
        load_pairs_to: flow from earlier frames to a frame.
        size: width and height of the images.
        options: how.
    """
    builder = TrackBuilder(size, options)
    for frame in frames:
        builder.add_frame(frame, load_gray(frame), load_pairs_to(frame))
    return builder.tracks()
