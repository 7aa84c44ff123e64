"""`mvrecon run`, `volume`, `stage`, `status`, `explain`, `clean`: a run directory's commands."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mvrecon.artifacts.mending import merged_changes
from mvrecon.commands.foreign import add_use
from mvrecon.commands.pipelines import PIPELINES, RUN, VOLUME, Pipeline, pipeline_of
from mvrecon.commands.running import (
    How,
    carry_out,
    load_record,
    load_runner,
    make_runner,
    planned,
    prepare,
    refresh_report,
)
from mvrecon.config import Options, load_preset, merge_options, preset_help
from mvrecon.engine.processes.memory import limit_memory
from mvrecon.engine.runner import STORE, StageStatus
from mvrecon.engine.store import Store
from mvrecon.errors import UsageError, one_line
from mvrecon.options import Commands, Parser, add_stage_options, overrides, seconds
from mvrecon.run_dir import RunRecord

MIB = 1024**2
GIB = 1024**3


def add_commands(commands: Commands) -> None:
    """Declare them."""
    _add_run(commands)
    _add_volume(commands)
    stage = commands.add("stage", _stage, "run one stage whose inputs are there")
    all_names = [name for pipeline in PIPELINES.values() for name in pipeline.names]
    stage.add_argument("name", choices=all_names, metavar="NAME")
    stage.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    stage.add_argument("--force", action="store_true", help="even if its result is there")
    add_stage_options(stage, PIPELINES[RUN].config_classes | PIPELINES[VOLUME].config_classes)

    for name, command, text in (
        ("status", _status, "where each stage stands: cached, stale and why, partial, missing"),
        ("clean", _clean, "delete every result but the newest of each stage"),
    ):
        commands.add(name, command, text).add_argument("run_dir", type=Path, metavar="RUN_DIR")

    explain = commands.add("explain", _explain, "which part of a stage's key changed")
    explain.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    explain.add_argument("name", metavar="STAGE")


def _add_run(commands: Commands) -> None:
    run = commands.add("run", _run, "video or photos in; cameras, depth, mesh and report out")
    add_run_options(run)
    run.add_argument(
        "--max-time",
        type=seconds,
        metavar="TIME",
        help="90s, 10m or 2h: options that keep to it are chosen and told",
    )


def add_run_options(run: Parser) -> None:
    """What a run takes: its input, presets, shorthands, and the options of its stages."""
    run.add_argument(
        "input",
        type=Path,
        nargs="+",
        metavar="INPUT",
        help="a video file or an image folder; several of one scene become one model",
    )
    run.add_argument("--preset", default="default", help=preset_help().replace("%", "%%"))
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
    run.add_argument(
        "--mend",
        dest="mend.mode",
        default=argparse.SUPPRESS,
        choices=("auto", "none"),
        help="whether to try remedies where the evidence is poor, the same as --mend.mode",
    )
    add_use(run)
    _add_pipeline_options(run, PIPELINES[RUN])


def _add_volume(commands: Commands) -> None:
    volume = commands.add(
        "volume",
        _volume,
        "a CT, MR or label map in; closed meshes and report out; not for diagnosis",
    )
    volume.add_argument(
        "input",
        type=Path,
        metavar="INPUT",
        help="a folder with a DICOM series, or a NIfTI, MetaImage or NRRD file",
    )
    volume.add_argument(
        "--threshold",
        dest="segment.threshold",
        default=argparse.SUPPRESS,
        help="what is inside, the same as --segment.threshold",
    )
    _add_pipeline_options(volume, PIPELINES[VOLUME])


def _add_pipeline_options(parser: Parser, pipeline: Pipeline) -> None:
    names = pipeline.names
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="run directory")
    parser.add_argument("--until", choices=names, default=names[-1])
    parser.add_argument("--rerun", choices=names, action="append", default=[])
    parser.add_argument("--rerun-from", choices=names)
    parser.add_argument("--rerun-all", action="store_true")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would run, and why")
    parser.add_argument("--verify", action="store_true", help="check every stored item's hash")
    add_stage_options(parser, pipeline.config_classes)


def _run(options: argparse.Namespace) -> int:
    pipeline = pipeline_of(RUN, options.use)
    return _run_pipeline(options, pipeline, [load_preset(options.preset)])


def _volume(options: argparse.Namespace) -> int:
    return _run_pipeline(options, PIPELINES[VOLUME], [])


def _run_pipeline(
    options: argparse.Namespace, pipeline: Pipeline, preset: Sequence[Options]
) -> int:
    first, *more = options.input if isinstance(options.input, list) else [options.input]
    run_dir = options.output or Path(f"{first.resolve().stem}.mvrecon")
    record = RunRecord(
        first,
        merge_options([*preset, overrides(options)]),
        pipeline.command,
        used=tuple(getattr(options, "use", ())),
        more_inputs=tuple(more),
    )
    forced = _forced_stages(options, pipeline.names)
    if options.dry_run:
        _print_statuses(planned(run_dir, record, options.workers).status(), forced)
        return 0
    how = How(options.until, forced, options.verify, options.workers)
    if pipeline.command == RUN and (options.max_time or options.max_ram):
        record, how = _keep_to(options, run_dir, record, how)
    limit_memory(None if options.max_ram is None else round(options.max_ram * GIB))
    report = carry_out(run_dir, record, how)
    _print_outputs(run_dir, pipeline, report)
    return 0


def _keep_to(
    options: argparse.Namespace, run_dir: Path, record: RunRecord, how: How
) -> tuple[RunRecord, How]:
    from mvrecon.commands.planning import keep_to
    from stages.planning.fit import Budget

    ram = None if options.max_ram is None else round(options.max_ram * GIB)
    return keep_to(run_dir, record, how, Budget(options.max_time, ram))


def _stage(options: argparse.Namespace) -> int:
    record = load_record(options.run_dir)
    pipeline = pipeline_of(record.command, record.used)
    if options.name not in pipeline.names:
        raise UsageError(
            f"{options.run_dir} is a run of mvrecon {record.command}, without a stage "
            f"{options.name}",
            f"Go on with: mvrecon {record.command} INPUT -o {options.run_dir}",
        )
    if changed := overrides(options):
        layers = [record.options, merged_changes(record.mendings), changed]
        record = replace(record, options=merge_options(layers), mendings=())
    runner = make_runner(options.run_dir, record, options.workers)
    states = {status.name: status.state for status in runner.status()}
    needs = next(stage.needs for stage in pipeline.stages if stage.name == options.name)
    for name in needs:
        if states[name] != "cached":
            raise UsageError(
                f"stage {options.name} needs {name}, which is {states[name]}",
                f"Make it with: mvrecon {record.command} {shlex.join(map(str, record.inputs))} "
                f"-o {shlex.quote(str(options.run_dir))} --until {name}",
            )
    limit_memory(None if options.max_ram is None else round(options.max_ram * GIB))
    prepare(runner, options.run_dir, record)
    runner.run(options.name, {options.name} if options.force else ())
    _print_outputs(options.run_dir, pipeline, refresh_report(runner, record))
    return 0


def _status(options: argparse.Namespace) -> int:
    _print_statuses(load_runner(options.run_dir).status(), forced=())
    return 0


def _explain(options: argparse.Namespace) -> int:
    runner = load_runner(options.run_dir)
    names = [stage.name for stage in runner.stages]
    if options.name not in names:
        raise UsageError(f"no stage {options.name!r}", f"The stages are {', '.join(names)}")
    statuses = runner.status()
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


def _clean(options: argparse.Namespace) -> int:
    record = RunRecord.load(options.run_dir)
    store = Store(options.run_dir / STORE)
    freed = 0
    for name in pipeline_of(record.command, record.used).names:
        latest = store.latest(name)
        freed += store.prune(name, {latest.folder.name} if latest else set())
    print(f"freed {freed / MIB:.1f} MiB; the newest result of each stage is kept")
    return 0


def _forced_stages(options: argparse.Namespace, names: Sequence[str]) -> set[str]:
    forced = set(options.rerun)
    if options.rerun_from:
        forced |= set(names[names.index(options.rerun_from) :])
    return set(names) if options.rerun_all else forced


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


def _print_outputs(run_dir: Path, pipeline: Pipeline, report: Path) -> None:
    for name in pipeline.outputs:
        if (run_dir / name).exists():
            print(run_dir / name)
    print(report)
