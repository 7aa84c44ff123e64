"""Options on the command line, made from the classes that hold them."""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin

from pydantic.fields import FieldInfo

from mvrecon.config import build_options, did_you_mean
from mvrecon.engine.config import ADVANCED, OptionGroup, StageConfig, is_marked, option_fields
from mvrecon.errors import UsageError

G = TypeVar("G", bound=OptionGroup)


@dataclass(frozen=True)
class Argument:
    """Annotates a field whose name and type do not tell how it stands on the command line.

    Attributes:
        name: without dashes, if it is not that of the field.
        metavar: what stands for its value in the help.
        positional: whether it has no name there.
        offered: whether it is there at all.
    """

    name: str = ""
    metavar: str | tuple[str, ...] | None = None
    positional: bool = False
    offered: bool = True

    def flag(self, field: str) -> str:
        """What the command line calls the field."""
        return str(self.metavar or field) if self.positional else f"--{self.name or field}"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours: one line, with what was probably meant."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # What `refuse` needs; options that are added later are among the known ones too.
        known = self._option_string_actions
        self.set_defaults(prog=self.prog, known_options=known, renamed={})

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise UsageError(message, f"See {self.prog} --help")


class Commands:
    """What a command module adds its commands to."""

    def __init__(self, parser: Parser, heading: str = "commands") -> None:
        self._parser = parser
        # Not listed by itself: each command is, under a heading.
        self._subparsers = parser.add_subparsers(
            required=True,
            metavar="COMMAND",
            parser_class=Parser,
            prog=parser.prog,
            help=argparse.SUPPRESS,
        )
        parser.usage = f"{parser.prog} [-h] COMMAND …"
        self._heading = parser.add_argument_group(heading)

    def under(self, heading: str) -> Commands:
        """The same, for commands that the help lists under a heading of their own."""
        other = copy(self)
        other._heading = self._parser.add_argument_group(heading)
        return other

    def add(self, name: str, command: Callable[[argparse.Namespace], int], text: str) -> Parser:
        """A command: its parser, to which its arguments are added."""
        parser = self._listed(name, text)
        parser.set_defaults(command=command, log_level=logging.INFO)
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
        return Commands(self._listed(name, text))

    def _listed(self, name: str, text: str) -> Parser:
        line = argparse.Action([], name, metavar=name, help=text.replace("%", "%%"))
        self._heading._group_actions.append(line)  # shown only: nothing is parsed by it
        parser: Parser = self._subparsers.add_parser(name, description=text, allow_abbrev=False)
        return parser


def add_stage_options(parser: Parser, classes: Mapping[str, type[StageConfig]]) -> None:
    """One option for each field of each stage's configuration, documented by the field.

    Advanced ones are told by `--help-all` only.
    """
    parser.add_argument("--workers", type=_positive, help="threads (default: all cores)")
    parser.add_argument(
        "--max-ram",
        type=_positive_number,
        metavar="GIB",
        help="memory that this process, and each that it starts, may take; beyond it the run ends "
        "with an error and nothing is lost (default: 90 %% of the machine's)",
    )
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
    parser.set_defaults(renamed=renamed)


def add_options(parser: Parser, kind: type[OptionGroup]) -> None:
    """One option for each field of a class, by its type: choices of a `Literal`, a flag, lists.

    A field's default is left to the class; `Argument` annotates what else there is to say.
    """
    for name, (field, argument) in _offered(kind).items():
        text = field.description or ""
        # "None", "False" and "()" would say nothing to a reader of the help.
        if not field.is_required() and field.default not in (None, False, ()):
            text += f" (default: {field.default})"
        shape = _shape(field) | {"help": text.replace("%", "%%"), "default": argparse.SUPPRESS}
        if argument.metavar:
            shape["metavar"] = argument.metavar
        if not argument.positional:
            shape |= {"dest": name, "required": field.is_required()}
        parser.add_argument(name if argument.positional else argument.flag(name), **shape)


def parse_options(kind: type[G], parsed: argparse.Namespace) -> G:
    """The options that `add_options` declared, as they were given.

    Raises:
        UsageError: a value of the wrong type or range.
    """
    offered = _offered(kind)
    given = {name: getattr(parsed, name) for name in offered if hasattr(parsed, name)}
    flags = {name: argument.flag(name) for name, (_, argument) in offered.items()}
    return build_options(kind, given, lambda name: flags.get(name, name), parsed.prog)


def _offered(kind: type[OptionGroup]) -> dict[str, tuple[FieldInfo, Argument]]:
    fields: dict[str, tuple[FieldInfo, Argument]] = {}
    for name, field in option_fields(kind).items():
        marks = [mark for mark in field.metadata if isinstance(mark, Argument)]
        argument = marks[0] if marks else Argument()
        if argument.offered:
            fields[name] = field, argument
    return fields


def _shape(field: FieldInfo) -> dict[str, Any]:
    """What argparse has to know of a field's type; values stay text, which the class parses."""
    alternatives = [field.annotation, *get_args(field.annotation)]
    kind = next(one for one in alternatives if NoneType not in get_args(one))
    if kind is bool:
        return {"action": "store_true"}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if get_origin(kind) in (tuple, list):
        parts = get_args(kind)
        return {"nargs": "+" if parts[-1] is Ellipsis or get_origin(kind) is list else len(parts)}
    return {}


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


def refuse(
    argument: str, known: Iterable[str], renamed: Mapping[str, str], prog: str = "mvrecon"
) -> NoReturn:
    """Raise the error for an argument that no option takes."""
    name = argument.partition("=")[0]
    now = renamed.get(name)
    hint = f", it is now {now}" if now else did_you_mean(name, known)
    raise UsageError(f"unknown option {name}{hint}", f"See {prog} --help")


def seconds(text: str) -> float:
    """A time such as 90s, 10m or 2h; a number alone is seconds."""
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:], 0.0)
    return (unit or 1.0) * _positive_number(text[:-1] if unit else text)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _positive_number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value
