"""Masks of what moves by itself, from flow that no rigid scene explains.

The residuals are those of epipolar geometry (P. Torr, D. Murray, "Outlier detection and motion
segmentation", 1993), for the final poses and over several frames.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.flow import PAIRS_ITEM, load_pairs, load_steps, pair_item
from mvrecon.artifacts.frames import image_item
from mvrecon.artifacts.poses import (
    POINTS_ITEM,
    POSES_ITEM,
    PosedFrame,
    SparsePoints,
    load_poses,
    moving_mask_item,
)
from mvrecon.engine.stage import StageContext
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.resize import fit_size
from mvrecon.geometry.rigid import transform_points
from mvrecon.geometry.undistortion import distorting_map, undistorting_map
from stages.pose.config import PoseConfig
from stages.pose.moving.rigidity import (
    Match,
    Rigidity,
    judge_rigidity,
    sample,
    sparse_inverse_depth,
)

FloatMap = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIZE_PX = 256
REMEMBERED = 12
_distorting_map = lru_cache(maxsize=REMEMBERED)(distorting_map)
_undistorting_map = lru_cache(maxsize=REMEMBERED)(undistorting_map)
# What is nearer than the nearest points by more than this factor is not believed.
NEARER = 4.0
NEAREST_QUANTILE = 0.02

# Share of the evidence that marks the core of a moving thing, and its fringe.
CORE = 0.35
FAINT_CORE = 0.2
FRINGE = 0.4
CORE_WINDOW_PX = (5, 5)
# Thinner evidence comes from wrong flow at thin things and at borders.
THICKNESS_PX = 9
MIN_AREA = 0.003
GROWTH_PX = 10
CLOSING_PX = 7
MARGIN_PX = 2
# More than this part of the picture does not move: then it is the poses that are wrong.
MAX_AREA = 0.7


def mask_moving(context: StageContext[PoseConfig]) -> float:
    """Write a mask for each posed key frame; needs poses, points and images in the output.

    Returns:
        Mean over the frames of the share that is masked.
    """
    scene = _Scene(context)
    names = {_rigidity_item(frame.name): frame.name for frame in scene.frames}
    masks = {moving_mask_item(frame.name): frame.name for frame in scene.frames}

    def judge(item: str) -> None:
        maps = scene.rigidity(names[item])
        stacked_hw3 = np.stack([maps.moving_hw, maps.odd_hw, maps.known_hw], axis=2)
        _write_png(context, item, np.round(stacked_hw3 * 255).astype(np.uint8))

    def mask(item: str) -> None:
        mask_hw = segment(*scene.agreed(masks[item]))
        _write_png(context, item, mask_hw.astype(np.uint8) * 255)

    context.make_items(list(names), judge, "frame looked at for moving things")
    context.make_items(list(masks), mask, "mask")
    paths = [context.out.path(item) for item in masks]
    return float(np.mean([_read_png(path)[..., 0].mean() / 255 for path in paths]))


def segment(moving_hw: FloatMap, odd_hw: FloatMap) -> Mask:
    """Whole things (h, w) that move, without specks.

    Cores of sure evidence grow a little way into what flow alone finds odd.

    Args:
        moving_hw: evidence of motion, 0…1.
        odd_hw: share of flow that no rigid point explains, 0…1.
    """
    grown_hw = _cores(moving_hw, CORE)
    fringe_hw = (odd_hw > FRINGE).astype(np.uint8) | grown_hw
    for _ in range(GROWTH_PX if grown_hw.any() else 0):
        grown_hw = np.asarray(cv2.dilate(grown_hw, np.ones((3, 3), np.uint8)), np.uint8) & fringe_hw
    closed_hw = cv2.morphologyEx(grown_hw, cv2.MORPH_CLOSE, _disk(CLOSING_PX))
    opened_hw = cv2.morphologyEx(closed_hw, cv2.MORPH_OPEN, _disk(CLOSING_PX // 2))
    filled_hw = 1 - _large_regions(1 - _large_regions(np.asarray(opened_hw, np.uint8)))
    mask_hw = np.asarray(cv2.dilate(filled_hw, _disk(2 * MARGIN_PX + 1))) > 0
    return np.asarray(mask_hw if mask_hw.mean() <= MAX_AREA else np.zeros_like(mask_hw))


class _Scene:
    """What the masks are made from; reads images and flow when needed."""

    def __init__(self, context: StageContext[PoseConfig]) -> None:
        self.frames = load_poses(context.out.path(POSES_ITEM))
        self._points = SparsePoints.load(context.out.path(POINTS_ITEM))
        self._row_of_name = {frame.name: row for row, frame in enumerate(self.frames)}
        self._flow = context.inputs["flow"]
        self._out = context.out
        self._partners: dict[str, list[tuple[str, str]]] = {}
        for pair in load_pairs(self._flow.path(PAIRS_ITEM)):
            if all(name in self._row_of_name for name in pair):
                for name in pair:
                    self._partners.setdefault(name, []).append(pair)
        self._gray = lru_cache(REMEMBERED)(self._read_gray)
        self._stored_rigidity = lru_cache(REMEMBERED)(self._read_rigidity)
        self._shows_motion = lru_cache(len(self.frames))(self._has_core)

    def rigidity(self, name: str) -> Rigidity:
        """What the flow from one frame says."""
        frame = self.frames[self._row_of_name[name]]
        camera = _working_camera(frame.camera)
        points_n3 = self._points.xyz_n3[self._points.seen_by(self._row_of_name[name])]
        points_n3 = transform_points(frame.cam_from_world, points_n3)
        points_n3 = points_n3[points_n3[:, 2] > 0]
        shape = camera.height, camera.width
        if len(points_n3) == 0:
            nothing_hw = np.zeros(shape, np.float32)
            return Rigidity(nothing_hw, nothing_hw, nothing_hw)
        depth_n = points_n3[:, 2]
        largest = NEARER / max(float(np.quantile(depth_n, NEAREST_QUANTILE)), 1e-9)
        matches = [self._match(frame, pair) for pair in self._partners.get(name, [])]
        sparse_hw = sparse_inverse_depth(camera.project(points_n3), depth_n, shape)
        return judge_rigidity(self._gray(name), matches, sparse_hw, largest)

    def agreed(self, name: str) -> tuple[FloatMap, FloatMap]:
        """Evidence of motion and oddness in a frame, together with what its partners saw.

        A thing that rests for a moment between two movements is found so.
        """
        frame = self.frames[self._row_of_name[name]]
        own_hw3 = self._stored_rigidity(name)
        partners = [_other(pair, name) for pair in self._partners.get(name, [])]
        if not any(map(self._shows_motion, (name, *partners))):
            nothing_hw = np.zeros(own_hw3.shape[:2], np.float32)
            return nothing_hw, nothing_hw
        known_hw = own_hw3[..., 2].copy()
        sums_hw2 = own_hw3[..., :2] * known_hw[..., None]
        for pair in self._partners.get(name, []):
            target_hw2, confidence_hw = self._follow(frame, pair)
            there_hw3 = sample(self._stored_rigidity(_other(pair, name)), target_hw2)
            weight_hw = confidence_hw * there_hw3[..., 2]
            sums_hw2 += there_hw3[..., :2] * weight_hw[..., None]
            known_hw += weight_hw
        shares_hw2 = sums_hw2 / np.maximum(known_hw, 1.0)[..., None]
        return np.ascontiguousarray(shares_hw2[..., 0]), np.ascontiguousarray(shares_hw2[..., 1])

    def _match(self, frame: PosedFrame, pair: tuple[str, str]) -> Match:
        other = self.frames[self._row_of_name[_other(pair, frame.name)]]
        target_hw2, confidence_hw = self._follow(frame, pair)
        camera, other_camera = _working_camera(frame.camera), _working_camera(other.camera)
        other_from_cam = other.cam_from_world @ frame.world_from_cam
        infinite_33 = other_camera.k_33 @ other_from_cam[:3, :3] @ np.linalg.inv(camera.k_33)
        return Match(
            target_hw2,
            confidence_hw,
            infinite_33.astype(np.float32),
            (other_camera.k_33 @ other_from_cam[:3, 3]).astype(np.float32),
            self._gray(other.name),
        )

    def _follow(
        self, frame: PosedFrame, pair: tuple[str, str]
    ) -> tuple[NDArray[np.float32], FloatMap]:
        """Pixels of the other undistorted image, and the confidence."""
        other = self.frames[self._row_of_name[_other(pair, frame.name)]]
        way: Literal["forward", "backward"] = "forward" if pair[0] == frame.name else "backward"
        steps_hw2, step_px, stored_hw = load_steps(self._flow.path(pair_item(*pair)), way)
        height, width = stored_hw.shape
        camera, other_camera = _working_camera(frame.camera), _working_camera(other.camera)
        start_hw2 = _distorting_map(camera, frame.source_camera.scaled(width, height))
        moved_hw2 = start_hw2 + sample(steps_hw2, start_hw2) * step_px
        x_hw, y_hw = cv2.split(moved_hw2)
        inside_hw = (x_hw >= 0) & (x_hw <= width - 1) & (y_hw >= 0) & (y_hw <= height - 1)
        confidence_hw = inside_hw * sample(stored_hw, start_hw2) * np.float32(1 / 255)
        other_source = other.source_camera.scaled(width, height)
        return sample(_undistorting_map(other_source, other_camera), moved_hw2), confidence_hw

    def _read_gray(self, name: str) -> FloatMap:
        camera = _working_camera(self.frames[self._row_of_name[name]].camera)
        path = self._out.path(image_item(name))
        gray_hw = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        size = camera.width, camera.height
        resized_hw = cv2.resize(np.asarray(gray_hw), size, interpolation=cv2.INTER_AREA)
        return np.asarray(resized_hw, np.float32)

    def _has_core(self, name: str) -> bool:
        """Whether something may move in a frame; sharing evidence makes it weaker, not stronger."""
        moving_hw = np.ascontiguousarray(self._stored_rigidity(name)[..., 0])
        return bool(_cores(moving_hw, FAINT_CORE).any())

    def _read_rigidity(self, name: str) -> NDArray[np.float32]:
        """(h, w, 3): moving, odd, known."""
        return _read_png(self._out.path(_rigidity_item(name))).astype(np.float32) / np.float32(255)


def _rigidity_item(name: str) -> str:
    return f"rigidity/{name}.png"


def _other(pair: tuple[str, str], name: str) -> str:
    return pair[1] if pair[0] == name else pair[0]


def _working_camera(camera: Camera) -> Camera:
    return camera.scaled(*fit_size((camera.width, camera.height), SIZE_PX))


def _cores(moving_hw: FloatMap, threshold: float) -> NDArray[np.uint8]:
    """Thick regions of evidence."""
    return _thick_regions((cv2.blur(moving_hw, CORE_WINDOW_PX) > threshold).astype(np.uint8))


def _large_regions(mask_hw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Connected regions of at least `MIN_AREA` of the picture."""
    _, labels_hw, stats, _ = cv2.connectedComponentsWithStats(mask_hw, connectivity=4)
    is_large = stats[:, cv2.CC_STAT_AREA] >= MIN_AREA * mask_hw.size
    is_large[0] = False
    return np.asarray(is_large[labels_hw], np.uint8)


def _thick_regions(mask_hw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Connected regions into which a square of `THICKNESS_PX` fits."""
    _, labels_hw = cv2.connectedComponents(mask_hw, connectivity=4)
    inner_hw = cv2.erode(mask_hw, np.ones((THICKNESS_PX, THICKNESS_PX), np.uint8))
    thick = np.unique(labels_hw[np.asarray(inner_hw) > 0])
    return np.isin(labels_hw, thick[thick > 0]).astype(np.uint8)


def _disk(diameter_px: int) -> NDArray[np.uint8]:
    return np.asarray(
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter_px, diameter_px)), np.uint8
    )


def _write_png(context: StageContext[PoseConfig], item: str, image: NDArray[np.uint8]) -> None:
    def save(path: Path) -> None:
        cv2.imwrite(str(path), image)

    context.out.write(item, save)


def _read_png(path: Path) -> NDArray[np.uint8]:
    """(h, w, 3), in the order in which it was written."""
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)
