"""`mvrecon export`: a run's results in the files of other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from mvrecon.errors import UsageError
from mvrecon.export.formats import FORMATS
from mvrecon.options import Commands


def add_commands(commands: Commands) -> None:
    """Declare them."""
    export = commands.add("export", _export, "a run's results in the files of other programs")
    export.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    export.add_argument(
        "--format",
        dest="formats",
        action="append",
        required=True,
        choices=list(FORMATS),
        metavar="NAME",
        help="; ".join(f"{name}: {text}" for name, (_, text) in FORMATS.items())
        + "; may be given several times",
    )
    export.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="folder (default: RUN_DIR/export)"
    )


def _export(options: argparse.Namespace) -> int:
    from mvrecon.export.formats import export

    if not options.run_dir.is_dir():
        raise UsageError(f"there is no run directory {options.run_dir}", "Check the path")
    folder = options.output or options.run_dir / "export"
    for name in options.formats:
        print(export(options.run_dir, name, folder))
    return 0
