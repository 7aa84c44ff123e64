"""Stages of other packages, each in the place of the stage of ours that has its name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mvrecon.engine.config import StageConfig
from mvrecon.engine.plugins import MEND_IT, STAGES
from mvrecon.engine.stage import Stage
from mvrecon.errors import UsageError
from mvrecon.options import Parser


def add_use(parser: Parser) -> None:
    """Declare the option that names them."""
    names = ", ".join(STAGES.names()) or "none is installed"
    parser.add_argument(
        "--use",
        action="append",
        default=[],
        metavar="NAME",
        help=f"a stage of another package in the place of ours, with its own options ({names})",
    )


def with_foreign(stages: tuple[Stage[Any], ...], used: Sequence[str]) -> tuple[Stage[Any], ...]:
    """The stages, some replaced by those that other packages offer.

    Raises:
        UsageError: there is no such stage, or it does not fit.
    """
    for name in used:
        stage = load_stage(name)
        places = [ours.name for ours in stages]
        if stage.name not in places:
            raise UsageError(
                f"stage {name} takes the place of {stage.name!r}, which there is not", MEND_IT
            )
        place = places.index(stage.name)
        if missing := set(stage.needs) - set(places[:place]):
            raise UsageError(
                f"stage {name} reads {sorted(missing)[0]}, which does not run before it", MEND_IT
            )
        stages = (*stages[:place], stage, *stages[place + 1 :])
    return stages


def load_stage(name: str) -> Stage[Any]:
    """A stage that a package offers; the package is part of the stage's key.

    Raises:
        UsageError: there is none, or what is offered is no stage.
    """
    if name not in STAGES.names():
        known = ", ".join(STAGES.names())
        raise UsageError(
            f"no stage {name!r} is offered by a package",
            f"Use one of {known}" if known else "Install the package that offers it",
        )
    stage = STAGES.load(name)
    if not (isinstance(stage, Stage) and issubclass(stage.config, StageConfig)):
        raise UsageError(f"stage {name} is offered by a package, but is no Stage", MEND_IT)
    return replace(stage, provider=f"{STAGES.provider(name)}: {name}")


def take_options(parsed: argparse.Namespace, unknown: Sequence[str]) -> list[str]:
    """Options of other packages' stages, which no parser knows, are checked with the stage.

    Args:
        parsed: is given them, as those of our stages.
        unknown: what the parser left over.

    Returns:
        What is still unknown.
    """
    if not STAGES.names():
        return list(unknown)
    rest, left = [], list(unknown)
    while left:
        word = left.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not (word.startswith("--") and "." in name and (equals or left)):
            rest.append(word)
            continue
        setattr(parsed, name, value if equals else left.pop(0))
    return rest
