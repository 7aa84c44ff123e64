"""The scene from above: a plan with the camera's path, the frames that were lost, and a scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FRAMES_ITEM, FrameRecord, FrameTable
from mvrecon.artifacts.poses import POINTS_ITEM, POSES_ITEM, PosedFrame, SparsePoints, load_poses
from mvrecon.formats.mesh import read_mesh_ply
from mvrecon.report.contents import ReportInput, Section
from mvrecon.report.pictures import data_uri

FloatArray = NDArray[np.float64]

WIDTH_PX = 760
MARGIN_PX = 36
MAX_HEIGHT_PX = 900
# What lies far out, a few wrong points, would make the rest small: such parts of it are left out.
FAR = 0.01
# A plan shows what lies below the eyes; a ceiling would hide it.
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
    xyz_n3, rgb_n3 = _scene(report)
    plan = _Plan(frames, xyz_n3)
    lost = _lost(table, frames, _reasons(report))
    marks = [_mark(plan, frames, table, frame) for frame, _ in lost[:MOST_LOST]]
    path_n2 = plan.pixels(np.stack([frame.world_from_cam[:3, 3] for frame in frames]))
    return {
        "width": plan.width,
        "height": plan.height,
        "picture": data_uri(plan.picture(xyz_n3, rgb_n3), MAX_HEIGHT_PX),
        "path": " ".join(f"{x:.1f},{y:.1f}" for x, y in path_n2),
        "cameras": [(round(x, 1), round(y, 1)) for x, y in path_n2],
        "lost": marks,
        "reasons": [[frame.name, table.source_of(frame), reason] for frame, reason in lost],
        "scale": _scale_bar(plan, str(report.stage("pose").numbers.get("scale", ""))),
    }


class _Plan:
    """The projection along the mean up of the cameras."""

    def __init__(self, frames: Sequence[PosedFrame], xyz_n3: NDArray[Any]) -> None:
        up = -np.mean([frame.world_from_cam[:3, 1] for frame in frames], axis=0)
        self._up = up / np.linalg.norm(up)
        first = frames[0].world_from_cam[:3, 0]
        across = first - (first @ self._up) * self._up
        across = across / max(float(np.linalg.norm(across)), 1e-9)
        self._axes_23 = np.stack([across, np.cross(self._up, across)])
        centres = np.stack([frame.world_from_cam[:3, 3] for frame in frames])
        self._eyes = float((centres @ self._up).max())
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
        """What lies below the eyes, from above, in pale colours."""
        picture_hw3 = np.full((self.height, self.width, 3), 255, np.uint8)
        height_n = np.asarray(xyz_n3, np.float64) @ self._up
        order = np.argsort(height_n)
        order = order[height_n[order] <= self._eyes]
        x, y = self.pixels(xyz_n3[order]).round().astype(int).T
        inside = (x >= 0) & (x < self.width - 1) & (y >= 0) & (y < self.height - 1)
        pale = (255 - 0.7 * (255 - rgb_n3[order][inside].astype(float))).astype(np.uint8)
        for down, right in ((1, 1), (1, 0), (0, 1), (0, 0)):
            picture_hw3[y[inside] + down, x[inside] + right] = pale
        return picture_hw3


def _scene(report: ReportInput) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Vertices of the mesh, or else the sparse points, with their colours."""
    if mesh_path := report.item("surface", "mesh.ply"):
        points = read_mesh_ply(mesh_path).points
        return points.xyz_n3, points.rgb_n3
    if points_path := report.item("pose", POINTS_ITEM):
        sparse = SparsePoints.load(points_path)
        return sparse.xyz_n3, sparse.rgb_n3
    return np.zeros((0, 3)), np.zeros((0, 3), np.uint8)


def _reasons(report: ReportInput) -> dict[str, str]:
    """Why key frames have no pose, by name."""
    import csv

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
    return {"px": round(length * plan.px_per_unit, 1), "text": f"{length:g}", "unit": "m"}
