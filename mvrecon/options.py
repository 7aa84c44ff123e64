"""The options of the stages on the command line, made from their configuration classes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from mvrecon.config import did_you_mean
from mvrecon.engine.config import StageConfig
from mvrecon.errors import UsageError


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours: one line, with what was probably meant."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise UsageError(message, f"See {self.prog} --help")


class Commands:
    """What a command module adds its commands to."""

    def __init__(self, parser: Parser) -> None:
        self._subparsers = parser.add_subparsers(
            required=True, metavar="COMMAND", parser_class=Parser
        )

    def add(self, name: str, command: Callable[[argparse.Namespace], int], text: str) -> Parser:
        """A command: its parser, to which its arguments are added."""
        parser: Parser = self._subparsers.add_parser(
            name, help=text, description=text, allow_abbrev=False
        )
        parser.set_defaults(command=command, known_options=[])
        return parser

    def group(self, name: str, text: str) -> Commands:
        """A command that has commands of its own, as `train flow`."""
        return Commands(
            self._subparsers.add_parser(name, help=text, description=text, allow_abbrev=False)
        )


def add_stage_options(parser: Parser, classes: Mapping[str, type[StageConfig]]) -> None:
    """One option for each field of each stage's configuration, documented by the field."""
    parser.add_argument("--workers", type=_positive, help="threads (default: all cores)")
    for stage, config in classes.items():
        group = parser.add_argument_group(f"stage {stage}")
        for name, field in config.model_fields.items():
            group.add_argument(
                f"--{stage}.{name}",
                dest=f"{stage}.{name}",
                default=argparse.SUPPRESS,
                metavar=name.upper(),
                help=f"{field.description} (default: {field.default})".replace("%", "%%"),
            )
    parser.set_defaults(known_options=list(parser._option_string_actions))


def overrides(parsed: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The stage options that were given: stage → field → text."""
    given: dict[str, dict[str, Any]] = {}
    for name, value in vars(parsed).items():
        stage, dot, field = name.partition(".")
        if dot:
            given.setdefault(stage, {})[field] = value
    return given


def refuse(argument: str, known: Iterable[str]) -> NoReturn:
    """Raise the error for an argument that no option takes."""
    name = argument.partition("=")[0]
    raise UsageError(f"unknown option {name}{did_you_mean(name, known)}", "See mvrecon run --help")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
