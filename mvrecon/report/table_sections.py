"""Warnings, numbers, time and memory, configuration."""

from __future__ import annotations

from html import escape
from typing import Any

from mvrecon.report.contents import ReportInput, StageReport
from mvrecon.report.markup import section, table

GIB = 1 << 30


def warnings_section(report: ReportInput) -> str:
    """Every warning of every stage; nothing if there is none."""
    items = [
        f"<li><b>{escape(stage.name)}</b>: {escape(warning)}</li>"
        for stage in report.stages
        for warning in stage.warnings
    ]
    if not items:
        return ""
    return section("warnings", "Warnings", "", f'<ul class="warnings">{"".join(items)}</ul>')


def stages_section(report: ReportInput) -> str:
    """Seconds and memory of each stage, and what it measured."""
    longest_s = max((stage.wall_s or 0.0 for stage in report.stages), default=0.0)
    rows = "".join(_cost_row(stage, longest_s) for stage in report.stages)
    total_s = sum(stage.wall_s or 0.0 for stage in report.stages)
    costs = (
        '<div class="scroll"><table><thead><tr><th>stage</th><th class="number">seconds</th>'
        '<th class="number">CPU seconds</th><th class="number">peak memory</th><th></th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )
    blocks = "".join(_numbers(stage) for stage in report.stages if stage.numbers)
    numbers = f'<div class="numbers">{blocks}</div>'
    note = f"{total_s:.0f} seconds in all, for the results shown; a cached stage keeps its time."
    return section("stages", "Stages", note, costs + numbers)


def _cost_row(stage: StageReport, longest_s: float) -> str:
    if stage.folder is None:
        return f'<tr><td>{escape(stage.name)}</td><td colspan="4">has not run</td></tr>'
    width = 100 * (stage.wall_s or 0.0) / max(longest_s, 1e-9)
    memory = "" if stage.peak_bytes is None else f"{stage.peak_bytes / GIB:.2f} GiB"
    return (
        f'<tr><td>{escape(stage.name)}</td><td class="number">{_seconds(stage.wall_s)}</td>'
        f'<td class="number">{_seconds(stage.cpu_s)}</td><td class="number">{memory}</td>'
        f'<td class="bars"><div class="bar" style="width:{width:.1f}%"></div></td></tr>'
    )


def _numbers(stage: StageReport) -> str:
    rows = [[name.replace("_", " "), _value(value)] for name, value in stage.numbers.items()]
    return f"<div><h3>{escape(stage.name)}</h3>{table(['measure', 'value'], rows)}</div>"


def configuration_section(report: ReportInput) -> str:
    """Every option of every stage."""
    rows = [
        [f"{stage.name}.{name}", _value(value)]
        for stage in report.stages
        for name, value in stage.config.items()
    ]
    if not rows:
        return ""
    body = f"<details><summary>{len(rows)} options</summary>{table(['option', 'value'], rows)}"
    return section("configuration", "Configuration", "", body + "</details>")


def versions_section(report: ReportInput) -> str:
    """The libraries that the results may depend on."""
    if not report.versions:
        return ""
    rows = [[name, version] for name, version in report.versions.items()]
    body = f"<details><summary>Libraries</summary>{table(['library', 'version'], rows)}</details>"
    return section("versions", "Versions", "", body)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
