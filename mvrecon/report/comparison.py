"""Two runs side by side: options that differ, figures, poses aligned, depth, time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mvrecon import atomic
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable
from mvrecon.artifacts.poses import POSES_ITEM, PosedFrame, load_poses
from mvrecon.formats.mesh import read_mesh_ply
from mvrecon.geometry.similarity import align_similarity
from mvrecon.report.contents import ReportInput, StageReport
from mvrecon.report.pictures import data_uri
from mvrecon.report.scene_sections import RENDER_SIDE_PX, mesh_rendering
from mvrecon.report.templates import environment

MIB, GIB = 1 << 20, 1 << 30
LEAST_COMMON = 3  # camera centres that a similarity needs
VIEWS = 2


def write_comparison(first: ReportInput, second: ReportInput, path: Path) -> None:
    """Write the page, replacing the file in one step."""
    page = (
        environment()
        .get_template("comparison.html.j2")
        .render(
            titles=(first.title, second.title),
            options=_options(first, second),
            costs=_costs(first, second),
            stages=_stages(first, second),
            poses=_poses(first, second),
            pictures=_pictures(first, second),
        )
    )
    atomic.write_text(path, page.encode(errors="backslashreplace").decode())


def _options(first: ReportInput, second: ReportInput) -> list[list[str]]:
    """Options that differ, those that only one run has among them."""
    all_options = [
        {
            f"{stage.name}.{name}": value
            for stage in run.stages
            for name, value in stage.config.items()
        }
        for run in (first, second)
    ]
    names = sorted({*all_options[0], *all_options[1]})
    return [
        [name, *(str(options.get(name, "–")) for options in all_options)]
        for name in names
        if all_options[0].get(name, "–") != all_options[1].get(name, "–")
    ]


def _costs(first: ReportInput, second: ReportInput) -> list[list[str]]:
    """Time, memory and disk, stage by stage and in all."""
    rows = []
    for stage in first.stages:
        pair = stage, second.stage(stage.name)
        cpu = [one.cpu_s for one in pair]
        rows.append([stage.name, *map(_seconds, cpu), _ratio(*cpu), *map(_gib, pair)])
    totals = [sum(stage.cpu_s or 0.0 for stage in run.stages) for run in (first, second)]
    rows.append(["all", *map(_seconds, totals), _ratio(*totals), "", ""])
    return rows


def _stages(first: ReportInput, second: ReportInput) -> list[dict[str, Any]]:
    """The figures of each stage; those that are equal are left to a fold."""
    sections = []
    for stage in first.stages:
        numbers = stage.numbers, second.stage(stage.name).numbers
        names = [*numbers[0], *(name for name in numbers[1] if name not in numbers[0])]
        rows = [[name.replace("_", " "), *_pair(name, numbers)] for name in names]
        sections.append(
            {
                "name": stage.name,
                "differ": [row for row in rows if row[1] != row[2]],
                "same": [row[:2] for row in rows if row[1] == row[2]],
            }
        )
    return sections


def _pair(name: str, numbers: tuple[Mapping[str, Any], Mapping[str, Any]]) -> list[str]:
    values = [one.get(name) for one in numbers]
    change = ""
    if all(isinstance(value, int | float) for value in values) and values[0]:
        change = f"{100 * (values[1] / values[0] - 1):+.1f} %"
    return [*map(_text, values), change]


def _poses(first: ReportInput, second: ReportInput) -> list[list[str]] | None:
    """How far the cameras of the second run lie from those of the first, aligned to them.

    None if too few frames have a position in both.
    """
    common = _common(first, second)
    if len(common) < LEAST_COMMON:
        return None
    centres, other_centres = (
        np.stack([pair[side].world_from_cam[:3, 3] for pair in common]) for side in (0, 1)
    )
    similarity = align_similarity(other_centres, centres)
    off_n = np.linalg.norm(similarity.apply(other_centres) - centres, axis=1)
    length = float(np.linalg.norm(np.diff(centres, axis=0), axis=1).sum())
    turns_deg = [
        _angle_deg(
            pair[0].world_from_cam[:3, :3],
            similarity.apply_to_pose(pair[1].world_from_cam)[:3, :3],
        )
        for pair in common
    ]
    rms = np.sqrt((off_n**2).mean())
    focals = [pair.source_camera.fx for pair in common[0]]
    return [
        ["frames with a position in both", str(len(common))],
        [
            "distance of the cameras, RMS",
            f"{100 * rms / length:.3f} % of the path",
        ],
        ["distance of the cameras, most", f"{100 * off_n.max() / length:.3f} % of the path"],
        ["difference of direction, median", f"{np.median(turns_deg):.3f}°"],
        ["difference of direction, most", f"{max(turns_deg):.3f}°"],
        ["focal length", f"{focals[0]:.1f} px, {focals[1]:.1f} px"],
    ]


def _common(first: ReportInput, second: ReportInput) -> list[tuple[PosedFrame, PosedFrame]]:
    """Posed frames of both runs that are of the same frame of the input."""
    by_source = [_by_source(run) for run in (first, second)]
    return [(by_source[0][s], by_source[1][s]) for s in by_source[0] if s in by_source[1]]


def _by_source(run: ReportInput) -> dict[str, PosedFrame]:
    poses, table_path = run.item("pose", POSES_ITEM), run.item("frames", FRAMES_ITEM)
    if poses is None or table_path is None:
        return {}
    table = FrameTable.load(table_path)
    sources = {frame.name: table.source_of(frame) for frame in table.key_frames}
    return {sources[frame.name]: frame for frame in load_poses(poses) if frame.name in sources}


def _pictures(first: ReportInput, second: ReportInput) -> list[list[dict[str, str]]]:
    """Both meshes from the same frames."""
    common = _common(first, second)
    meshes = [run.item("surface", "mesh.ply") for run in (first, second)]
    if not common or None in meshes:
        return []
    chosen = np.linspace(0, len(common) - 1, VIEWS + 2).round().astype(int)[1:-1]
    columns = []
    for side, (run, path) in enumerate(zip((first, second), meshes, strict=True)):
        assert path is not None
        pictures = mesh_rendering(read_mesh_ply(path), [common[i][side] for i in chosen])
        columns.append(
            [
                {"source": data_uri(one, RENDER_SIDE_PX), "caption": f"{'AB'[side]}: {run.title}"}
                for one in pictures
            ]
        )
    return [list(row) for row in zip(*columns, strict=True)]


def _angle_deg(first_33: Any, second_33: Any) -> float:
    cosine = (np.trace(first_33.T @ second_33) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _ratio(first: float | None, second: float | None) -> str:
    return f"{second / first:.2f}" if first and second else ""


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _gib(stage: StageReport) -> str:
    return "–" if stage.peak_bytes is None else f"{stage.peak_bytes / GIB:.2f}"


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
