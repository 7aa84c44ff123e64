"""The report of a run: one HTML file that opens without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mvrecon import atomic
from mvrecon.report.contents import ReportInput, Section
from mvrecon.report.image_sections import (
    depth_section,
    flow_section,
    frames_section,
    moving_section,
)
from mvrecon.report.scene_sections import cameras_section, model_section
from mvrecon.report.table_sections import (
    configuration_section,
    stages_section,
    versions_section,
    warnings_section,
)
from mvrecon.report.templates import environment
from mvrecon.report.verdict import judge

# In the page's order. Each gives the data of templates/sections/NAME.html.j2, None where a run has
# nothing to show for it.
SECTIONS: Mapping[str, Callable[[ReportInput], Section | None]] = {
    "warnings": warnings_section,
    "model": model_section,
    "cameras": cameras_section,
    "frames": frames_section,
    "flow": flow_section,
    "moving": moving_section,
    "depth": depth_section,
    "stages": stages_section,
    "configuration": configuration_section,
    "versions": versions_section,
}


def write_report(report: ReportInput, path: Path) -> None:
    """Write the report of a run, complete or not, replacing the file in one step."""
    atomic.write_text(path, report_html(report))


def report_html(report: ReportInput) -> str:
    """The page as text; pictures, styles and scripts are inside."""
    sections = [
        (name, section)
        for name, section_of in SECTIONS.items()
        if (section := section_of(report)) is not None
    ]
    template = environment().get_template("report.html.j2")
    return template.render(title=report.title, verdict=judge(report), sections=sections)
