"""What the scripts of several tables share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mvrecon.engine.store import Store

REPOSITORY = Path(__file__).parents[1]


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = ["| " + " | ".join(row) + " |" for row in [headings, *rows]]
    lines.insert(1, "|" + "---|" * len(headings))
    return "\n".join(lines) + "\n"


def recorded(run_dir: Path, stage: str) -> Mapping[str, Any]:
    """What a stage cost when its newest result was made: wall_s, cpu_s, peak_bytes.

    Raises:
        SystemExit: it has no result.
    """
    latest = Store(run_dir / "store").latest(stage)
    if latest is None:
        raise SystemExit(f"{run_dir} has no result of the stage {stage}")
    found: Mapping[str, Any] = latest.manifest["recorded"]
    return found
