"""A depth map made ready for fusion: how much each pixel says, and how slanted it sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap

Array = NDArray[np.float32]
DepthLoader = Callable[[str], DepthMap]

GRADIENT_STEP_PX = 2  # one more than neighbours: less of the depth's noise is in the slant
MIN_COSINE = 0.1  # steeper than 84°: a smeared depth edge, not a surface
WEIGHT_RANGE = (0.05, 4.0)  # of the distance term: neither near nor far views count alone
DEPTH_JUMP = 0.05  # relative difference of depth at which something is in front
NOISE_PAIRS = 24  # pairs of views in which noise is measured: more change the median little
# How far apart they are in the order: views beside each other share what fusion made of them, and
# agree too well; views so far apart as fusion looks share little.
NEAR_SPAN, FAR_SPAN = 1, 8
# Of the pixels that agree in a near pair; of different surfaces, about a tenth agree by chance.
FAR_OVERLAP = 0.25
NOISE_STRIDE_PX = 6  # the same of pixels
SAME_SURFACE = 0.05  # relative depth difference above which two pixels see different things
DEVIATION_OF_MEDIAN = 0.6745  # median absolute value of a normal variable of deviation 1


@dataclass(frozen=True)
class SurfaceView:
    """One depth map with the terms that fusion needs, each (h, w), 0 where it says nothing.

    Attributes:
        depth_hw: world units.
        filled_depth_hw: the same with one-pixel holes closed, for interpolation.
        slant_hw: distance to the surface's plane for each unit along the optical axis.
        weight_hw: confidence × cosine of incidence / squared relative distance.
        confidence_hw: 0…1.
        pixel_from_world: (3, 4) projection matrix.
        cam_from_world: (4, 4).
        depth_noise: standard deviation of depth divided by depth.
    """

    depth_hw: Array
    filled_depth_hw: Array
    slant_hw: Array
    weight_hw: Array
    confidence_hw: Array
    pixel_from_world: NDArray[np.float64]
    cam_from_world: NDArray[np.float64]
    depth_noise: float = 0.0


@dataclass(frozen=True)
class Sight:
    """Where a view may see something, without its depth map.

    Attributes:
        name: of its frame.
        cam_from_world: (4, 4).
        sides_43: inward unit normals of the pyramid's sides, in camera axes.
        farthest: largest depth that is trusted, world units; 0 = none.
    """

    name: str
    cam_from_world: NDArray[np.float64]
    sides_43: NDArray[np.float64]
    farthest: float

    @classmethod
    def of(cls, name: str, depth_map: DepthMap, min_confidence: float) -> Sight:
        """The sight of a depth map."""
        height, width = depth_map.depth_hw.shape
        pixels_43 = np.ones((4, 3))
        pixels_43[:, :2] = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        rays_43 = pixels_43 @ np.linalg.inv(depth_map.k_33).T
        sides_43 = np.cross(rays_43, np.roll(rays_43, -1, axis=0))
        return cls(
            name,
            np.asarray(np.linalg.inv(depth_map.world_from_cam), np.float64),
            np.asarray(sides_43 / np.linalg.norm(sides_43, axis=1, keepdims=True), np.float64),
            float(confident_depth(depth_map, min_confidence).max(initial=0.0)),
        )

    def depth(self, points_n3: NDArray[np.float64]) -> NDArray[np.float64]:
        """Depth (n,) of world points."""
        return np.asarray(points_n3 @ self.cam_from_world[2, :3] + self.cam_from_world[2, 3])

    def may_see(self, centers_n3: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
        """Whether balls (n,) of a radius, in world units, may hold something that is seen.

        A ball that a surface's reach enters from behind is one radius larger.
        """
        cam_n3 = centers_n3 @ self.cam_from_world[:3, :3].T + self.cam_from_world[:3, 3]
        inside_n = np.all(cam_n3 @ self.sides_43.T > -radius, axis=1)
        return np.asarray(inside_n & (cam_n3[:, 2] < self.farthest + 2.0 * radius))


def confident_depth(depth_map: DepthMap, min_confidence: float) -> Array:
    """Depth (h, w) with pixels below the confidence, or not finite, set to 0."""
    depth_hw = depth_map.depth_hw
    keep_hw = np.isfinite(depth_hw) & (depth_hw > 0) & (depth_map.confidence_hw >= min_confidence)
    return np.where(keep_hw, depth_hw, 0.0).astype(np.float32)


def with_own_depth(fused: DepthMap, own: DepthMap, within: float) -> DepthMap:
    """Fused depth, but what the view itself measured where the two agree.

    Fusion tells which depth is right, and how surely. Its mean with the neighbours' depth would be
    averaged a second time in the volume, at the cost of detail: errors of maps that were averaged
    with each other no longer cancel.

    Args:
        fused: from the fusion stage.
        own: from the depth stage.
        within: relative difference at which agreement ends.
    """
    if own.depth_hw.shape != fused.depth_hw.shape:
        return fused
    difference_hw = np.abs(own.depth_hw - fused.depth_hw)
    agrees_hw = (own.depth_hw > 0) & (difference_hw < np.float32(within) * fused.depth_hw)
    return replace(fused, depth_hw=np.where(agrees_hw, own.depth_hw, fused.depth_hw))


def make_view(
    depth_map: DepthMap,
    min_confidence: float,
    reference_depth: float,
    trim: float = 0.0,
    depth_noise: float = 0.0,
) -> SurfaceView:
    """Prepare a depth map.

    Args:
        depth_map: from the fusion stage.
        min_confidence: pixels below it are ignored.
        reference_depth: distance at which the distance term of the weight is one.
        trim: width of the rim of what is in front that is ignored, in diagonals of the map.
        depth_noise: standard deviation of depth divided by depth.
    """
    depth_hw = without_rims(confident_depth(depth_map, min_confidence), trim)
    valid_hw = depth_hw > 0
    filled_depth_hw = np.where(valid_hw, depth_hw, cv2.dilate(depth_hw, np.ones((3, 3))))
    cosine_hw, slant_hw = incidence(depth_hw, depth_map.k_33)
    valid_hw &= cosine_hw >= MIN_COSINE
    distance_term_hw = (reference_depth / np.maximum(depth_hw, 1e-12)) ** 2
    weight_hw = (
        np.clip(depth_map.confidence_hw, 0.0, 1.0)
        * cosine_hw
        * np.clip(distance_term_hw, *WEIGHT_RANGE)
    )
    cam_from_world = np.linalg.inv(depth_map.world_from_cam).astype(np.float64)
    return SurfaceView(
        depth_hw=np.where(valid_hw, depth_hw, 0.0).astype(np.float32),
        filled_depth_hw=filled_depth_hw.astype(np.float32),
        slant_hw=slant_hw,
        weight_hw=np.where(valid_hw, weight_hw, 0.0).astype(np.float32),
        confidence_hw=np.where(valid_hw, depth_map.confidence_hw, 0.0).astype(np.float32),
        pixel_from_world=depth_map.k_33 @ cam_from_world[:3],
        cam_from_world=cam_from_world,
        depth_noise=depth_noise,
    )


def without_rims(depth_hw: Array, trim: float) -> Array:
    """Depth without the rims of what is in front, which is fattened as a rule.

    Args:
        depth_hw: 0 = none.
        trim: width of the rim in diagonals of the map.
    """
    reach_px = round(trim * float(np.hypot(*depth_hw.shape)))
    if reach_px == 0:
        return depth_hw
    farthest_hw = cv2.dilate(depth_hw, np.ones((2 * reach_px + 1,) * 2, np.uint8))
    rim_hw = farthest_hw > (1.0 + DEPTH_JUMP) * depth_hw
    return np.where(rim_hw, np.float32(0), depth_hw)


def incidence(depth_hw: Array, k_33: NDArray[np.float64]) -> tuple[Array, Array]:
    """How slanted the surface lies under each pixel.

    Inverse depth is affine in the pixel on a plane, `1/z = n·r / d` with the ray `r`, so its
    gradient gives the normal. The smaller one-sided difference keeps depth edges out of it.

    Returns:
        Cosine of the angle between ray and normal, and the distance to the plane for each
        unit of depth, both (h, w), 0 where there is no depth.
    """
    valid_hw = depth_hw > 0
    inverse_hw = np.where(valid_hw, 1.0 / np.maximum(depth_hw, 1e-12), 0.0)
    du_hw = _smaller_difference(inverse_hw, valid_hw, axis=1) * k_33[0, 0]
    dv_hw = _smaller_difference(inverse_hw, valid_hw, axis=0) * k_33[1, 1]
    height, width = depth_hw.shape
    ray_x_1w = (np.arange(width)[None] - k_33[0, 2]) / k_33[0, 0]
    ray_y_h1 = (np.arange(height)[:, None] - k_33[1, 2]) / k_33[1, 1]
    along_hw = inverse_hw - du_hw * ray_x_1w - dv_hw * ray_y_h1
    length_hw = np.sqrt(du_hw**2 + dv_hw**2 + along_hw**2)
    slant_hw = np.where(valid_hw, inverse_hw / np.maximum(length_hw, 1e-12), 0.0)
    cosine_hw = slant_hw / np.sqrt(1.0 + ray_x_1w**2 + ray_y_h1**2)
    return cosine_hw.astype(np.float32), slant_hw.astype(np.float32)


def _smaller_difference(
    values_hw: NDArray[np.float64], valid_hw: NDArray[np.bool_], axis: int
) -> NDArray[np.float64]:
    """Per-pixel difference over `GRADIENT_STEP_PX`, on the side where it is smaller."""
    values = np.moveaxis(values_hw, axis, 0)
    valid = np.moveaxis(valid_hw, axis, 0)
    step = GRADIENT_STEP_PX
    ahead = np.full(values.shape, np.inf)
    both = valid[step:] & valid[:-step]
    difference = np.where(both, (values[step:] - values[:-step]) / step, np.inf)
    ahead[:-step] = difference
    behind = np.full(values.shape, np.inf)
    behind[step:] = difference
    smaller = np.where(np.abs(ahead) <= np.abs(behind), ahead, behind)
    return np.asarray(np.moveaxis(np.where(np.isfinite(smaller), smaller, 0.0), 0, axis))


def depth_noise(names: Sequence[str], load: DepthLoader, min_confidence: float) -> float:
    """Standard deviation of depth divided by depth, from how views agree near and far in the order.

    Confident pixels of one view are projected into another; the median absolute relative
    difference, where both see the same surface, is scaled to a deviation of one map. The larger
    one counts, if far pairs overlap.

    Returns:
        0 if no two views overlap.
    """
    near, far = (_differences(names, load, min_confidence, span) for span in (NEAR_SPAN, FAR_SPAN))
    trusted = [near, far] if _agreeing(far) > FAR_OVERLAP * _agreeing(near) else [near]
    medians = [
        float(np.median(np.abs(np.concatenate(of_pairs))))
        for of_pairs in trusted
        if _agreeing(of_pairs)
    ]
    return max(medians, default=0.0) / DEVIATION_OF_MEDIAN / float(np.sqrt(2.0))


def _differences(
    names: Sequence[str], load: DepthLoader, min_confidence: float, span: int
) -> list[NDArray[np.float64]]:
    """Relative differences of depth in each pair of views that are `span` apart."""
    last = len(names) - 1 - span
    if last < 0:
        return []
    return [
        _relative_difference(load(names[start]), load(names[start + span]), min_confidence)
        for start in np.unique(np.linspace(0, last, NOISE_PAIRS).astype(int))
    ]


def _agreeing(of_pairs: Sequence[NDArray[np.float64]]) -> float:
    """Pixels of a pair that see the same surface, on average."""
    return sum(map(len, of_pairs)) / max(len(of_pairs), 1)


def _relative_difference(
    first: DepthMap, second: DepthMap, min_confidence: float
) -> NDArray[np.float64]:
    points_n3 = world_points(first, min_confidence, NOISE_STRIDE_PX)
    matrix_34 = second.k_33 @ np.linalg.inv(second.world_from_cam)[:3]
    projected_n3 = points_n3 @ matrix_34[:, :3].T + matrix_34[:, 3]
    projected_n3 = projected_n3[projected_n3[:, 2] > 0]
    pixels_n2 = np.round(projected_n3[:, :2] / projected_n3[:, 2:]).astype(np.int64)
    depth_hw = confident_depth(second, min_confidence)
    height, width = depth_hw.shape
    inside_n = np.all((pixels_n2 >= 0) & (pixels_n2 < [width, height]), axis=1)
    pixels_n2, expected_n = pixels_n2[inside_n], projected_n3[inside_n, 2]
    found_n = depth_hw[pixels_n2[:, 1], pixels_n2[:, 0]]
    relative_n = (found_n - expected_n) / expected_n
    return np.asarray(relative_n[(found_n > 0) & (np.abs(relative_n) < SAME_SURFACE)])


def world_points(depth_map: DepthMap, min_confidence: float, stride_px: int) -> NDArray[np.float64]:
    """World points (n, 3) of every `stride_px`-th confident pixel."""
    depth_hw = confident_depth(depth_map, min_confidence)[::stride_px, ::stride_px]
    v_n, u_n = np.nonzero(depth_hw)
    pixels_n3 = np.stack([u_n * stride_px, v_n * stride_px, np.ones(len(u_n))], axis=1)
    rays_n3 = pixels_n3 @ np.linalg.inv(depth_map.k_33).T
    points_n3 = rays_n3 * depth_hw[v_n, u_n, None]
    pose = depth_map.world_from_cam
    return np.asarray(points_n3 @ pose[:3, :3].T + pose[:3, 3], dtype=np.float64)
