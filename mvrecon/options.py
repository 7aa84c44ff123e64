"""The options of the stages on the command line, made from their configuration classes."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from mvrecon.config import did_you_mean
from mvrecon.engine.config import ADVANCED, StageConfig, is_marked, option_fields
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
        parser.set_defaults(command=command, known_options=[], renamed={}, log_level=logging.INFO)
        told = parser.add_mutually_exclusive_group()
        for flags, level, told_text in (
            (("-q", "--quiet"), logging.WARNING, "tell warnings and results only"),
            (("-v", "--verbose"), logging.DEBUG, "tell keys too, and why a stage runs"),
        ):
            told.add_argument(
                *flags, dest="log_level", action="store_const", const=level, help=told_text
            )
        return parser

    def group(self, name: str, text: str) -> Commands:
        """A command that has commands of its own, as `train flow`."""
        return Commands(
            self._subparsers.add_parser(name, help=text, description=text, allow_abbrev=False)
        )


def add_stage_options(parser: Parser, classes: Mapping[str, type[StageConfig]]) -> None:
    """One option for each field of each stage's configuration, documented by the field.

    Advanced ones are told by `--help-all` only.
    """
    parser.add_argument("--workers", type=_positive, help="threads (default: all cores)")
    advanced: dict[argparse.Action, str] = {}
    renamed: dict[str, str] = {}
    for stage, config in classes.items():
        group = parser.add_argument_group(f"stage {stage}")
        for name, field in option_fields(config).items():
            text = f"{field.description} (default: {field.default})".replace("%", "%%")
            hidden = is_marked(field, ADVANCED)
            action = group.add_argument(
                f"--{stage}.{name}",
                dest=f"{stage}.{name}",
                default=argparse.SUPPRESS,
                metavar=name.rpartition(".")[2].upper(),
                help=argparse.SUPPRESS if hidden else text,
            )
            if hidden:
                advanced[action] = text
        renamed |= {f"--{stage}.{old}": f"--{stage}.{new}" for old, new in config.renamed.items()}
    if advanced:
        parser.add_argument(
            "--help-all", action=_HelpAll, advanced=advanced, help="tell the advanced options too"
        )
    parser.set_defaults(known_options=list(parser._option_string_actions), renamed=renamed)


class _HelpAll(argparse.Action):
    """Prints the help with the options that `--help` leaves out."""

    def __init__(
        self, option_strings: Sequence[str], advanced: Mapping[argparse.Action, str], **rest: Any
    ) -> None:
        super().__init__(option_strings, **{**rest, "nargs": 0})
        self._advanced = advanced

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        for action, text in self._advanced.items():
            action.help = text
        parser.print_help()
        parser.exit()


def overrides(parsed: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The stage options that were given: stage → field → text."""
    given: dict[str, dict[str, Any]] = {}
    for name, value in vars(parsed).items():
        stage, dot, field = name.partition(".")
        if dot:
            given.setdefault(stage, {})[field] = value
    return given


def assignment(text: str, option: str) -> tuple[str, str]:
    """The two sides of `NAME=VALUE`.

    Raises:
        UsageError: one is missing.
    """
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(f"{option} {text!r} is not understood", "Write NAME=VALUE")
    return name, value


def refuse(argument: str, known: Iterable[str], renamed: Mapping[str, str]) -> NoReturn:
    """Raise the error for an argument that no option takes."""
    name = argument.partition("=")[0]
    now = renamed.get(name)
    hint = f", it is now {now}" if now else did_you_mean(name, known)
    raise UsageError(f"unknown option {name}{hint}", "See mvrecon run --help")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
