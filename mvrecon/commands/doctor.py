"""`mvrecon doctor`: what the machine lacks."""

from __future__ import annotations

import argparse
from pathlib import Path

from mvrecon.options import Commands


def add_commands(commands: Commands) -> None:
    """Declare them."""
    commands.add("doctor", _doctor, "what this machine lacks, and the command that mends it")


def _doctor(_: argparse.Namespace) -> int:
    from mvrecon.doctor import examine

    checks = list(examine(Path.cwd()))
    for check in checks:
        print(f"{'ok     ' if check.good else 'PROBLEM'} {check.what}")
    return 0 if all(check.good for check in checks) else 1
