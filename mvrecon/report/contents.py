"""What a report is made from: plain data, so that it needs no engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mvrecon.artifacts.mending import Mending

# What the template of a section shows: plain data.
Section = dict[str, Any]


@dataclass(frozen=True)
class StageReport:
    """One stage of a run.

    Attributes:
        name: of the stage.
        folder: where its items are; None if it has not run.
        numbers: name → value, as in its summary.
        warnings: one sentence each.
        config: option (dotted, as on the command line) → value.
        wall_s, cpu_s: time of the run that made the result; None if unknown.
        peak_bytes: largest memory of that run; None if unknown.
    """

    name: str
    folder: Path | None = None
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    wall_s: float | None = None
    cpu_s: float | None = None
    peak_bytes: int | None = None

    def item(self, name: str) -> Path | None:
        """Path of an item, None if the stage does not have it."""
        if self.folder is None or not (self.folder / name).is_file():
            return None
        return self.folder / name


@dataclass(frozen=True)
class ReportInput:
    """A run, finished or not.

    Attributes:
        title: name of the input, without its path.
        stages: in the pipeline's order, those that have not run included.
        versions: library → version.
        kind: of page: `run`, or `volume` for one of a volume.
        mendings: what the run found poor, and tried.
    """

    title: str
    stages: Sequence[StageReport]
    versions: Mapping[str, str] = field(default_factory=dict)
    kind: str = "run"
    mendings: Sequence[Mending] = ()

    def stage(self, name: str) -> StageReport:
        """A stage by name; one that has not run if the list lacks it."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        return StageReport(name)

    def item(self, stage: str, name: str) -> Path | None:
        """Path of an item of a stage, None if it is not there."""
        return self.stage(stage).item(name)
