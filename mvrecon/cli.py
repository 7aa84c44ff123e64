"""The command line: parse, call, print. Alone in knowing both the library and the stages."""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from mvrecon import __version__
from mvrecon.config import build_configs, load_preset, merge_options, preset_names
from mvrecon.engine.runner import Runner, StageStatus
from mvrecon.errors import INTERRUPTED_EXIT_CODE, InputError, MvreconError, UsageError
from mvrecon.options import Parser, add_stage_options, overrides, refuse
from mvrecon.run_dir import RunRecord
from stages.pipeline import PIPELINE

STAGE_NAMES = [stage.name for stage in PIPELINE]
CONFIG_CLASSES = {stage.name: stage.config for stage in PIPELINE}
MIB = 1024**2
FULL_OR_FORBIDDEN = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run_command(arguments)
    except MvreconError as error:
        print(f"mvrecon: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"mvrecon: interrupted; go on with: {_command_line(arguments)}", file=sys.stderr)
        return INTERRUPTED_EXIT_CODE
    except Exception:
        traceback.print_exc()
        print(
            f"mvrecon: this is a bug; finished items are kept, go on with: "
            f"{_command_line(arguments)}",
            file=sys.stderr,
        )
        return 1


def _run_command(arguments: Sequence[str]) -> int:
    try:
        parsed, unknown = _make_parser().parse_known_args(arguments)
        if unknown:
            refuse(unknown[0], parsed.known_options)
        command: Callable[[argparse.Namespace], int] = parsed.command
        return command(parsed)
    except OSError as error:
        if error.errno not in FULL_OR_FORBIDDEN:
            raise
        raise UsageError(
            f"cannot read or write {error.filename or 'a file'} ({error.strerror})",
            f"Make room or choose another place; go on with: {_command_line(arguments)}",
        ) from error


def _run(options: argparse.Namespace) -> int:
    if not options.input.exists():
        raise InputError(f"no such file or folder: {options.input}", "Check the path")
    run_dir = options.output or Path(f"{options.input.resolve().stem}.mvrecon")
    layers = [load_preset(options.preset), overrides(options)]
    runner = _make_runner(run_dir, RunRecord(options.input, merge_options(layers)), options.workers)
    forced = _forced_stages(options)
    if options.dry_run:
        _print_statuses(runner.status(), forced)
        return 0
    _prepare(runner, run_dir, options.input)
    try:
        runner.run(options.until, forced, options.verify)
    except MvreconError:
        if runner.store.latest(STAGE_NAMES[0]):
            _update_report(runner)  # what is there helps to see why it failed
        raise
    _print_outputs(run_dir, _update_report(runner))
    return 0


def _stage(options: argparse.Namespace) -> int:
    record = RunRecord.load(options.run_dir)
    record = RunRecord(record.raw_input, merge_options([record.options, overrides(options)]))
    runner = _make_runner(options.run_dir, record, options.workers)
    states = {status.name: status.state for status in runner.status()}
    needs = next(stage.needs for stage in PIPELINE if stage.name == options.name)
    for name in needs:
        if states[name] != "cached":
            raise UsageError(
                f"stage {options.name} needs {name}, which is {states[name]}",
                f"Make it with: mvrecon run {shlex.quote(str(record.raw_input))} "
                f"-o {shlex.quote(str(options.run_dir))} --until {name}",
            )
    _prepare(runner, options.run_dir, record.raw_input)
    runner.run(options.name, {options.name} if options.force else ())
    _print_outputs(options.run_dir, _update_report(runner))
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
        print(f"{status.name}: {line}")
    return 0


def _report(options: argparse.Namespace) -> int:
    print(_update_report(_load_runner(options.run_dir), force=True))
    return 0


def _eval(options: argparse.Namespace) -> int:
    from mvrecon.evaluate import evaluate_run

    evaluation = evaluate_run(options.run_dir, options.dataset, options.threshold)
    print(evaluation.to_table())
    if options.json:
        options.json.write_text(evaluation.to_json())
    return 0


def _train_flow(options: argparse.Namespace) -> int:
    from stages.flow.train_command import WEIGHTS, TrainFlowOptions, train_flow

    for figures in train_flow(
        TrainFlowOptions(
            folder=options.folder,
            minutes=options.minutes,
            textures=options.textures,
            clip=options.clip,
            start=options.start,
            device=options.device,
        )
    ):
        print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
    print(options.folder / WEIGHTS)
    return 0


def _clean(options: argparse.Namespace) -> int:
    runner = _load_runner(options.run_dir)
    freed = 0
    for stage in PIPELINE:
        latest = runner.store.latest(stage.name)
        freed += runner.store.prune(stage.name, {latest.folder.name} if latest else set())
    print(f"freed {freed / MIB:.1f} MiB; the newest result of each stage is kept")
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from mvrecon.doctor import examine

    checks = list(examine(Path.cwd()))
    for check in checks:
        print(f"{'ok     ' if check.good else 'PROBLEM'} {check.what}")
    return 0 if all(check.good for check in checks) else 1


def _make_runner(run_dir: Path, record: RunRecord, workers: int | None) -> Runner:
    configs = build_configs(CONFIG_CLASSES, [record.options])
    return Runner(PIPELINE, run_dir, record.raw_input, configs, workers or _cores())


def _load_runner(run_dir: Path) -> Runner:
    return _make_runner(run_dir, RunRecord.load(run_dir), None)


def _prepare(runner: Runner, run_dir: Path, raw_input: Path) -> None:
    """Check and set what concerns the whole process, before anything heavy is imported."""
    from mvrecon.doctor import require_system_libraries

    require_system_libraries()
    # Busy waiting multiplies the processor time of small networks on a loaded machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OMP_NUM_THREADS", str(runner.workers))
    options = {name: config.model_dump(mode="json") for name, config in runner.configs.items()}
    RunRecord(raw_input, options).save(run_dir)


def _update_report(runner: Runner, force: bool = False) -> Path:
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


def _command_line(arguments: Sequence[str]) -> str:
    return shlex.join(["mvrecon", *arguments])


def _make_parser() -> Parser:
    parser = Parser(prog="mvrecon", description=__doc__.split(":")[0] if __doc__ else None)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    def add(name: str, command: Callable[[argparse.Namespace], int], text: str) -> Parser:
        subparser: Parser = commands.add_parser(
            name, help=text, description=text, allow_abbrev=False
        )
        subparser.set_defaults(command=command, known_options=[])
        return subparser

    run = add("run", _run, "video or photos in; cameras, depth, mesh and report out")
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
    add_stage_options(run, CONFIG_CLASSES)

    stage = add("stage", _stage, "run one stage whose inputs are there")
    stage.add_argument("name", choices=STAGE_NAMES, metavar="NAME")
    stage.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    stage.add_argument("--force", action="store_true", help="even if its result is there")
    add_stage_options(stage, CONFIG_CLASSES)

    for name, command, text in (
        ("status", _status, "where each stage stands: cached, stale and why, partial, missing"),
        ("report", _report, "write report.html again"),
        ("clean", _clean, "delete every result but the newest of each stage"),
    ):
        add(name, command, text).add_argument("run_dir", type=Path, metavar="RUN_DIR")

    explain = add("explain", _explain, "which part of a stage's key changed")
    explain.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    explain.add_argument("name", choices=STAGE_NAMES, metavar="STAGE")

    evaluate = add("eval", _eval, "errors of a run against ground truth")
    evaluate.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    evaluate.add_argument("--dataset", type=Path, required=True, help="folder with cameras.json")
    evaluate.add_argument("--threshold", type=float, help="F-score distance, in the set's units")
    evaluate.add_argument("--json", type=Path, help="write the figures here too")

    train = add("train", _train_flow, "train a learned part; a run in the folder is resumed")
    train.add_argument("part", choices=["flow"])
    train.add_argument("folder", type=Path, metavar="DIR", help="checkpoints, curves and weights")
    train.add_argument("--minutes", type=float, default=60.0, help="stop after this time")
    train.add_argument("--textures", type=Path, help="folder of images for synthetic scenes")
    train.add_argument("--clip", type=Path, help="adapt to this video or folder, unsupervised")
    train.add_argument("--start", type=Path, help="weights to start from")
    train.add_argument("--device", choices=["cpu", "cuda"], default="cpu")

    add("doctor", _doctor, "what this machine lacks, and the command that mends it")
    return parser
