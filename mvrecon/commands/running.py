"""Carries out what a run directory's commands and `mvrecon.run` ask for."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from mvrecon.artifacts.mending import Changes, Mending, merged_changes
from mvrecon.commands.pipelines import MEND, pipeline_of
from mvrecon.config import build_configs, merge_options, upgraded_options
from mvrecon.engine.runner import Runner
from mvrecon.errors import MvreconError
from mvrecon.formats.files import require_input
from mvrecon.run_dir import RECORD, RunRecord
from stages.mending.config import MendConfig
from stages.mending.mend import Mended, run_and_mend


@dataclass(frozen=True)
class How:
    """How a run is carried out; nothing of it changes a result.

    Attributes:
        until: last stage to run.
        forced: stages to run even if their result is there.
        verify: check the hash of every stored item.
        workers: threads; all cores if None.
    """

    until: str
    forced: Collection[str] = ()
    verify: bool = False
    workers: int | None = None


def carry_out(run_dir: Path, record: RunRecord, how: How) -> Path:
    """Run the stages, mend what can be mended, record what was kept; the report's path.

    Raises:
        MvreconError: wrong options, unusable input, or not enough in it.
    """
    runner = make_runner(run_dir, record, how.workers)
    prepare(runner, run_dir, record)

    def changed(changes: Changes) -> Runner:
        layered = replace(record, options=merge_options([record.options, changes]))
        return make_runner(run_dir, layered, how.workers) if changes else runner

    mended = Mended(runner, ())
    try:
        if pipeline_of(record.command, record.used).mends:
            mend = cast(MendConfig, runner.configs[MEND])
            mended = run_and_mend(changed, mend, how.until, how.forced, how.verify)
        else:
            runner.run(how.until, how.forced, how.verify)
    except MvreconError:
        if runner.store.latest(runner.stages[0].name):
            refresh_report(runner, record)  # what is there helps to see why it failed
        raise
    record = replace(record, options=dumped(runner), mendings=mended.mendings)
    record.save(run_dir)
    return refresh_report(mended.runner, record)


def planned(run_dir: Path, record: RunRecord, workers: int | None) -> Runner:
    """What `carry_out` would run, with what an earlier run of the same options changed."""
    runner = make_runner(run_dir, record, workers)
    mendings = _earlier_mendings(run_dir, record, runner)
    return make_runner(run_dir, replace(record, mendings=mendings), workers)


def make_runner(run_dir: Path, record: RunRecord, workers: int | None) -> Runner:
    """The stages of a run directory, ready to run; a thread for each core if none are given."""
    for path in record.inputs:
        require_input(path)
    pipeline = pipeline_of(record.command, record.used)
    layers = [record.options, merged_changes(record.mendings)]
    configs = build_configs(pipeline.config_classes, layers)
    return Runner(
        pipeline.stages,
        run_dir,
        record.raw_input,
        configs,
        workers or cores(),
        more_inputs=record.more_inputs,
    )


def load_runner(run_dir: Path) -> Runner:
    """Those of a run that was made before."""
    return make_runner(run_dir, load_record(run_dir), None)


def load_record(run_dir: Path) -> RunRecord:
    """What a run was asked for, also where an earlier version wrote it."""
    record = RunRecord.load(run_dir)
    classes = pipeline_of(record.command, record.used).config_classes
    return replace(record, options=upgraded_options(classes, record.options))


def prepare(runner: Runner, run_dir: Path, record: RunRecord) -> None:
    """Check and set what concerns the whole process, before anything heavy is imported."""
    from mvrecon.doctor import require_system_libraries

    require_system_libraries()
    # Busy waiting multiplies the processor time of small networks on a loaded machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OMP_NUM_THREADS", str(runner.workers))
    if not record.mendings:
        # Those of a run that was mended hold what was asked for, not what was kept.
        record = replace(record, options=dumped(runner))
    record.save(run_dir)


def refresh_report(runner: Runner, record: RunRecord, force: bool = False) -> Path:
    """Write the report again if what it shows has changed; its path."""
    from mvrecon.report.build import update_report

    return update_report(runner, record.mendings, force, kind=record.command)


def _earlier_mendings(run_dir: Path, record: RunRecord, runner: Runner) -> Sequence[Mending]:
    """What the last run of the same options changed of them; nothing if there was none."""
    if not (run_dir / RECORD).is_file():
        return ()
    earlier = load_record(run_dir)
    if (earlier.command, earlier.used) != (record.command, record.used):
        return ()
    before = build_configs(
        pipeline_of(record.command, record.used).config_classes, [earlier.options]
    )
    return earlier.mendings if before == runner.configs else ()


def dumped(runner: Runner) -> Mapping[str, Mapping[str, Any]]:
    """Every option of every stage."""
    return {name: config.model_dump(mode="json") for name, config in runner.configs.items()}


def cores() -> int:
    """Of this machine, that the program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
