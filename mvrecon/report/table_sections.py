"""Warnings, numbers, time and memory, configuration."""

from __future__ import annotations

from typing import Any

from mvrecon.report.contents import ReportInput, Section, StageReport

GIB = 1 << 30


def warnings_section(report: ReportInput) -> Section | None:
    """Every warning of every stage; None if there is none."""
    warnings = [(stage.name, text) for stage in report.stages for text in stage.warnings]
    return {"warnings": warnings} if warnings else None


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
