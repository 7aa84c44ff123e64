"""The command line: parse, call, print. It and `commands` alone know library and stages."""

from __future__ import annotations

import argparse
import errno
import io
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mvrecon import __version__
from mvrecon.commands import (
    batch,
    bench,
    doctor,
    evaluate,
    export,
    models,
    plan,
    report,
    run,
    train,
    view,
)
from mvrecon.commands.foreign import take_options
from mvrecon.errors import MvreconError, UsageError, one_line
from mvrecon.options import Commands, Parser, refuse

DESCRIPTION = """\
Makes a 3D model of what a video or a folder of photos shows: cameras, depth, a coloured mesh, a
point cloud, and a report that says how far to trust them. Runs on a CPU, and goes on where it was
interrupted."""
EPILOG = """\
start with:  mvrecon run video.mp4       (then open video.mvrecon/report.html)
exit codes:  0 done, 1 our fault, 2 wrong usage, 3 unusable input, 4 not enough in the data,
             130 interrupted
more:        mvrecon COMMAND --help"""
COMMAND_GROUPS = (
    ("measure against ground truth", (evaluate, bench)),
    ("learned parts", (train, models)),
    ("this machine", (doctor,)),
)
# As of a program that SIGPIPE ends.
UNREAD = 141
FULL_OR_FORBIDDEN = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Paths that are no text in UTF-8 are printed as the bytes that they are.
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        code = _run_command(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Who read the output, as `head` does, has had enough: what is left goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except MvreconError as error:
        print(f"mvrecon: {one_line(str(error))}", file=sys.stderr)
        return error.exit_code
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
        parsed, unknown = make_parser().parse_known_args(arguments)
        if unknown := take_options(parsed, unknown):
            refuse(unknown[0], parsed.known_options, parsed.renamed, parsed.prog)
        command: Callable[[argparse.Namespace], int] = parsed.command
        with _log_shown(parsed.log_level):
            return command(parsed)
    except OSError as error:
        if error.errno not in FULL_OR_FORBIDDEN:
            raise
        raise UsageError(
            f"cannot read or write {error.filename or 'a file'} ({error.strerror})",
            f"Make room or choose another place; go on with: {_command_line(arguments)}",
        ) from error


@contextmanager
def _log_shown(level: int) -> Iterator[None]:
    """Tell the person who watches what the library logs at this level and above."""
    log, handler = logging.getLogger("mvrecon"), logging.StreamHandler()
    handler.setFormatter(_OneLine())
    log.addHandler(handler)
    log.setLevel(level)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)


class _OneLine(logging.Formatter):
    """A message a line, whatever names of files it holds."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(super().format(record))


def _command_line(arguments: Sequence[str]) -> str:
    return shlex.join(["mvrecon", *arguments])


def make_parser() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="mvrecon",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = Commands(parser, "reconstruct")
    run.add_commands(commands)
    plan.add_commands(commands)
    batch.add_commands(commands)
    report.add_commands(commands)
    export.add_commands(commands)
    view.add_commands(commands)
    for heading, modules in COMMAND_GROUPS:
        group = commands.under(heading)
        for module in modules:
            module.add_commands(group)
    return parser
