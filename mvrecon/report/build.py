"""From the store of a run to its report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mvrecon import __version__, atomic
from mvrecon.artifacts.mending import Mending
from mvrecon.config import merge_options
from mvrecon.engine.measure import versions
from mvrecon.engine.runner import Runner
from mvrecon.engine.stage import Stage
from mvrecon.engine.store import Artifact
from mvrecon.report.contents import ReportInput, StageReport

REPORT = "report.html"
MADE_FROM = "report.json"


def update_report(
    runner: Runner, mendings: Sequence[Mending] = (), force: bool = False, kind: str = "run"
) -> Path:
    """Write the report if the results that it shows have changed; returns its path."""
    current = _current(runner)
    made_from: dict[str, Any] = {name: one.folder.name for name, one in current.items()}
    made_from["mendings"] = [mending.told() for mending in mendings]
    made_from["mvrecon"] = __version__
    path = runner.run_dir / REPORT
    record = runner.store.root / MADE_FROM
    if path.is_file() and _is_of(record, made_from) and not force:
        return path
    from mvrecon.report.page import write_report

    write_report(report_input(runner, mendings, kind=kind), path)
    atomic.write_text(record, json.dumps(made_from))
    return path


def report_input(
    runner: Runner, mendings: Sequence[Mending] = (), *, kind: str = "run"
) -> ReportInput:
    """What a page is made from: the results that are there."""
    current = _current(runner)
    stages = [_stage_report(stage, current, runner) for stage in runner.stages]
    names = [path.name for path in (runner.raw_input, *runner.more_inputs)]
    # The name of a folder of medical images is often the patient's.
    title = "Volume" if kind == "volume" else " + ".join(names)
    return ReportInput(title, stages, versions(), kind, mendings)


def _current(runner: Runner) -> dict[str, Artifact]:
    return {
        status.name: status.artifact
        for status in runner.status()
        if status.state == "cached" and status.artifact
    }


def _is_of(record: Path, made_from: dict[str, str]) -> bool:
    """Whether the report's note of what it was made from says this."""
    try:
        return bool(json.loads(record.read_bytes()) == made_from)
    except (OSError, ValueError):
        return False


def _stage_report(stage: Stage[Any], current: dict[str, Artifact], runner: Runner) -> StageReport:
    options = runner.configs[stage.name].model_dump(mode="json")
    config = merge_options([{stage.name: options}])[stage.name]
    artifact = current.get(stage.name)
    if artifact is None:
        return StageReport(stage.name, config=config)
    summary = artifact.read_summary()
    recorded = artifact.manifest["recorded"]
    return StageReport(
        stage.name,
        folder=artifact.folder,
        numbers=summary["numbers"],
        warnings=summary["warnings"],
        config=config,
        wall_s=recorded["wall_s"],
        cpu_s=recorded["cpu_s"],
        peak_bytes=recorded["peak_bytes"],
    )
