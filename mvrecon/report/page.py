"""The report of a run: one HTML file that opens without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mvrecon import atomic
from mvrecon.artifacts.mending import Mending
from mvrecon.report.contents import ReportInput, Section, StageReport
from mvrecon.report.image_sections import (
    depth_section,
    flow_section,
    frames_section,
    moving_section,
)
from mvrecon.report.map_section import map_section
from mvrecon.report.scene_sections import cameras_section, model_section
from mvrecon.report.templates import environment
from mvrecon.report.verdict import Verdict, judge
from mvrecon.report.volume_sections import judge_volume, shape_section, slices_section

GIB = 1 << 30


def warnings_section(report: ReportInput) -> Section | None:
    """Every warning of every stage; None if there is none."""
    warnings = [(stage.name, text) for stage in report.stages for text in stage.warnings]
    return {"warnings": warnings} if warnings else None


def mending_section(report: ReportInput) -> Section | None:
    """What was poor, what was tried, and what was kept; None if nothing was poor."""
    poor = [mending for mending in report.mendings if mending.findings]
    return {"judgements": [_judgement(mending) for mending in poor]} if poor else None


def _judgement(mending: Mending) -> dict[str, Any]:
    first = ["as asked for", "; ".join(mending.findings), _penalty(mending.penalty)]
    tried = [
        [attempt.name, attempt.error or "; ".join(attempt.findings), _penalty(attempt.penalty)]
        for attempt in mending.attempts
    ]
    kept = 0 if mending.kept is None else mending.kept + 1
    rows = [[*row, "kept" if i == kept else ""] for i, row in enumerate([first, *tried])]
    return {"after": mending.after, "rows": rows}


def _penalty(value: float | None) -> str:
    return "no result" if value is None else f"{value:.2f}"


def stages_section(report: ReportInput) -> Section:
    """Seconds and memory of each stage, and what it measured."""
    walls_s = [stage.wall_s or 0.0 for stage in report.stages]
    longest_s = max([1e-9, *walls_s])
    return {
        "total_s": sum(walls_s),
        "stages": [_stage(stage, longest_s) for stage in report.stages],
    }


def _stage(stage: StageReport, longest_s: float) -> dict[str, Any]:
    return {
        "name": stage.name,
        "has_run": stage.folder is not None,
        "wall": _seconds(stage.wall_s),
        "cpu": _seconds(stage.cpu_s),
        "memory": "" if stage.peak_bytes is None else f"{stage.peak_bytes / GIB:.2f} GiB",
        "share_percent": 100 * (stage.wall_s or 0.0) / longest_s,
        "numbers": [(name.replace("_", " "), _text(v)) for name, v in stage.numbers.items()],
    }


def configuration_section(report: ReportInput) -> Section | None:
    """Every option of every stage."""
    options = [
        (f"{stage.name}.{name}", _text(value))
        for stage in report.stages
        for name, value in stage.config.items()
    ]
    return {"options": options} if options else None


def versions_section(report: ReportInput) -> Section | None:
    """The libraries that the results may depend on."""
    return {"versions": list(report.versions.items())} if report.versions else None


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


SectionOf = Callable[[ReportInput], Section | None]
# In the page's order. Each gives the data of templates/sections/NAME.html.j2, None where a run has
# nothing to show for it.
SECTIONS: Mapping[str, SectionOf] = {
    "warnings": warnings_section,
    "mending": mending_section,
    "model": model_section,
    "cameras": cameras_section,
    "map": map_section,
    "frames": frames_section,
    "flow": flow_section,
    "moving": moving_section,
    "depth": depth_section,
    "stages": stages_section,
    "configuration": configuration_section,
    "versions": versions_section,
}
VOLUME_SECTIONS: Mapping[str, SectionOf] = {
    "warnings": warnings_section,
    "shape": shape_section,
    "slices": slices_section,
    "stages": stages_section,
    "configuration": configuration_section,
    "versions": versions_section,
}
# By the kind of page.
PAGES: Mapping[str, tuple[Callable[[ReportInput], Verdict], Mapping[str, SectionOf]]] = {
    "run": (judge, SECTIONS),
    "volume": (judge_volume, VOLUME_SECTIONS),
}


def write_report(report: ReportInput, path: Path) -> None:
    """Write the report of a run, complete or not, replacing the file in one step."""
    # Names of files need be no text: their odd bytes are written out.
    atomic.write_text(path, report_html(report).encode(errors="backslashreplace").decode())


def report_html(report: ReportInput) -> str:
    """The page as text; pictures, styles and scripts are inside."""
    verdict_of, section_makers = PAGES[report.kind]
    sections = [
        (name, section)
        for name, section_of in section_makers.items()
        if (section := section_of(report)) is not None
    ]
    template = environment().get_template("report.html.j2")
    return template.render(title=report.title, verdict=verdict_of(report), sections=sections)
