"""What a run will take, and options that keep to a budget: for `mvrecon plan` and `run`."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mvrecon.artifacts.mending import Changes
from mvrecon.commands.pipelines import PIPELINES, RUN, pipeline_of
from mvrecon.commands.running import How, dumped, load_record, make_runner
from mvrecon.config import build_configs, merge_options
from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.formats.files import require_input
from mvrecon.run_dir import RECORD, RunRecord

if TYPE_CHECKING:
    from stages.planning.fit import Budget
    from stages.planning.plan import Plan

PIPELINE = PIPELINES[RUN]
log = logging.getLogger(__name__)


class Planner:
    """Plans runs of one input, which is looked at once.

    Args:
        record: what is asked for.
        until: last stage of the run.

    Raises:
        MvreconError: wrong options, or unusable input.
    """

    def __init__(self, record: RunRecord, until: str) -> None:
        from stages.frames.config import FramesConfig
        from stages.frames.expected import expect, together
        from stages.planning.costs import Costs, measure_round

        for path in record.inputs:
            require_input(path)
        stages = pipeline_of(RUN, record.used).stages
        self._stages = stages[: PIPELINE.names.index(until) + 1]
        foreign = {stage.name for stage in stages if stage.provider}
        self._options = {
            name: values for name, values in record.options.items() if name not in foreign
        }
        self._costs = Costs.load()
        self._slowness = measure_round() / self._costs.round_s
        frames = cast(FramesConfig, self._configs({})["frames"])
        with tempfile.TemporaryDirectory() as folder:
            log_file = Path(folder) / "look.log"
            self._expected = together(
                [run_isolated(expect, (path, frames), log_file, "plan") for path in record.inputs]
            )

    def plan(self, changes: Changes, workers: int) -> Plan:
        """The plan with some options changed and so many threads."""
        from stages.planning.plan import make_plan

        configs = self._configs(changes)
        most = cast(Any, configs["frames"]).max
        expected = self._expected
        if most is not None:
            expected = replace(expected, key_frames=min(expected.key_frames, most))
        return make_plan(
            expected, configs, self._stages, workers, slowness=self._slowness, costs=self._costs
        )

    def _configs(self, changes: Changes) -> Mapping[str, Any]:
        return build_configs(PIPELINE.config_classes, [self._options, changes])


def keep_to(run_dir: Path, record: RunRecord, how: How, budget: Budget) -> tuple[RunRecord, How]:
    """What is to be run lest the budget be exceeded: options and threads, which are told.

    What an earlier run of the same options and budget chose is taken again, so that its results
    count.

    Raises:
        UsageError: nothing keeps to the budget.
    """
    from stages.planning.fit import fit

    runner = make_runner(run_dir, record, how.workers)
    told = {"time_s": budget.time_s, "memory_bytes": budget.memory_bytes}
    if earlier := _earlier(run_dir, record, told):
        return earlier, replace(how, workers=earlier.fitted["workers"])
    planner = Planner(record, how.until)
    fitted = fit(planner.plan, merge_options([dumped(runner)]), runner.workers, budget)
    plan = fitted.plan
    changed = [
        f"{stage}.{name} {value}"
        for stage, values in fitted.changes.items()
        for name, value in values.items()
    ]
    if plan.workers < runner.workers:
        changed.append(f"{plan.workers} threads")
    log.info(
        "plan: about %.0f s and %.1f GiB with %s",
        plan.wall_s,
        plan.peak_bytes / 2**30,
        ", ".join(changed) or "the options as they are",
    )
    choice = {"budget": told, "changes": fitted.changes, "workers": plan.workers}
    return (
        replace(record, options=merge_options([record.options, fitted.changes]), fitted=choice),
        replace(how, workers=plan.workers),
    )


def _earlier(run_dir: Path, record: RunRecord, told: Mapping[str, Any]) -> RunRecord | None:
    """What the last run of the same options chose for the same budget; None if there is none."""
    if not (run_dir / RECORD).is_file():
        return None
    earlier = load_record(run_dir)
    if earlier.fitted.get("budget") != told or earlier.used != record.used:
        return None
    options = merge_options([record.options, earlier.fitted["changes"]])
    classes = pipeline_of(RUN, record.used).config_classes
    if build_configs(classes, [options]) != build_configs(classes, [earlier.options]):
        return None
    return replace(record, options=options, fitted=earlier.fitted)
