"""Depth of any posed key frame, from stored images, flow and poses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap
from mvrecon.artifacts.flow import PAIRS_ITEM, FlowPair, load_pairs, pair_item
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable
from mvrecon.artifacts.image_maps import ImageMaps
from mvrecon.artifacts.images import read_key_frame
from mvrecon.artifacts.poses import PosedFrame, load_views
from mvrecon.engine.stage import StoredItems
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.resize import resize_by_area
from mvrecon.geometry.transfer import FloatMap, PixelTransfer
from mvrecon.multiview.neighbors import choose_neighbors
from stages.depth.config import DEPTHNET_WEIGHTS, DepthConfig
from stages.depth.learned.start import Start, start_map, with_agreement
from stages.depth.sweep.flow_prior import DepthPrior, FlowMatch, match_by_flow, triangulate
from stages.depth.sweep.hypotheses import searched_range
from stages.depth.sweep.plane_sweep import SweptDepth, sweep_depth
from stages.depth.views import (
    MATCHED_VIEWS,
    View,
    halved_camera,
    network_camera,
    sweep_camera,
)

if TYPE_CHECKING:
    from stages.depth.learned.model import LearnedDepth

# Results for the last few frames: neighbours come again soon, memory must not grow.
REMEMBERED_IMAGES = 12
REMEMBERED_FLOWS = 8
REMEMBERED_STARTS = 12
# Small, and what all frames near them look at.
REMEMBERED_MAPS = 96


class DepthEstimator:
    """Measures the depth of any frame; reads images and flow when needed.

    Args:
        inputs: results of the frames, flow and pose stages.
        config: options of the stage.
    """

    def __init__(self, inputs: Mapping[str, StoredItems], config: DepthConfig) -> None:
        self.config = config
        self.frames, self._points = load_views(inputs["frames"], inputs["pose"])
        self._in_order = FrameTable.load(inputs["frames"].path(FRAMES_ITEM)).kind == "sequence"
        self._row_of_name = {frame.name: row for row, frame in enumerate(self.frames)}
        self._flow = inputs["flow"]
        self._pairs = load_pairs(self._flow.path(PAIRS_ITEM)) if config.sweep.use_flow else []
        self._images = inputs["pose"]
        self._maps = ImageMaps(self.frames, inputs["frames"])
        self._learned = _learned_depth(config) if config.model == "learned" else None
        self._rgb = lru_cache(REMEMBERED_IMAGES)(self._read_rgb)
        self._view = lru_cache(REMEMBERED_IMAGES)(self._read_view)
        self._flow_pair = lru_cache(REMEMBERED_FLOWS)(self._read_flow_pair)
        self._matched = lru_cache(maxsize=None)(self._choose)
        self._start = lru_cache(REMEMBERED_STARTS)(self._measure_start)
        self._start_map = lru_cache(REMEMBERED_MAPS)(self._make_start_map)

    def depth_map(self, row: int) -> DepthMap:
        """Depth of one frame; none anywhere if nothing overlaps it."""
        frame = self.frames[row]
        camera = self._working_camera(frame)
        rows, bounds = self._matched(row)
        if bounds is None:
            nothing_hw = np.zeros((camera.height, camera.width), np.float32)
            return DepthMap(nothing_hw, nothing_hw, camera.k_33, frame.world_from_cam)
        measured = self._measured(rows, bounds)
        if measured.inverse_depth_hw.shape != (camera.height, camera.width):
            measured = measured.resized(self._view(row).gray_hw, self._read_gray(row, camera))
        inverse_hw = np.maximum(measured.inverse_depth_hw, 0.5 * bounds[0])
        depth_hw = (1.0 / inverse_hw).astype(np.float32)
        return DepthMap(depth_hw, measured.confidence_hw, camera.k_33, frame.world_from_cam)

    def _choose(self, row: int) -> tuple[list[int], tuple[float, float] | None]:
        """A frame and those that it is matched with; its range, None if it cannot be matched."""
        neighbors = choose_neighbors(
            self.frames, self._points, row, self.config.neighbors, self._in_order
        )
        if not neighbors:
            return [row], None
        return [row, *neighbors], searched_range(self.frames, self._points, row, neighbors)

    def _measured(self, rows: list[int], bounds: tuple[float, float]) -> SweptDepth:
        """Depth of the first of the frames from the others, at the size it is measured in."""
        views = [self._view(row) for row in rows]
        if self._learned is None:
            prior = self._prior(rows[0], bounds)
            return sweep_depth(views[0], views[1:], bounds, prior, self.config.sweep)
        images = [self._rgb(row) for row in rows[: 1 + MATCHED_VIEWS]]
        start, own = self._start(rows[0]), self._start_map(rows[0])
        assert start is not None
        assert own is not None
        others = [map_ for row in rows[1:] if (map_ := self._start_map(row)) is not None]
        return self._learned.depth(views, images, bounds, with_agreement(start, own, others))

    def _measure_start(self, row: int) -> Start | None:
        """What the learned depth of a frame starts from, before others are asked."""
        assert self._learned is not None
        rows, bounds = self._matched(row)
        if bounds is None:
            return None
        views = [self._view(row) for row in rows]
        return self._learned.start(views, bounds, self._prior(row, bounds))

    def _make_start_map(self, row: int) -> DepthMap | None:
        start, frame = self._start(row), self.frames[row]
        if start is None:
            return None
        camera = halved_camera(self._measured_camera(frame))
        return start_map(
            start.inverse_depth_hw, start.confidence_hw, camera.k_33, frame.world_from_cam
        )

    def _working_camera(self, frame: PosedFrame) -> Camera:
        camera = frame.camera
        scale = min(self.config.max_size / max(camera.width, camera.height), 1.0)
        return camera.scaled(
            max(round(camera.width * scale), 2), max(round(camera.height * scale), 2)
        )

    def _measured_camera(self, frame: PosedFrame) -> Camera:
        """The camera at the size that depth is measured in."""
        camera = self._working_camera(frame)
        return camera if self._learned is None else network_camera(camera)

    def _read_view(self, row: int) -> View:
        frame = self.frames[row]
        camera = self._measured_camera(frame)
        return View(self._read_gray(row, camera), camera, frame.cam_from_world)

    def _read_gray(self, row: int, camera: Camera) -> FloatMap:
        return self._read_image(row, camera, "grey")

    def _read_rgb(self, row: int) -> NDArray[np.uint8]:
        camera = self._measured_camera(self.frames[row])
        return np.round(self._read_image(row, camera, "rgb")).astype(np.uint8)

    def _read_image(
        self, row: int, camera: Camera, kind: Literal["rgb", "grey"]
    ) -> NDArray[np.float32]:
        pixels = read_key_frame(self._images, self.frames[row].name, kind=kind)
        # Fractions of a grey level help the matching.
        return resize_by_area(pixels.astype(np.float32), (camera.width, camera.height))

    def _prior(self, row: int, bounds: tuple[float, float]) -> DepthPrior | None:
        """Depth from the flow between this frame and its partners."""
        name = self.frames[row].name
        matches = []
        for first, second in self._pairs:
            other = second if first == name else first
            if name in (first, second) and other in self._row_of_name:
                matches.append(self._match(row, self._row_of_name[other], (first, second)))
        return triangulate(matches, 0.5 * (bounds[0] + bounds[1])) if matches else None

    def _match(self, row: int, other_row: int, pair: tuple[str, str]) -> FlowMatch:
        frame, other = self.frames[row], self.frames[other_row]
        camera = sweep_camera(self._measured_camera(frame))
        other_camera = sweep_camera(self._measured_camera(other))
        flow = self._flow_pair(pair)
        if pair[0] != frame.name:
            flow = flow.reversed()
        height, width = flow.forward_confidence_hw.shape
        return match_by_flow(
            flow.forward_hw2,
            flow.forward_confidence_hw,
            self._maps.into_stored(frame.name, camera, (width, height)),
            self._maps.into_undistorted(other.name, (width, height), other_camera),
            PixelTransfer.between(camera, frame.cam_from_world, other_camera, other.cam_from_world),
        )

    def _read_flow_pair(self, pair: tuple[str, str]) -> FlowPair:
        return FlowPair.load(self._flow.path(pair_item(*pair)))


def _learned_depth(config: DepthConfig) -> LearnedDepth:
    # torch takes its time to load, and only this needs it.
    from stages.depth.learned.model import LearnedDepth, load_network

    network = load_network(config.learned.weights or DEPTHNET_WEIGHTS)
    return LearnedDepth(network, config.learned.used_precision, config.sweep)
