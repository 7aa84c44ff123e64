"""`mvrecon batch`: many inputs, one run each."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mvrecon.commands.pipelines import PIPELINES, RUN
from mvrecon.config import preset_help
from mvrecon.errors import UsageError
from mvrecon.options import Commands, add_stage_options, overrides
from stages.pipeline import STAGE_NAMES

if TYPE_CHECKING:
    from mvrecon.batch.jobs import Job, Outcome

log = logging.getLogger(__name__)

NOT_ALL_DONE = 4


def add_commands(commands: Commands) -> None:
    """Declare it."""
    batch = commands.add("batch", _batch, "many videos or photo folders, a run for each")
    batch.add_argument(
        "inputs",
        type=Path,
        nargs="+",
        metavar="INPUT",
        help="videos, folders of photos, folders that hold such, or a .txt with a path a line",
    )
    batch.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="runs, table and logs"
    )
    batch.add_argument(
        "--executor",
        choices=("processes", "dask"),
        default="processes",
        help="processes here, or the workers of a Dask cluster (default: %(default)s)",
    )
    batch.add_argument("--jobs", type=int, default=1, help="runs at once on this machine")
    batch.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster; workers here if none is named"
    )
    batch.add_argument("--preset", default="default", help=preset_help().replace("%", "%%"))
    batch.add_argument("--until", choices=STAGE_NAMES, default=STAGE_NAMES[-1])
    batch.add_argument(
        "--again", action="store_true", help="also what an earlier batch here finished"
    )
    batch.add_argument(
        "--alone", action="store_true", help="idle workers do not help with runs of others"
    )
    add_stage_options(batch, PIPELINES[RUN].config_classes)


def _batch(options: argparse.Namespace) -> int:
    from mvrecon.batch.inputs import find_inputs, name_runs
    from mvrecon.batch.jobs import is_done
    from mvrecon.batch.table import TABLE, write_table

    if options.jobs < 1:
        raise UsageError(f"--jobs {options.jobs} runs nothing", "Use 1 or more")
    folder = options.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [
        _job(one.name, one.raw_input, folder, options)
        for one in name_runs(find_inputs(options.inputs), folder)
    ]
    write_table(folder, jobs)
    waiting = [job for job in jobs if options.again or not is_done(job)]
    if len(waiting) < len(jobs):
        log.info("%d of %d are done already", len(jobs) - len(waiting), len(jobs))
    for number, outcome in enumerate(_outcomes(waiting, options), 1):
        words = f"failed: {outcome.message}" if outcome.exit_code else "done"
        log.info(
            "%d/%d %s: %s in %.0f s", number, len(waiting), outcome.name, words, outcome.wall_s
        )
        write_table(folder, jobs)
    rows = write_table(folder, jobs)
    failed = sum(row["state"] != "done" for row in rows)
    if failed:
        log.warning("%d of %d failed; why stands in %s", failed, len(rows), folder / TABLE)
    print(folder / TABLE)
    return NOT_ALL_DONE if failed else 0


def _outcomes(jobs: Sequence[Job], options: argparse.Namespace) -> Iterator[Outcome]:
    from mvrecon.batch.executors import run_in_processes, run_on_dask

    if options.executor == "dask" or options.scheduler:
        return run_on_dask(jobs, options.scheduler, options.jobs, not options.alone)
    return run_in_processes(jobs, options.jobs, not options.alone)


def _job(name: str, raw_input: Path, folder: Path, options: argparse.Namespace) -> Job:
    from mvrecon.batch.jobs import Job

    arguments = ["--preset", options.preset, "--until", options.until]
    for flag, value in (("--workers", options.workers), ("--max-ram", options.max_ram)):
        arguments += [flag, str(value)] if value is not None else []
    for stage, fields in overrides(options).items():
        arguments += [f"--{stage}.{field}={value}" for field, value in fields.items()]
    return Job(name, str(raw_input), str(folder), tuple(arguments))
