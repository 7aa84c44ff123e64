"""What became of a batch, as a table that grows while it runs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mvrecon import atomic
from mvrecon.batch.jobs import DONE, Job, Outcome
from mvrecon.engine.store import Store

TABLE = "batch.csv"
# Of a run's stages, what a person who looks through hundreds of runs asks first.
FIGURES = {
    "key_frames": ("frames", "key_frames"),
    "posed": ("pose", "posed_frames"),
    "models": ("pose", "models"),
    "error_px": ("pose", "mean_reprojection_error_px"),
    "coverage": ("fusion", "confident_coverage"),
    "faces": ("surface", "faces"),
}
COLUMNS = ("name", "state", "exit_code", "wall_s", "cpu_s", "peak_mib", *FIGURES, "message")
MIB = 1024**2


def write_table(folder: Path, jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """Write `batch.csv` from what the folder holds of the jobs, whoever made it.

    Returns:
        The rows: those that failed last, so that they are seen.
    """
    rows = [_row(job) for job in jobs]
    rows.sort(key=lambda row: row["state"] == "failed")
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(rows)
    atomic.write_text(folder / TABLE, text.getvalue())
    return rows


def _row(job: Job) -> dict[str, Any]:
    outcome = Outcome.load(job.outcome_file)
    if outcome is None:
        return {"name": job.name, "state": "waiting"}
    row: dict[str, Any] = {
        "name": job.name,
        "state": "done" if outcome.exit_code == DONE else "failed",
        "exit_code": outcome.exit_code,
        "wall_s": outcome.wall_s,
        "cpu_s": outcome.cpu_s,
        "peak_mib": round(outcome.peak_bytes / MIB),
        "message": outcome.message,
    }
    return row | _figures(job.run_dir)


def _figures(run_dir: Path) -> dict[str, Any]:
    """Numbers of the stages that finished."""
    store = Store(run_dir / "store")
    numbers = {}
    for stage in {stage for stage, _ in FIGURES.values()}:
        latest = store.latest(stage)
        path = None if latest is None else latest.folder / "summary.json"
        if path is not None and path.is_file():
            numbers[stage] = json.loads(path.read_text())["numbers"]
    found = {name: numbers.get(stage, {}).get(key) for name, (stage, key) in FIGURES.items()}
    return {name: value for name, value in found.items() if value is not None}
