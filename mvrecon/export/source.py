"""The files of a run that exports are made from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mvrecon.errors import InputError, UsageError


def require(run_dir: Path, name: str) -> Path:
    """A file or folder of a run.

    Raises:
        InputError: the run has not made it.
    """
    path = run_dir / name
    if not path.exists():
        raise InputError(
            f"{run_dir} has no {name}", f"Make it with: mvrecon run INPUT -o {run_dir}"
        )
    return path


def require_package(module: str, extra: str, what: str = "this format") -> None:
    """Ask for an optional package.

    Args:
        module: that it offers.
        extra: of this program that installs it.
        what: needs it.

    Raises:
        UsageError: it is not installed.
    """
    if find_spec(module) is None:
        raise UsageError(
            f"{what} needs the package of the extra {extra!r}",
            f"Install it with: pip install 'mvrecon[{extra}]'",
        )
