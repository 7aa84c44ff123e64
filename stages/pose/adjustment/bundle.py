"""Robust bundle adjustment: Levenberg–Marquardt with the points eliminated.

Triggs et al., "Bundle Adjustment – A Modern Synthesis", 2000: the Schur complement of the
points is summed as a sparse matrix, of which each frame fills what it shares points with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from stages.pose.adjustment.cameras import (
    POSE,
    Cameras,
    FloatArray,
    Linearized,
    Observations,
    Step,
    linearize,
    residuals,
)

ITERATIONS = 50
# Steps end when one lowers the cost by less than this part of it.
LEAST_GAIN = 1e-6
FIRST_DAMPING = 1e-4
MAX_DAMPING = 1e6
MIN_DAMPING = 1e-8
# Keeps what nothing binds (a point along its ray, a read-out without motion) solvable.
LEAST_CURVATURE = 1e-12


@dataclass(frozen=True)
class Freedom:
    """What may change besides poses and points.

    Attributes:
        focal: the focal length that all frames share.
        radial: how many terms of the distortion.
        readout: the time in which the rows are read.
        zoom: how much the logarithm of the focal length may wander in a second (standard
            deviation, at the weight of one pixel-accurate observation), 0 for one length for all.
    """

    focal: bool = True
    radial: int = 1
    readout: bool = False
    zoom: float = 0.0


class _Normal(NamedTuple):
    """The normal equations: f parameters of frames, g common ones, three of each point."""

    frames_ff: sparse.csr_matrix
    border_fg: FloatArray
    common_gg: FloatArray
    right_f: FloatArray
    right_g: FloatArray
    point_p33: FloatArray
    right_p3: FloatArray
    frame_point_mc3: FloatArray
    common_point_pg3: FloatArray


@dataclass(frozen=True)
class Adjusted:
    """The result.

    Attributes:
        cameras: adjusted.
        cost: half the sum of Cauchy losses [px²].
    """

    cameras: Cameras
    cost: float


def adjust(
    cameras: Cameras,
    seen: Observations,
    times_s: FloatArray,
    freedom: Freedom,
    scale_px: float,
    *,
    least_gain: float = LEAST_GAIN,
) -> Adjusted:
    """Adjust all at once under a Cauchy loss.

    Args:
        cameras: to start from.
        seen: observations, sorted by point; each point has at least one.
        times_s: of the frames, ascending.
        freedom: what may change.
        scale_px: error at which an observation has lost half its weight.
        least_gain: part of the cost by which a step must lower it, to be followed by another.
    """
    return _Adjustment(seen, times_s, freedom, scale_px).run(cameras, least_gain)


class _Adjustment:
    """Holds what does not change while the cameras do."""

    def __init__(
        self, seen: Observations, times_s: FloatArray, freedom: Freedom, scale_px: float
    ) -> None:
        self._seen = seen
        self._freedom = freedom
        self._scale_px = scale_px
        self._count = len(times_s)
        self._width = POSE + (freedom.zoom > 0)
        rows = np.arange(len(seen.frame_m))
        ones = np.ones(len(rows))
        shape = (self._count, len(rows))
        self._by_frame_nm = sparse.csr_matrix((ones, (seen.frame_m, rows)), shape)
        self._first_of_point = np.flatnonzero(np.diff(seen.point_m, prepend=-1))
        # Of the change of focal length from each frame to the next, in units of pixels.
        spread_n = freedom.zoom * np.sqrt(np.maximum(np.diff(times_s), 1e-9))
        self._zoom_weight_n = scale_px / spread_n if freedom.zoom > 0 else np.zeros(0)

    def run(self, cameras: Cameras, least_gain: float) -> Adjusted:
        """Steps until they gain next to nothing."""
        damping, cost = FIRST_DAMPING, self._cost(cameras)
        for _ in range(ITERATIONS):
            normal = self._normal(cameras)
            while True:
                moved = self._stepped(cameras, normal, damping)
                new_cost = self._cost(moved)
                if new_cost < cost or damping > MAX_DAMPING:
                    break
                damping *= 10.0
            if not new_cost < cost:
                break
            gain, cameras, cost = cost - new_cost, moved, new_cost
            damping = max(damping / 10.0, MIN_DAMPING)
            if gain < least_gain * cost:
                break
        return Adjusted(cameras, cost)

    def _stepped(self, cameras: Cameras, normal: _Normal, damping: float) -> Cameras:
        """The cameras after a step; where they are if it cannot be solved for so little damping."""
        try:
            return cameras.moved(self._solve(normal, damping))
        except (np.linalg.LinAlgError, RuntimeError):  # SuperLU raises the latter
            return cameras

    def _cost(self, cameras: Cameras) -> float:
        squared_m = np.sum(residuals(cameras, self._seen) ** 2, axis=1)
        loss = self._scale_px**2 * np.log1p(squared_m / self._scale_px**2).sum()
        return 0.5 * float(loss + np.sum(self._zoom_residual(cameras) ** 2))

    def _zoom_residual(self, cameras: Cameras) -> FloatArray:
        if not self._freedom.zoom:
            return np.zeros(0)
        return self._zoom_weight_n * np.diff(cameras.log_focal_n)

    def _normal(self, cameras: Cameras) -> _Normal:
        seen, width = self._seen, self._width
        linear = linearize(cameras, seen)
        weight_m = 1.0 / (1.0 + np.sum(linear.residual_m2**2, axis=1) / self._scale_px**2)
        by_frame, by_common, by_point = parts = self._parts(linear)
        weighed = [weight_m[:, None, None] * part for part in parts]
        frames_n, right_n = self._zoom_normal(cameras)
        blocks = self._per_frame(_product(weighed[0], by_frame))
        border = self._per_frame(_product(weighed[0], by_common))
        right_n += self._per_frame(np.einsum("mki,mk->mi", weighed[0], linear.residual_m2))
        return _Normal(
            frames_ff=(sparse.block_diag(blocks) + frames_n).tocsr(),
            border_fg=border.reshape(self._count * width, by_common.shape[2]),
            common_gg=np.einsum("mki,mkj->ij", weighed[1], by_common),
            right_f=right_n.ravel(),
            right_g=np.einsum("mki,mk->i", weighed[1], linear.residual_m2),
            point_p33=self._per_point(_product(weighed[2], by_point)),
            right_p3=self._per_point(np.einsum("mki,mk->mi", weighed[2], linear.residual_m2)),
            frame_point_mc3=_product(weighed[0], by_point),
            common_point_pg3=self._per_point(_product(weighed[1], by_point)),
        )

    def _parts(self, linear: Linearized) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Derivatives by the parameters of frames, by common ones, and by points."""
        freedom = self._freedom
        focal_m21 = linear.by_focal_m2[:, :, None]
        frame = [linear.by_pose_m26, *([focal_m21] if freedom.zoom else [])]
        common = [
            focal_m21[:, :, : int(freedom.focal and not freedom.zoom)],
            linear.by_radial_m22[:, :, : freedom.radial],
            linear.by_readout_m2[:, :, None][:, :, : int(freedom.readout)],
        ]
        return np.concatenate(frame, 2), np.concatenate(common, 2), linear.by_point_m23

    def _zoom_normal(self, cameras: Cameras) -> tuple[sparse.csr_matrix, FloatArray]:
        """What the prior on the change of focal length adds."""
        size = self._count * self._width
        right_n = np.zeros((self._count, self._width))
        if not self._freedom.zoom:
            return sparse.csr_matrix((size, size)), right_n
        focal_n = np.arange(self._count) * self._width + POSE
        row_n = np.arange(self._count - 1)
        change = sparse.csr_matrix((self._zoom_weight_n, (row_n, focal_n[1:])), (len(row_n), size))
        change -= sparse.csr_matrix((self._zoom_weight_n, (row_n, focal_n[:-1])), change.shape)
        right_n += (change.T @ self._zoom_residual(cameras)).reshape(right_n.shape)
        return (change.T @ change).tocsr(), right_n

    def _per_frame(self, values: FloatArray) -> FloatArray:
        """Sums (n, …) over the observations of each frame."""
        sums = self._by_frame_nm @ values.reshape(len(values), -1)
        return np.asarray(sums).reshape(self._count, *values.shape[1:])

    def _per_point(self, values: FloatArray) -> FloatArray:
        return np.asarray(np.add.reduceat(values, self._first_of_point))

    def _solve(self, normal: _Normal, damping: float) -> Step:
        """The damped step; points are whitened, so that their elimination is a product."""
        diagonal_p3 = np.einsum("pii->pi", normal.point_p33)
        damped_p33 = normal.point_p33 + np.eye(3) * (
            damping * diagonal_p3[:, None] + LEAST_CURVATURE
        )
        white_p33 = np.linalg.cholesky(np.linalg.inv(damped_p33))
        coupling = self._sparse(normal.frame_point_mc3 @ white_p33[self._seen.point_m])
        common_qg = np.swapaxes(normal.common_point_pg3 @ white_p33, 1, 2).reshape(
            coupling.shape[1], -1
        )
        right_q = np.einsum("pij,pi->pj", white_p33, normal.right_p3).ravel()
        frames = normal.frames_ff + damping * sparse.diags(normal.frames_ff.diagonal())
        reduced = splu((frames - coupling @ coupling.T).tocsc())
        border_fg = normal.border_fg - coupling @ common_qg
        diagonal_g = damping * np.diag(normal.common_gg) + LEAST_CURVATURE
        common_gg = normal.common_gg + np.diag(diagonal_g)
        right_f = normal.right_f - coupling @ right_q
        through_fg = reduced.solve(border_fg) if border_fg.shape[1] else border_fg
        alone_f = reduced.solve(right_f)
        step_g = -np.linalg.solve(
            common_gg - common_qg.T @ common_qg - border_fg.T @ through_fg,
            normal.right_g - common_qg.T @ right_q - border_fg.T @ alone_f,
        )
        step_f = -(alone_f + through_fg @ step_g)
        step_q = -(right_q + coupling.T @ step_f + common_qg @ step_g)
        xyz_p3 = np.einsum("pij,pj->pi", white_p33, step_q.reshape(-1, 3))
        return self._as_step(step_f.reshape(self._count, -1), step_g, xyz_p3)

    def _sparse(self, blocks_mc3: FloatArray) -> sparse.csr_matrix:
        """The blocks (m, c, 3) of observations at the rows of their frame and point."""
        seen, width = self._seen, self._width
        row_mc = seen.frame_m[:, None] * width + np.arange(width)
        column_m3 = seen.point_m[:, None] * 3 + np.arange(3)
        row, column = np.broadcast_arrays(row_mc[:, :, None], column_m3[:, None, :])
        shape = (self._count * width, 3 * len(self._first_of_point))
        return sparse.csr_matrix((blocks_mc3.ravel(), (row.ravel(), column.ravel())), shape)

    def _as_step(self, frame_nc: FloatArray, common_g: FloatArray, xyz_p3: FloatArray) -> Step:
        freedom, rest = self._freedom, list(common_g)
        focal_n = frame_nc[:, POSE] if freedom.zoom else np.zeros(self._count)
        if freedom.focal and not freedom.zoom:
            focal_n = np.full(self._count, rest.pop(0))
        radial_2 = np.zeros(2)
        radial_2[: freedom.radial] = rest[: freedom.radial]
        readout_s = float(rest[-1]) if freedom.readout else 0.0
        return Step(frame_nc[:, :POSE], xyz_p3, focal_n, radial_2, readout_s)


def _product(first_mki: FloatArray, second_mkj: FloatArray) -> FloatArray:
    """Transposed times (m, i, j) for each observation."""
    return np.swapaxes(first_mki, 1, 2) @ second_mkj
