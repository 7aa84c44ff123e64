"""`mvrecon report`: the page of a run again, or two runs side by side."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from mvrecon.commands.pipelines import RUN
from mvrecon.commands.running import load_record, make_runner, refresh_report
from mvrecon.errors import UsageError
from mvrecon.options import Commands


def add_commands(commands: Commands) -> None:
    """Declare it."""
    report = commands.add(
        "report", _report, "write report.html again, or compare two runs on a page"
    )
    report.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    report.add_argument("other", type=Path, nargs="?", metavar="OTHER_RUN_DIR")
    report.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("comparison.html"),
        metavar="FILE",
        help="of the comparison (default: %(default)s)",
    )


def _report(options: argparse.Namespace) -> int:
    if options.other is not None:
        return _compare(options.run_dir, options.other, options.output)
    record = load_record(options.run_dir)
    runner = make_runner(options.run_dir, record, None)
    print(refresh_report(runner, record, force=True))
    return 0


def _compare(first: Path, second: Path, path: Path) -> int:
    from mvrecon.report.build import report_input
    from mvrecon.report.comparison import write_comparison

    runs = []
    for run_dir in (first, second):
        record = load_record(run_dir)
        if record.command != RUN:
            raise UsageError(f"{run_dir} is no run of mvrecon run", "Compare two of these")
        runner = make_runner(run_dir, record, None)
        runs.append(replace(report_input(runner, record.mendings), title=str(run_dir)))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_comparison(runs[0], runs[1], path)
    print(path)
    return 0
