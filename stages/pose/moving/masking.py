"""Masks of what moves by itself, from flow that no rigid scene explains.

The residuals are those of epipolar geometry (P. Torr, D. Murray, "Outlier detection and motion
segmentation", 1993), for the final poses and over several frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.flow import PAIRS_ITEM, load_pairs, load_steps, pair_item
from mvrecon.artifacts.frames import image_item
from mvrecon.artifacts.image_maps import ImageMaps
from mvrecon.artifacts.poses import (
    POINTS_ITEM,
    POSES_ITEM,
    PosedFrame,
    SparsePoints,
    load_poses,
    moving_mask_item,
)
from mvrecon.engine.stage import StageContext
from mvrecon.formats.images import read_pixels, write_png
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.resize import fit_size
from mvrecon.geometry.rigid import transform_points
from mvrecon.geometry.transfer import PixelTransfer
from stages.pose.config import PoseConfig
from stages.pose.moving.evidence import MotionEvidence, find_motion, sparse_inverse_depth
from stages.pose.moving.flow_to_view import FloatMap, FlowToView, VectorMap, sample
from stages.pose.moving.segmentation import cores, segment

# Images and evidence kept: those of a frame and of the few that it has flow to.
REMEMBERED = 12
# What is nearer than the nearest points by more than this factor is not believed; nearest are
# all but this part, which may be outliers.
NEARER = 4.0
NEAREST_QUANTILE = 0.02
# A frame in which no core is half as sure as a moving thing's shows no motion.
FAINT_CORE = 0.2
# Channels of the stored evidence.
KNOWN, ODD, MOVING = range(3)


@dataclass(frozen=True)
class Shares:
    """Means over the frames of parts of the image.

    Attributes:
        moving: masked.
        still: seen to be explained by one still scene and the poses.
    """

    moving: float
    still: float


def mask_moving(context: StageContext[PoseConfig]) -> Shares:
    """Write a mask for each posed key frame; needs poses, points and images in the output."""
    frames = _PosedFlow(context)
    judged = {_evidence_item(name): name for name in frames.names}
    masked = {moving_mask_item(name): name for name in frames.names}

    def judge(item: str) -> None:
        found = frames.evidence(judged[item])
        stacked_hw3 = np.stack([found.known_hw, found.odd_hw, found.moving_hw], axis=2)
        bytes_hw3 = np.round(stacked_hw3 * 255).astype(np.uint8)
        context.out.write(item, lambda path: write_png(path, bytes_hw3))

    def mask(item: str) -> None:
        mask_hw = segment(*frames.shared_evidence(masked[item]), context.config.moving)
        context.out.write(item, lambda path: write_png(path, mask_hw.astype(np.uint8) * 255))

    context.make_items(list(judged), judge, "frame looked at for moving things")
    context.make_items(list(masked), mask, "mask")
    masks = [read_pixels(context.out.path(item), "grey") for item in masked]
    return Shares(
        moving=float(np.mean([mask_hw.mean() / 255 for mask_hw in masks])),
        still=float(np.mean([frames.still_share(name) for name in frames.names])),
    )


class _PosedFlow:
    """Flow between posed, undistorted key frames; reads images and flow when needed."""

    def __init__(self, context: StageContext[PoseConfig]) -> None:
        self._frames = {frame.name: frame for frame in load_poses(context.out.path(POSES_ITEM))}
        self.names = list(self._frames)
        self._row_of_name = {name: row for row, name in enumerate(self.names)}
        self._points = SparsePoints.load(context.out.path(POINTS_ITEM))
        self._flow = context.inputs["flow"]
        self._maps = ImageMaps(self._frames.values(), context.inputs["frames"])
        self._out = context.out
        self._options = context.config.moving
        self._pairs: dict[str, list[tuple[str, str]]] = {name: [] for name in self.names}
        for pair in load_pairs(self._flow.path(PAIRS_ITEM)):
            if all(name in self._frames for name in pair):
                for name in pair:
                    self._pairs[name].append(pair)
        self._grey = lru_cache(REMEMBERED)(self._read_grey)
        self._stored_evidence = lru_cache(REMEMBERED)(self._read_evidence)
        self._shows_motion = lru_cache(len(self.names))(self._has_core)

    def evidence(self, name: str) -> MotionEvidence:
        """What the flow from one frame says."""
        frame = self._frames[name]
        camera = self._working_camera(frame.camera)
        points_n3 = self._points.xyz_n3[self._points.seen_by(self._row_of_name[name])]
        points_n3 = transform_points(frame.cam_from_world, points_n3)
        points_n3 = points_n3[points_n3[:, 2] > 0]
        shape = camera.height, camera.width
        if len(points_n3) == 0:
            nothing_hw = np.zeros(shape, np.float32)
            return MotionEvidence(nothing_hw, nothing_hw, nothing_hw)
        depth_n = points_n3[:, 2]
        largest = NEARER / max(float(np.quantile(depth_n, NEAREST_QUANTILE)), 1e-9)
        flows = [self._flow_to_view(frame, pair) for pair in self._pairs[name]]
        sparse_hw = sparse_inverse_depth(camera.project(points_n3), depth_n, shape)
        return find_motion(self._grey(name), flows, sparse_hw, largest, self._options)

    def still_share(self, name: str) -> float:
        """Part of a frame that its flow and the poses show to be still."""
        own_hw3 = self._stored_evidence(name)
        return float(np.mean(own_hw3[..., KNOWN] * (1.0 - own_hw3[..., ODD])))

    def shared_evidence(self, name: str) -> tuple[FloatMap, FloatMap, FloatMap]:
        """Motion, oddness and what is known in a frame, together with what its partners saw.

        A thing that rests for a moment between two movements is found so.
        """
        frame = self._frames[name]
        own_hw3 = self._stored_evidence(name)
        partners = [_other(pair, name) for pair in self._pairs[name]]
        if not any(map(self._shows_motion, (name, *partners))):
            nothing_hw = np.zeros(own_hw3.shape[:2], np.float32)
            return nothing_hw, nothing_hw, nothing_hw
        known_hw = own_hw3[..., KNOWN].copy()
        moving_hw, odd_hw = (own_hw3[..., channel] * known_hw for channel in (MOVING, ODD))
        for pair in self._pairs[name]:
            target_hw2, confidence_hw = self._follow(frame, pair)
            there_hw3 = sample(self._stored_evidence(_other(pair, name)), target_hw2)
            weight_hw = confidence_hw * there_hw3[..., KNOWN]
            moving_hw += there_hw3[..., MOVING] * weight_hw
            odd_hw += there_hw3[..., ODD] * weight_hw
            known_hw += weight_hw
        total_hw = np.maximum(known_hw, 1.0)
        parts = moving_hw / total_hw, odd_hw / total_hw, np.minimum(known_hw, 1.0)
        moving_hw, odd_hw, known_hw = (np.asarray(part_hw, np.float32) for part_hw in parts)
        return moving_hw, odd_hw, known_hw

    def _flow_to_view(self, frame: PosedFrame, pair: tuple[str, str]) -> FlowToView:
        other = self._frames[_other(pair, frame.name)]
        transfer = PixelTransfer.between(
            self._working_camera(frame.camera),
            frame.cam_from_world,
            self._working_camera(other.camera),
            other.cam_from_world,
        )
        return FlowToView(*self._follow(frame, pair), transfer.single(), self._grey(other.name))

    def _follow(self, frame: PosedFrame, pair: tuple[str, str]) -> tuple[VectorMap, FloatMap]:
        """Pixels of the other undistorted image, and the confidence."""
        other = self._frames[_other(pair, frame.name)]
        way: Literal["forward", "backward"] = "forward" if pair[0] == frame.name else "backward"
        steps_hw2, step_px, stored_hw = load_steps(self._flow.path(pair_item(*pair)), way)
        height, width = stored_hw.shape
        camera = self._working_camera(frame.camera)
        other_camera = self._working_camera(other.camera)
        start_hw2 = self._maps.into_stored(frame.name, camera, (width, height))
        moved_hw2 = start_hw2 + sample(steps_hw2, start_hw2) * step_px
        x_hw, y_hw = cv2.split(moved_hw2)
        inside_hw = (x_hw >= 0) & (x_hw <= width - 1) & (y_hw >= 0) & (y_hw <= height - 1)
        confidence_hw = inside_hw * sample(stored_hw, start_hw2) * np.float32(1 / 255)
        undistorting_hw2 = self._maps.into_undistorted(other.name, (width, height), other_camera)
        return sample(undistorting_hw2, moved_hw2), confidence_hw

    def _working_camera(self, camera: Camera) -> Camera:
        return camera.scaled(*fit_size((camera.width, camera.height), self._options.size))

    def _read_grey(self, name: str) -> FloatMap:
        camera = self._working_camera(self._frames[name].camera)
        grey_hw = read_pixels(self._out.path(image_item(name)), "grey")
        size = camera.width, camera.height
        return np.asarray(cv2.resize(grey_hw, size, interpolation=cv2.INTER_AREA), np.float32)

    def _has_core(self, name: str) -> bool:
        """Whether something may move in a frame; sharing evidence makes it weaker, not stronger."""
        moving_hw = np.ascontiguousarray(self._stored_evidence(name)[..., MOVING])
        return bool(cores(moving_hw, FAINT_CORE).any())

    def _read_evidence(self, name: str) -> NDArray[np.float32]:
        """(h, w, 3): known, odd, moving."""
        stored_hw3 = read_pixels(self._out.path(_evidence_item(name)))
        return stored_hw3.astype(np.float32) / np.float32(255)


def _evidence_item(name: str) -> str:
    return f"rigidity/{name}.png"


def _other(pair: tuple[str, str], name: str) -> str:
    return pair[1] if pair[0] == name else pair[0]
