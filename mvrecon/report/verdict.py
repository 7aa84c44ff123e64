"""How far to trust a run, in one sentence and a few figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvrecon.artifacts.depth import DepthMap
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable
from mvrecon.artifacts.poses import POINTS_ITEM, POSES_ITEM, SparsePoints, load_poses
from mvrecon.report.contents import ReportInput
from mvrecon.report.pictures import spread

CONFIDENT = 0.5
DEPTH_SAMPLES = 12


@dataclass(frozen=True)
class Measure:
    """One figure of the verdict.

    Attributes:
        label: what a tile says.
        text: the figure with its unit.
        clause: part of a sentence.
        grade: 0 poor, 1 fair, 2 good.
    """

    label: str
    text: str
    clause: str
    grade: int


@dataclass(frozen=True)
class Verdict:
    """Attributes: `level` is good, fair, poor or partial; `measures` are what it rests on."""

    level: str
    headline: str
    sentence: str
    measures: tuple[Measure, ...]


def judge(report: ReportInput) -> Verdict:
    """Grade what there is; the weakest measure decides."""
    measures = tuple(
        measure
        for measure in (_posed(report), _reprojection(report), _depth(report), _surface(report))
        if measure is not None
    )
    done = [stage.name for stage in report.stages if stage.folder is not None]
    missing = [stage.name for stage in report.stages if stage.folder is None]
    clauses = "; ".join([*(measure.clause for measure in measures), *_mended(report)])
    if missing or not measures:
        headline = "Not finished."
        sentence = f"Done: {', '.join(done) or 'nothing'}. Missing: {', '.join(missing) or 'all'}."
        return Verdict("partial", headline, f"{sentence} {_capital(clauses)}".strip(), measures)
    weakest = min(measures, key=lambda measure: measure.grade)
    level = ("poor", "fair", "good")[weakest.grade]
    headline = {
        "good": "This model can be trusted.",
        "fair": "This model is usable, with care.",
        "poor": "Do not rely on this model.",
    }[level]
    return Verdict(level, headline, _capital(clauses), measures)


def _mended(report: ReportInput) -> list[str]:
    """A clause for each remedy that was kept, or tried in vain."""
    clauses = []
    for mending in report.mendings:
        if mending.kept is not None:
            clauses.append(f"mended after {mending.after} by {mending.attempts[mending.kept].name}")
        elif mending.attempts:
            clauses.append(f"no remedy tried after {mending.after} made it better")
    return clauses


def _posed(report: ReportInput) -> Measure | None:
    poses, table = report.item("pose", POSES_ITEM), report.item("frames", FRAMES_ITEM)
    if poses is None or table is None:
        return None
    posed, total = len(load_poses(poses)), len(FrameTable.load(table).key_frames)
    share = posed / max(total, 1)
    return Measure(
        "Frames placed",
        f"{posed} of {total}",
        f"{posed} of {total} key frames have a camera position",
        _grade(share, fair=0.7, good=0.95),
    )


def _reprojection(report: ReportInput) -> Measure | None:
    path = report.item("pose", POINTS_ITEM)
    errors_px = np.empty(0) if path is None else SparsePoints.load(path).error_px_n
    if len(errors_px) == 0:
        return None
    error_px = float(np.median(errors_px))
    return Measure(
        "Reprojection error",
        f"{error_px:.2f} px",
        f"points are met to {error_px:.2f} pixels",
        _grade(-error_px, fair=-2.0, good=-1.0),
    )


def _depth(report: ReportInput) -> Measure | None:
    paths = depth_paths(report)
    if not paths:
        return None
    shares = []
    for index in spread(len(paths), DEPTH_SAMPLES):
        depth_map = DepthMap.load(paths[index])
        shares.append(np.mean((depth_map.depth_hw > 0) & (depth_map.confidence_hw >= CONFIDENT)))
    percent = 100 * float(np.mean(shares))
    return Measure(
        "Confident depth",
        f"{percent:.0f} %",
        f"{percent:.0f} % of the pixels have a depth of confidence {CONFIDENT:g} or more",
        _grade(percent, fair=20, good=45),
    )


def _surface(report: ReportInput) -> Measure | None:
    confidence = report.stage("surface").numbers.get("median_confidence")
    if not isinstance(confidence, int | float):
        return None
    return Measure(
        "Surface confidence",
        f"{confidence:.2f}",
        f"the surface's median confidence is {confidence:.2f}",
        _grade(confidence, fair=0.4, good=0.7),
    )


def depth_paths(report: ReportInput) -> list[Path]:
    """Depth maps of the fusion stage, else of the depth stage, in the frames' order."""
    for name in ("fusion", "depth"):
        folder = report.stage(name).folder
        paths = sorted(folder.glob("depth/*.npz")) if folder is not None else []
        if paths:
            return paths
    return []


def _grade(value: float, fair: float, good: float) -> int:
    return int(value >= fair) + int(value >= good)


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
