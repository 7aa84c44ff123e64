"""The report of a run: one HTML file that opens without a network."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib.resources import files
from pathlib import Path

from mvrecon import atomic
from mvrecon.report.contents import ReportInput
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
    package = files("mvrecon.report")
    style = package.joinpath("style.css").read_text(encoding="utf-8")
    script = package.joinpath("viewer.js").read_text(encoding="utf-8")
    sections = "\n".join(section(report) for section in SECTIONS)
    title = escape(report.title)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · mvrecon report</title>
<style>
{style}</style>
</head>
<body>
{_header(title, judge(report))}
{sections}
<dialog class="zoom"><img alt=""></dialog>
<script>
{script}</script>
</body>
</html>
"""


def _header(title: str, verdict: Verdict) -> str:
    tiles = "".join(
        f"<div><dt>{escape(measure.label)}</dt><dd>{escape(measure.text)}</dd></div>"
        for measure in verdict.measures
    )
    return f"""<header>
<p class="kicker">mvrecon report</p>
<h1>{title}</h1>
<p class="verdict {verdict.level}"><strong>{escape(verdict.headline)}</strong>
{escape(verdict.sentence)}</p>
<dl class="tiles">{tiles}</dl>
</header>"""
