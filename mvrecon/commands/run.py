"""`mvrecon run`, `stage`, `status`, `explain`, `report`, `clean`: a run directory's commands."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from mvrecon.config import (
    build_configs,
    load_preset,
    merge_options,
    preset_names,
    upgraded_options,
)
from mvrecon.engine.runner import STORE, Runner, StageStatus
from mvrecon.engine.store import Store
from mvrecon.errors import MvreconError, UsageError, one_line
from mvrecon.formats.files import require_input
from mvrecon.options import Commands, add_stage_options, overrides
from mvrecon.run_dir import RunRecord
from stages.pipeline import CONFIG_CLASSES, PIPELINE, STAGE_NAMES

MIB = 1024**2
GIB = 1024**3


def add_commands(commands: Commands) -> None:
    """Declare them."""
    _add_run(commands)
    stage = commands.add("stage", _stage, "run one stage whose inputs are there")
    stage.add_argument("name", choices=STAGE_NAMES, metavar="NAME")
    stage.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    stage.add_argument("--force", action="store_true", help="even if its result is there")
    add_stage_options(stage, CONFIG_CLASSES)

    for name, command, text in (
        ("status", _status, "where each stage stands: cached, stale and why, partial, missing"),
        ("report", _report, "write report.html again"),
        ("clean", _clean, "delete every result but the newest of each stage"),
    ):
        commands.add(name, command, text).add_argument("run_dir", type=Path, metavar="RUN_DIR")

    explain = commands.add("explain", _explain, "which part of a stage's key changed")
    explain.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    explain.add_argument("name", choices=STAGE_NAMES, metavar="STAGE")


def _add_run(commands: Commands) -> None:
    run = commands.add("run", _run, "video or photos in; cameras, depth, mesh and report out")
    run.add_argument("input", type=Path, metavar="INPUT", help="a video file or an image folder")
    run.add_argument("-o", "--output", type=Path, metavar="DIR", help="run directory")
    run.add_argument("--preset", default="default", help=f"one of {', '.join(preset_names())}")
    run.add_argument("--until", choices=STAGE_NAMES, default=STAGE_NAMES[-1])
    run.add_argument("--rerun", choices=STAGE_NAMES, action="append", default=[])
    run.add_argument("--rerun-from", choices=STAGE_NAMES)
    run.add_argument("--rerun-all", action="store_true")
    run.add_argument("-n", "--dry-run", action="store_true", help="say what would run, and why")
    run.add_argument("--verify", action="store_true", help="check every stored item's hash")
    run.add_argument(
        "--camera",
        dest="frames.camera",
        default=argparse.SUPPRESS,
        help="intrinsics, the same as --frames.camera",
    )
    run.add_argument(
        "--poses",
        dest="pose.known",
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="known camera poses, the same as --pose.known",
    )
    run.add_argument(
        "--masks",
        dest="frames.masks",
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="what is to be left out of the images, the same as --frames.masks",
    )
    add_stage_options(run, CONFIG_CLASSES)


def _run(options: argparse.Namespace) -> int:
    require_input(options.input)
    run_dir = options.output or Path(f"{options.input.resolve().stem}.mvrecon")
    layers = [load_preset(options.preset), overrides(options)]
    runner = make_runner(run_dir, RunRecord(options.input, merge_options(layers)), options.workers)
    forced = _forced_stages(options)
    if options.dry_run:
        _print_statuses(runner.status(), forced)
        return 0
    prepare(runner, run_dir, options.input, options.max_ram)
    try:
        runner.run(options.until, forced, options.verify)
    except MvreconError:
        if runner.store.latest(STAGE_NAMES[0]):
            refresh_report(runner)  # what is there helps to see why it failed
        raise
    _print_outputs(run_dir, refresh_report(runner))
    return 0


def _stage(options: argparse.Namespace) -> int:
    record = _load_record(options.run_dir)
    record = RunRecord(record.raw_input, merge_options([record.options, overrides(options)]))
    runner = make_runner(options.run_dir, record, options.workers)
    states = {status.name: status.state for status in runner.status()}
    needs = next(stage.needs for stage in PIPELINE if stage.name == options.name)
    for name in needs:
        if states[name] != "cached":
            raise UsageError(
                f"stage {options.name} needs {name}, which is {states[name]}",
                f"Make it with: mvrecon run {shlex.quote(str(record.raw_input))} "
                f"-o {shlex.quote(str(options.run_dir))} --until {name}",
            )
    prepare(runner, options.run_dir, record.raw_input, options.max_ram)
    runner.run(options.name, {options.name} if options.force else ())
    _print_outputs(options.run_dir, refresh_report(runner))
    return 0


def _status(options: argparse.Namespace) -> int:
    _print_statuses(_load_runner(options.run_dir).status(), forced=())
    return 0


def _explain(options: argparse.Namespace) -> int:
    statuses = _load_runner(options.run_dir).status()
    status = next(status for status in statuses if status.name == options.name)
    if status.state == "cached":
        print(f"{status.name}: cached, nothing of its key changed")
    elif status.state == "unknown":
        blocker = next(other.name for other in statuses if other.state != "cached")
        print(f"{status.name}: depends on {blocker}, which has to run first")
    elif not status.why:
        print(f"{status.name}: {status.state}, there is no earlier result to compare with")
    for line in status.why:
        print(one_line(f"{status.name}: {line}"))
    return 0


def _report(options: argparse.Namespace) -> int:
    print(refresh_report(_load_runner(options.run_dir), force=True))
    return 0


def _clean(options: argparse.Namespace) -> int:
    RunRecord.load(options.run_dir)  # refuses what is no run directory
    store = Store(options.run_dir / STORE)
    freed = 0
    for stage in PIPELINE:
        latest = store.latest(stage.name)
        freed += store.prune(stage.name, {latest.folder.name} if latest else set())
    print(f"freed {freed / MIB:.1f} MiB; the newest result of each stage is kept")
    return 0


def make_runner(run_dir: Path, record: RunRecord, workers: int | None) -> Runner:
    """The stages of a run directory, ready to run; as many threads as cores if none are given."""
    require_input(record.raw_input)
    configs = build_configs(CONFIG_CLASSES, [record.options])
    return Runner(PIPELINE, run_dir, record.raw_input, configs, workers or _cores())


def _load_runner(run_dir: Path) -> Runner:
    return make_runner(run_dir, _load_record(run_dir), None)


def _load_record(run_dir: Path) -> RunRecord:
    """What a run was asked for, also where an earlier version wrote it."""
    record = RunRecord.load(run_dir)
    return RunRecord(record.raw_input, upgraded_options(CONFIG_CLASSES, record.options))


def prepare(runner: Runner, run_dir: Path, raw_input: Path, max_ram_gib: float | None) -> None:
    """Check and set what concerns the whole process, before anything heavy is imported."""
    from mvrecon.doctor import require_system_libraries
    from mvrecon.engine.memory import limit_memory

    limit_memory(None if max_ram_gib is None else round(max_ram_gib * GIB))

    require_system_libraries()
    # Busy waiting multiplies the processor time of small networks on a loaded machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OMP_NUM_THREADS", str(runner.workers))
    options = {name: config.model_dump(mode="json") for name, config in runner.configs.items()}
    RunRecord(raw_input, options).save(run_dir)


def refresh_report(runner: Runner, force: bool = False) -> Path:
    """Write the report again if what it shows has changed; its path."""
    from mvrecon.report.build import update_report

    return update_report(runner, force)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _forced_stages(options: argparse.Namespace) -> set[str]:
    forced = set(options.rerun)
    if options.rerun_from:
        forced |= set(STAGE_NAMES[STAGE_NAMES.index(options.rerun_from) :])
    return set(STAGE_NAMES) if options.rerun_all else forced


def _print_statuses(statuses: Sequence[StageStatus], forced: set[str] | tuple[()]) -> None:
    for status in statuses:
        line = f"{status.name:8} {status.state:8}"
        if status.name in forced:
            line += " will rerun: asked for"
        elif status.items:
            line += " {} of {} items".format(*status.items)
        elif status.why:
            line += f" {'; '.join(status.why)}"
        elif status.state == "unknown":
            line += " depends on what runs before it"
        if status.artifact and status.state == "cached":
            recorded = status.artifact.manifest["recorded"]
            line += f" {recorded['wall_s']:.1f} s, {status.artifact.size_bytes / MIB:.1f} MiB"
        print(line.rstrip())


def _print_outputs(run_dir: Path, report: Path) -> None:
    for name in ("mesh.ply", "mesh.glb", "cloud.ply", "trajectory.txt"):
        if (run_dir / name).exists():
            print(run_dir / name)
    print(report)
