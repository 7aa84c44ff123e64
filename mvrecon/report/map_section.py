"""The scene from above: a plan with the camera's path, the frames that were lost, and a scale."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FRAMES_ITEM, FrameRecord, FrameTable
from mvrecon.artifacts.poses import POINTS_ITEM, POSES_ITEM, PosedFrame, SparsePoints, load_poses
from mvrecon.formats.mesh import Mesh, read_mesh_ply
from mvrecon.report.contents import ReportInput, Section
from mvrecon.report.pictures import data_uri

FloatArray = NDArray[np.float64]

WIDTH_PX = 760
MARGIN_PX = 36
MAX_HEIGHT_PX = 900
# What lies far out, a few wrong points, would make the rest small: such parts of it are left out.
FAR = 0.01
SAMPLES = 600_000  # of the surface: about one for each pixel of the plan
FACES_DOWN = -0.3  # cosine of its normal with up
# What faces up within ever less tells up, if it is so much of the surface.
TILTS_DEG = (40.0, 30.0, 20.0, 10.0, 10.0)
LEAST_FLOOR = 0.05
MOST_LOST = 40
SCALE_SHARE = 0.25  # of the plan's width, at most
ROUND_STEPS = (5.0, 2.0, 1.0)


def map_section(report: ReportInput) -> Section | None:
    """The plan; None without poses."""
    poses_path, table_path = report.item("pose", POSES_ITEM), report.item("frames", FRAMES_ITEM)
    if poses_path is None or table_path is None:
        return None
    frames, table = load_poses(poses_path), FrameTable.load(table_path)
    if not frames:
        return None
    up_3 = -np.mean([frame.world_from_cam[:3, 1] for frame in frames], axis=0)
    xyz_n3, rgb_n3, up_3 = _scene(report, up_3 / np.linalg.norm(up_3))
    plan = _Plan(frames, xyz_n3, up_3)
    lost = _lost(table, frames, _reasons(report))
    marks = [_mark(plan, frames, table, frame) for frame, _ in lost[:MOST_LOST]]
    path_n2 = plan.pixels(np.stack([frame.world_from_cam[:3, 3] for frame in frames]))
    return {
        "width": plan.width,
        "height": plan.height,
        "picture": data_uri(plan.picture(xyz_n3, rgb_n3), MAX_HEIGHT_PX),
        "path": " ".join(f"{x:.1f},{y:.1f}" for x, y in path_n2),
        "cameras": [(round(float(x), 1), round(float(y), 1)) for x, y in path_n2],
        "lost": marks,
        "reasons": [[frame.name, table.source_of(frame), reason] for frame, reason in lost],
        "scale": _scale_bar(plan, str(report.stage("pose").numbers.get("scale", ""))),
    }


class _Plan:
    """The projection along the mean up of the cameras."""

    def __init__(
        self, frames: Sequence[PosedFrame], xyz_n3: NDArray[Any], up_3: FloatArray
    ) -> None:
        self._up = up_3
        first = frames[0].world_from_cam[:3, 0]
        across = first - (first @ self._up) * self._up
        across = across / max(float(np.linalg.norm(across)), 1e-9)
        self._axes_23 = np.stack([across, np.cross(self._up, across)])
        centres = np.stack([frame.world_from_cam[:3, 3] for frame in frames])
        flat = centres @ self._axes_23.T
        shown = np.asarray(xyz_n3, np.float64) @ self._axes_23.T
        low, high = flat.min(axis=0), flat.max(axis=0)
        if len(shown):
            near_low, near_high = np.quantile(shown, [FAR, 1 - FAR], axis=0)
            low, high = np.minimum(low, near_low), np.maximum(high, near_high)
        extent = np.maximum(high - low, 1e-9)
        inner = WIDTH_PX - 2 * MARGIN_PX
        self.px_per_unit = min(inner / extent[0], (MAX_HEIGHT_PX - 2 * MARGIN_PX) / extent[1])
        self._low, self._high = low, high
        self.width = WIDTH_PX
        self.height = round(extent[1] * self.px_per_unit) + 2 * MARGIN_PX

    def pixels(self, xyz_n3: NDArray[Any]) -> FloatArray:
        """Where points lie on the plan (n, 2), what is ahead above."""
        flat = np.asarray(xyz_n3, np.float64) @ self._axes_23.T
        x = (flat[:, 0] - self._low[0]) * self.px_per_unit + MARGIN_PX
        y = (self._high[1] - flat[:, 1]) * self.px_per_unit + MARGIN_PX
        return np.stack([x, y], axis=1)

    def picture(self, xyz_n3: NDArray[Any], rgb_n3: NDArray[Any]) -> NDArray[np.uint8]:
        """The scene in pale colours, what is higher before what is lower."""
        picture_hw3 = np.full((self.height, self.width, 3), 255, np.uint8)
        height_n = np.asarray(xyz_n3, np.float64) @ self._up
        order = np.argsort(height_n)
        x, y = self.pixels(xyz_n3[order]).round().astype(int).T
        inside = (x >= 0) & (x < self.width - 1) & (y >= 0) & (y < self.height - 1)
        pale = (255 - 0.8 * (255 - rgb_n3[order][inside].astype(float))).astype(np.uint8)
        for down, right in ((1, 1), (1, 0), (0, 1), (0, 0)):
            picture_hw3[y[inside] + down, x[inside] + right] = pale
        return picture_hw3


def _scene(
    report: ReportInput, up_3: FloatArray
) -> tuple[NDArray[Any], NDArray[np.uint8], FloatArray]:
    """Points of the mesh, or else the sparse ones, with their colours; what is up."""
    if mesh_path := report.item("surface", "mesh.ply"):
        return _samples(read_mesh_ply(mesh_path), up_3)
    if points_path := report.item("pose", POINTS_ITEM):
        sparse = SparsePoints.load(points_path)
        return sparse.xyz_n3, sparse.rgb_n3, up_3
    return np.zeros((0, 3)), np.zeros((0, 3), np.uint8), up_3


def _samples(mesh: Mesh, up_3: FloatArray) -> tuple[NDArray[Any], NDArray[np.uint8], FloatArray]:
    """Points all over the surface, in proportion to area, with their colours.

    What faces down, a ceiling, is left out, as it would hide the rest; up is that of the floor.
    """
    corners_m33 = mesh.points.xyz_n3[mesh.faces_m3].astype(np.float64)
    sides = corners_m33[:, 1:] - corners_m33[:, :1]
    normals_m3 = np.cross(sides[:, 0], sides[:, 1])
    area_m = np.linalg.norm(normals_m3, axis=1)
    up_3 = _levelled(normals_m3, up_3)
    area_m[normals_m3 @ up_3 < FACES_DOWN * area_m] = 0.0
    if not area_m.sum() > 0:
        return mesh.points.xyz_n3, mesh.points.rgb_n3, up_3
    rng = np.random.default_rng(0)
    face_k = rng.choice(len(area_m), SAMPLES, p=area_m / area_m.sum())
    weights_k3 = rng.dirichlet(np.ones(3), SAMPLES)
    xyz_k3 = np.einsum("kc,kcx->kx", weights_k3, corners_m33[face_k])
    rgb_k33 = mesh.points.rgb_n3[mesh.faces_m3[face_k]].astype(np.float64)
    return xyz_k3, np.einsum("kc,kcx->kx", weights_k3, rgb_k33).astype(np.uint8), up_3


def _levelled(normals_m3: FloatArray, up_3: FloatArray) -> FloatArray:
    """Up of the largest surface that faces about up; cameras are often held tilted.

    Args:
        normals_m3: of the faces, as long as these are large.
        up_3: of the cameras.
    """
    area_m = np.linalg.norm(normals_m3, axis=1)
    for within_deg in TILTS_DEG:
        faces_up = normals_m3 @ up_3 > math.cos(math.radians(within_deg)) * area_m
        total_3 = normals_m3[faces_up].sum(axis=0)
        if not faces_up.any() or area_m[faces_up].sum() < LEAST_FLOOR * area_m.sum():
            break
        up_3 = total_3 / np.linalg.norm(total_3)
    return up_3


def _reasons(report: ReportInput) -> dict[str, str]:
    """Why key frames have no pose, by name."""
    path: Path | None = report.item("pose", "frames.csv")
    if path is None:
        return {}
    with path.open(newline="") as file:
        return {row["name"]: row["reason"] for row in csv.DictReader(file) if row["name"]}


def _lost(
    table: FrameTable, frames: Sequence[PosedFrame], reasons: dict[str, str]
) -> list[tuple[FrameRecord, str]]:
    """Key frames without a pose, and why."""
    posed = {frame.name for frame in frames}
    return [
        (frame, reasons.get(frame.name, ""))
        for frame in table.key_frames
        if frame.name not in posed
    ]


def _mark(
    plan: _Plan, frames: Sequence[PosedFrame], table: FrameTable, lost: FrameRecord
) -> dict[str, Any]:
    """Where a lost frame may have been: between those before and after it."""
    index = {frame.name: frame.index for frame in table.key_frames}
    known = [index[frame.name] for frame in frames]
    centres = np.stack([frame.world_from_cam[:3, 3] for frame in frames])
    order = np.argsort(known)
    at = [np.interp(lost.index, np.array(known)[order], centres[order, axis]) for axis in range(3)]
    x, y = plan.pixels(np.array([at]))[0]
    return {"x": round(float(x), 1), "y": round(float(y), 1), "name": lost.name}


def _scale_bar(plan: _Plan, scale: str) -> dict[str, Any] | None:
    """A length that is round, if the scale is known."""
    if not scale or scale.startswith("arbitrary"):
        return None
    longest = SCALE_SHARE * plan.width / plan.px_per_unit
    power = 10.0 ** math.floor(math.log10(longest))
    length = next(step * power for step in ROUND_STEPS if step * power <= longest)
    return {"px": round(float(length * plan.px_per_unit), 1), "text": f"{length:g}", "unit": "m"}
