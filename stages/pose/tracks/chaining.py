"""Optical flow chained into point tracks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.flow import FlowPair
from mvrecon.geometry.sampling import inside
from stages.pose.options import TrackOptions
from stages.pose.tracks.corners import (
    MIN_SURE,
    Grid,
    corners_by_cell,
    distance_to_look_alike,
    expected_motion,
    has_jumped,
)
from stages.pose.tracks.following import follow_flow
from stages.pose.tracks.patch_alignment import (
    TEMPLATE_SIDE_PX,
    align_templates,
    cut_templates,
    local_warps,
)
from stages.pose.tracks.track_table import FloatArray, IntArray, LiveTracks, Tracks

# More than this tracks of a cell that have met say the same twice.
MAX_TRACKS_PER_CELL = 2
# Flow is off by so many of its own pixels at most; farther away the patch is another point.
MAX_FLOW_ERROR_PX = 1.5
# Where fewer than this part of the tracks cannot be aligned with an earlier patch, these stop:
# flow alone is two to three times as far off. Otherwise, in blurred frames, they are all there is.
MAX_UNSURE = 0.5
# Long flow that contradicts more than this part of the tracks, and so many, disagrees.
MAX_CONTRADICTED = 0.5
MIN_CONTRADICTED = 10


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
        max_shift_px = MAX_FLOW_ERROR_PX * max(flow_px, 1.0)
        step_n22 = local_warps(pair.forward_hw2, live.xy_n2[rows] / flow_px)
        warp_n22 = step_n22 @ live.warp_n22[rows]
        looks = live.anchor_n[rows], live.anchor_xy_n2[rows], warp_n22
        xy_n2, refined_n = self._align(looks, frame, guess_n2, max_shift_px)
        again = np.flatnonzero(~refined_n)
        looks = live.frame_n[rows[again]], live.xy_n2[rows[again]], step_n22[again]
        xy_n2[again], good_again_n = self._align(looks, frame, guess_n2[again], max_shift_px)
        unsure = again[~good_again_n]
        xy_n2[unsure] = guess_n2[unsure]
        kept_n = np.ones(len(rows), bool)
        kept_n[unsure] = len(unsure) >= MAX_UNSURE * len(rows)
        jumped, kept_n[jumped] = self._undo_jumps(rows, frame, xy_n2, refined_n, max_shift_px)
        kept_n &= inside(xy_n2, *self._size)
        stale_n = ~refined_n | (frame - live.anchor_n[rows] >= self._options.max_anchor_age)
        rows, xy_n2, stale_n = rows[kept_n], xy_n2[kept_n], stale_n[kept_n]
        live.xy_n2[rows] = xy_n2
        live.frame_n[rows] = frame
        live.anchor_n[rows[stale_n]] = frame
        live.anchor_xy_n2[rows[stale_n]] = xy_n2[stale_n]
        live.warp_n22[rows] = np.where(stale_n[:, None, None], np.eye(2), warp_n22[kept_n])

    def _undo_jumps(
        self,
        rows: IntArray,
        frame: int,
        xy_n2: FloatArray,
        refined_n: NDArray[np.bool_],
        max_shift_px: float,
    ) -> tuple[IntArray, NDArray[np.bool_]]:
        """Take back jumps to look-alikes, in place.

        Returns:
            Which of the rows had jumped, and which of these may go on.
        """
        live = self._live
        start_n2, look_alike_px_n = live.xy_n2[rows], live.look_alike_px_n[rows]
        none = np.zeros(0, np.int64), np.zeros(0, bool)
        doubtful = np.flatnonzero(np.isfinite(look_alike_px_n))
        if len(doubtful) == 0:
            return none
        source = int(live.frame_n[rows[0]])
        if source == frame - 1:
            sure_n = refined_n & np.isinf(look_alike_px_n)
            sure_n2, sure_motion_n2 = start_n2[sure_n], (xy_n2 - start_n2)[sure_n]
        else:
            # Flow over several frames jumps more often than tracks that are chained.
            sure_n2, there_n2, _ = self._chained(source, frame)
            sure_motion_n2 = there_n2 - sure_n2
        if len(sure_n2) < MIN_SURE:
            return none
        motion_n2 = xy_n2 - start_n2
        expected_n2 = expected_motion(start_n2[doubtful], sure_n2, sure_motion_n2)
        jumped_n = has_jumped(motion_n2[doubtful], expected_n2, look_alike_px_n[doubtful])
        jumped = doubtful[jumped_n]
        back = rows[jumped]
        looks = live.anchor_n[back], live.anchor_xy_n2[back], live.warp_n22[back]
        guess_n2 = start_n2[jumped] + expected_n2[jumped_n]
        xy_n2[jumped], found_n = self._align(looks, frame, guess_n2, max_shift_px)
        return jumped, found_n

    def _align(
        self,
        looks: tuple[IntArray, FloatArray, FloatArray],
        frame: int,
        guess_n2: FloatArray,
        max_shift_px: float,
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Where a frame shows what earlier frames showed: `align_templates`.

        Args:
            looks: frame (n,) and pixel (n, 2) of each patch, and the linear part (n, 2, 2) of
                its way to this frame.
            frame: searched.
            guess_n2: pixels of this frame.
            max_shift_px: from the guess.
        """
        anchor_n, anchor_xy_n2, warp_n22 = looks
        templates_nss = np.zeros((len(anchor_n), TEMPLATE_SIDE_PX, TEMPLATE_SIDE_PX), np.float32)
        for anchor in np.unique(anchor_n):
            rows = np.flatnonzero(anchor_n == anchor)
            templates_nss[rows] = cut_templates(
                self._grays[int(anchor)], anchor_xy_n2[rows], warp_n22[rows]
            )
        return align_templates(
            templates_nss,
            self._grays[frame],
            guess_n2,
            max_shift_px,
            self._options.min_correlation,
        )

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
        wrong_n = good_n & (apart_n > self._options.max_disagreement * flow_px)
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
        look_alike_px_n = distance_to_look_alike(
            self._grays[frame], xy_n2[free_n], xy_n2, self._options.look_alike
        )
        self._live.add(track_n, frame, xy_n2[free_n], look_alike_px_n)

    def _forget(self, frame: int) -> None:
        oldest = frame - self._options.max_anchor_age
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
