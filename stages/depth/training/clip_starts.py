"""What the depth stage's geometric part makes of posed training clips, kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.flow import FlowPair
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.transfer import FloatMap
from mvrecon.geometry.undistortion import distorting_map, undistorting_map
from mvrecon.multiview.neighbors import choose_neighbors
from mvrecon.synthetic.training.clips.files import (
    ClipDepths,
    PosedClip,
    depths_path,
    load_clip,
    save_clip_depths,
)
from stages.depth.config import SweepOptions
from stages.depth.learned.start import MAX_HYPOTHESES, Start, measure_start
from stages.depth.sweep.flow_prior import DepthPrior, match_by_flow, triangulate
from stages.depth.sweep.hypotheses import searched_range
from stages.depth.sweep.upsampling import upsample_by_color
from stages.depth.views import View, transfer_between

NAME = "sweep"
NEIGHBORS = 6
# Some clips come without flow and some with few hypotheses, so that the network copes with both.
FLOWLESS_SHARE = 0.15
COARSE_SHARE = 0.4
FEWEST_HYPOTHESES = 32


# From a clip's images (t, h, w, 3) to the flow between pairs of its frames, by their rows.
FlowsOfClip = Callable[[NDArray[np.uint8]], Mapping[tuple[int, int], FlowPair]]


def add_starts(clips: Iterable[Path], flows_of_clip: FlowsOfClip) -> Iterator[Path]:
    """Write `NNNNNN.sweep.npz` beside the clips that lack it, yielding each that has it."""
    for path in clips:
        target = depths_path(path, NAME)
        if not target.is_file():
            save_clip_depths(target, clip_starts(load_clip(path), int(path.stem), flows_of_clip))
        yield path


def clip_starts(clip: PosedClip, seed: int, flows_of_clip: FlowsOfClip) -> ClipDepths:
    """Starts of all frames of a clip; `extras` hold what training needs of them.

    The extras are `start_thw` (inverse depth at half size), `cues_tchw`, `step_t`,
    `bounds_t2` and `neighbors_tk` (rows, −1 where there are fewer).

    Args:
        clip: the clip.
        seed: decides what the starts go without.
        flows_of_clip: the flow stage's part.
    """
    rng = np.random.default_rng([seed, 31])
    frames, points = clip.posed_frames(), clip.sparse_points()
    grays = [
        cv2.cvtColor(image_hw3, cv2.COLOR_RGB2GRAY).astype(np.float32)
        for image_hw3 in clip.images_thw3
    ]
    views = [
        View(gray_hw, frame.camera, frame.cam_from_world).halved()
        for gray_hw, frame in zip(grays, frames, strict=True)
    ]
    flows = {} if rng.random() < FLOWLESS_SHARE else flows_of_clip(clip.images_thw3)
    sweep = SweepOptions()
    if rng.random() < COARSE_SHARE:
        hypotheses = int(rng.integers(FEWEST_HYPOTHESES, MAX_HYPOTHESES))
        sweep = SweepOptions(max_hypotheses=hypotheses)
    starts: list[Start] = []
    bounds_t2 = np.zeros((len(clip), 2))
    neighbors_tk = np.full((len(clip), NEIGHBORS), -1)
    for row in range(len(clip)):
        neighbors = choose_neighbors(frames, points, row, NEIGHBORS, True)
        bounds = searched_range(frames, points, row, neighbors)
        if bounds is None:
            raise ValueError("a training clip has too few points in front of a frame")
        prior = _prior(views, flows, row, 0.5 * (bounds[0] + bounds[1]))
        near = [views[other] for other in neighbors]
        starts.append(measure_start(views[row], near, bounds, prior, sweep))
        bounds_t2[row] = bounds
        neighbors_tk[row, : len(neighbors)] = neighbors
    depths = _at_full_size(starts, views, grays, bounds_t2)
    extras: dict[str, NDArray[Any]] = {
        "start_thw": np.stack([start.inverse_depth_hw for start in starts]),
        "cues_tchw": np.stack([start.cues_chw for start in starts]).astype(np.float16),
        "step_t": np.array([start.step for start in starts]),
        "bounds_t2": bounds_t2,
        "neighbors_tk": neighbors_tk,
    }
    return ClipDepths(*depths, extras)


def _at_full_size(
    starts: Sequence[Start],
    views: Sequence[View],
    grays: Sequence[FloatMap],
    bounds_t2: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Depth and confidence (t, h, w) of starts, the images given at both sizes."""
    size_wh = grays[0].shape[::-1]
    depths, confidences = [], []
    for start, view, gray_hw, (far, _) in zip(starts, views, grays, bounds_t2, strict=True):
        inverse_hw = upsample_by_color(start.inverse_depth_hw, view.gray_hw, gray_hw)
        depths.append(1 / np.maximum(inverse_hw, 0.5 * far))
        confidence_hw = cv2.resize(start.confidence_hw, size_wh, interpolation=cv2.INTER_LINEAR)
        confidences.append(np.asarray(np.clip(confidence_hw, 0, 1), np.float32))
    return np.stack(depths).astype(np.float32), np.stack(confidences)


def _prior(
    views: Sequence[View],
    flows: Mapping[tuple[int, int], FlowPair],
    row: int,
    initial: float,
) -> DepthPrior | None:
    matches = []
    for (first, second), pair in flows.items():
        if row not in (first, second):
            continue
        other = second if first == row else first
        flow = pair if first == row else pair.reversed()
        matches.append(
            match_by_flow(
                flow.forward_hw2,
                flow.forward_confidence_hw,
                _same_pixels(views[row].camera, flow),
                _same_pixels(views[other].camera, flow, back=True),
                transfer_between(views[row], views[other]),
            )
        )
    return triangulate(matches, initial) if matches else None


def _same_pixels(camera: Camera, flow: FlowPair, back: bool = False) -> NDArray[np.float32]:
    """Pixels of the image that flow was found in for those of a view, or the way back."""
    height, width = flow.forward_confidence_hw.shape
    stored = camera.scaled(width, height)
    return undistorting_map(stored, camera) if back else distorting_map(camera, stored)
