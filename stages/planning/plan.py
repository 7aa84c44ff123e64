"""The plan of a run: frames, time, memory and disk that are expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mvrecon.engine.config import StageConfig
from mvrecon.engine.stage import Stage
from stages.frames.expected import Expected
from stages.planning.costs import Coefficients, Costs
from stages.planning.work import Work, work_of

# Of a run's processor time, what is spread over the threads: with two, a run's wall time was 0.62
# to 0.66 of its processor time, see benchmarks/pipeline.md.
PARALLEL = 0.73
# Stages that a remedy makes anew (see docs/mending.md), and that may be tried.
REMEDIED = ("frames", "flow", "pose", "depth")


@dataclass(frozen=True)
class StagePlan:
    """What one stage is expected to take.

    Attributes:
        name: of the stage.
        cpu_s: processor time.
        peak_bytes: largest memory.
        disk_bytes: of its results.
    """

    name: str
    cpu_s: float
    peak_bytes: float
    disk_bytes: float


@dataclass(frozen=True)
class Plan:
    """What a run is expected to take.

    Attributes:
        expected: of the input.
        workers: threads.
        stages: in their order.
        unknown: options whose cost was never measured; they are counted as the defaults.
    """

    expected: Expected
    workers: int
    stages: tuple[StagePlan, ...]
    unknown: tuple[str, ...] = ()

    @cached_property
    def cpu_s(self) -> float:
        """Processor time of all stages."""
        return sum(stage.cpu_s for stage in self.stages)

    @property
    def wall_s(self) -> float:
        """Elapsed time, if nothing else uses the machine."""
        return self.elapsed(self.cpu_s)

    @property
    def peak_bytes(self) -> float:
        """Memory of the largest stage."""
        return max(stage.peak_bytes for stage in self.stages)

    @property
    def disk_bytes(self) -> float:
        """Of all results."""
        return sum(stage.disk_bytes for stage in self.stages)

    @property
    def remedy_s(self) -> float:
        """Elapsed time that each remedy may add, where the evidence is poor."""
        return self.elapsed(sum(stage.cpu_s for stage in self.stages if stage.name in REMEDIED))

    def elapsed(self, cpu_s: float) -> float:
        """Elapsed time of some processor time."""
        return cpu_s * (1 - PARALLEL + PARALLEL / self.workers)


def make_plan(
    expected: Expected,
    configs: Mapping[str, StageConfig],
    stages: tuple[Stage[Any], ...],
    workers: int,
    *,
    slowness: float,
    costs: Costs,
) -> Plan:
    """Plan a run.

    Args:
        expected: of the input.
        configs: options of the stages.
        stages: that will run.
        workers: threads.
        slowness: of this machine, relative to the one that the costs were measured on.
        costs: of a unit of work.
    """
    work = work_of(expected, configs)
    plans, unknown = [], []
    for stage in stages:
        factor, strange = _variant(stage, configs[stage.name], costs.variants)
        unknown += strange
        cpu_s = factor * _cost(stage.name, work, costs.cpu_s)
        # Looking at frames was timed on this machine.
        looked_s = costs.cpu_s["frames"].get("look_s", 0.0) * work["frames"]["look_s"]
        here_s = looked_s if stage.name == "frames" else 0.0
        plans.append(
            StagePlan(
                stage.name,
                here_s + (cpu_s - here_s) * slowness,
                _cost(stage.name, work, costs.peak_bytes)
                + (workers - 1) * _thread_bytes(stage.name, work, expected, costs),
                _cost(stage.name, work, costs.disk_bytes),
            )
        )
    return Plan(expected, workers, tuple(plans), tuple(unknown))


def _cost(stage: str, work: Work, coefficients: Coefficients) -> float:
    amounts = work.get(stage, {})
    return sum(unit * amounts.get(name, 0.0) for name, unit in coefficients.get(stage, {}).items())


def _thread_bytes(stage: str, work: Work, expected: Expected, costs: Costs) -> float:
    """Memory of one more thread, which holds one more image."""
    units = costs.thread_bytes.get(stage, {})
    amounts = work.get(stage, {})
    return sum(unit * amounts[name] / expected.key_frames for name, unit in units.items())


def _variant(
    stage: Stage[Any], config: StageConfig, variants: Mapping[str, float]
) -> tuple[float, list[str]]:
    """Time of a stage's method relative to the default one's, and what is not known of it."""
    if stage.provider:
        return 1.0, [f"{stage.name} of {stage.provider}"]
    model = getattr(config, "model", None)
    if model is None or model == type(config).model_fields["model"].default:
        return 1.0, []
    name = f"{stage.name}.model={model}"
    return (variants[name], []) if name in variants else (1.0, [name])
