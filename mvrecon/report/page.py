"""The report of a run: one HTML file that opens without a network."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

from mvrecon import atomic
from mvrecon.report.contents import ReportInput
from mvrecon.report.document import document
from mvrecon.report.image_sections import depth_section, flow_section, frames_section
from mvrecon.report.moving_section import moving_section
from mvrecon.report.scene_sections import camera_section, model_section
from mvrecon.report.table_sections import (
    configuration_section,
    stages_section,
    versions_section,
    warnings_section,
)
from mvrecon.report.verdict import Verdict, judge

# Each gives HTML, empty where a run has nothing to show for it.
SECTIONS: tuple[Callable[[ReportInput], str], ...] = (
    warnings_section,
    model_section,
    camera_section,
    frames_section,
    flow_section,
    moving_section,
    depth_section,
    stages_section,
    configuration_section,
    versions_section,
)


def write_report(report: ReportInput, path: Path) -> None:
    """Write the report of a run, complete or not, replacing the file in one step."""
    atomic.write_text(path, report_html(report))


def report_html(report: ReportInput) -> str:
    """The page as text; pictures, styles and scripts are inside."""
    sections = (section(report) for section in SECTIONS)
    header = _header(report.title, judge(report))
    return document(f"{report.title} · mvrecon report", header, sections)


def _header(title: str, verdict: Verdict) -> str:
    tiles = "".join(
        f"<div><dt>{escape(measure.label)}</dt><dd>{escape(measure.text)}</dd></div>"
        for measure in verdict.measures
    )
    return f"""<p class="kicker">mvrecon report</p>
<h1>{escape(title)}</h1>
<p class="verdict {verdict.level}"><strong>{escape(verdict.headline)}</strong>
{escape(verdict.sentence)}</p>
<dl class="tiles">{tiles}</dl>"""
