"""Presets, files and command-line overrides → the validated options of every stage."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from mvrecon.engine.config import OptionGroup, StageConfig, option_fields
from mvrecon.errors import UsageError

Options = Mapping[str, Mapping[str, Any]]
G = TypeVar("G", bound=OptionGroup)

MAX_PRESET_BYTES = 1 << 20  # a file of options has a hundred lines


def presets_dir() -> Path:
    """Folder of the presets, in the installed package or in the source tree."""
    installed = Path(str(files("mvrecon"))) / "configs"
    return installed if installed.is_dir() else installed.parents[1] / "configs"


def preset_names() -> list[str]:
    """Names that `--preset` takes."""
    return sorted(path.stem for path in presets_dir().glob("*.toml"))


def preset_help() -> str:
    """What each preset is for, as its file says in the comment on top."""
    said = []
    for name in preset_names():
        lines = (presets_dir() / f"{name}.toml").read_text().splitlines()
        comment = [line.removeprefix("#").strip() for line in takewhile(is_comment, lines)]
        said.append(f"{name}: {' '.join(comment)}")
    return " | ".join(said)


def is_comment(line: str) -> bool:
    """Whether a line of TOML says something to people only."""
    return line.startswith("#")


def load_preset(name: str) -> Options:
    """Options of a shipped preset, or of a TOML file of the user's.

    Raises:
        UsageError: there is no such preset, or the file is not TOML.
    """
    path = Path(name) if name.endswith(".toml") else presets_dir() / f"{name}.toml"
    if not path.is_file():
        raise UsageError(
            f"no preset {name!r}{did_you_mean(name, preset_names())}",
            f"Use one of {', '.join(preset_names())}, or a .toml file",
        )
    try:
        if path.stat().st_size > MAX_PRESET_BYTES:
            raise ValueError(f"more than {MAX_PRESET_BYTES} bytes")
        options = tomllib.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}", "Correct the file") from error
    for stage, values in options.items():
        if not isinstance(values, Mapping):
            raise UsageError(
                f"{path}: {stage} stands outside of a stage's section", "Write [stage] above it"
            )
    return options


def build_configs(
    classes: Mapping[str, type[StageConfig]], layers: Iterable[Options]
) -> dict[str, StageConfig]:
    """The options of every stage; later layers win over earlier ones.

    Args:
        classes: configuration class by stage name.
        layers: stage name → field (dotted, or nested) → value; text is parsed by its type.

    Raises:
        UsageError: an unknown stage or field, or a value of the wrong type or range.
    """
    merged = merge_options(layers)
    for stage in merged:
        if stage not in classes:
            hint = did_you_mean(stage, classes)
            raise UsageError(f"no stage {stage!r}{hint}", f"The stages are {', '.join(classes)}")
    return {name: _validate(name, config, merged.get(name, {})) for name, config in classes.items()}


def merge_options(layers: Iterable[Options]) -> dict[str, dict[str, Any]]:
    """One set of options; later layers win over earlier ones.

    Returns:
        Stage → dotted name → value: no option takes a mapping, so one is a group of options.
    """
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for stage, values in layer.items():
            merged.setdefault(stage, {}).update(_flat(values))
    return merged


def upgraded_options(
    classes: Mapping[str, type[StageConfig]], options: Options
) -> dict[str, dict[str, Any]]:
    """Options that an earlier version recorded, by the names that they have now."""
    return {
        stage: classes[stage].upgraded(values) if stage in classes else values
        for stage, values in merge_options([options]).items()
    }


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`", did you mean 'x'?"` if something similar is known, else an empty text."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""


def suggestion(name: str, config: type[StageConfig]) -> str:
    """What was probably meant by the name of an option that there is not, or an empty text."""
    if name in config.renamed:
        return f", it is now {config.renamed[name]!r}"
    known = option_fields(config)
    same_leaf = [full for full in known if full.rpartition(".")[2] == name.rpartition(".")[2]]
    return f", did you mean {same_leaf[0]!r}?" if same_leaf else did_you_mean(name, known)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _validate(stage: str, config: type[StageConfig], values: Mapping[str, Any]) -> StageConfig:
    fields = option_fields(config)
    for name in values:
        if name not in fields:
            raise UsageError(
                f"no option --{stage}.{name}{suggestion(name, config)}",
                f"Options of {stage}: {', '.join(fields)}",
            )
    return build_options(config, values, f"--{stage}.{{}}".format, f"[{stage}]")


def build_options(
    kind: type[G], values: Mapping[str, Any], flag: Callable[[str], str], whole: str
) -> G:
    """Options of one class, checked.

    Args:
        kind: the class.
        values: by (dotted) name; text is parsed by its type.
        flag: from a name to the option of the command line, for errors.
        whole: what all of them are called, for errors of several together.

    Raises:
        UsageError: a value of the wrong type or range, or a file that is not there.
    """
    fields = option_fields(kind)
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *groups, leaf = name.split(".")
        place = nested
        for group in groups:
            place = place.setdefault(group, {})
        place[leaf] = _parse_text(fields[name], value) if isinstance(value, str) else value
    try:
        built = kind(**nested)
    except ValidationError as error:
        raise _usage_error(error, flag, whole) from error
    for name, path in built.content_files().items():
        if not path.is_file() and not (path.is_dir() and built.takes_folder(name)):
            raise UsageError(f"{flag(name)}: no file {path}", "Check the path")
    return built


def _parse_text(field: FieldInfo, text: str) -> Any:
    """Text of the command line in the shape that pydantic expects of the field."""
    alternatives = [field.annotation, *get_args(field.annotation)]
    if type(None) in alternatives and text.lower() == "none":
        return None
    if any(getattr(kind, "__origin__", kind) in (tuple, list) for kind in alternatives):
        return [part for part in text.split(",") if part]
    return text


def _usage_error(error: ValidationError, flag: Callable[[str], str], whole: str) -> UsageError:
    first: Mapping[str, Any] = error.errors()[0]
    location: Sequence[Any] = first["loc"]
    # A place inside a list is a number, which no option has.
    path = ".".join(part for part in location if isinstance(part, str))
    name = flag(path) if path else whole
    message = str(first["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    return UsageError(f"{name} {first['input']!r} is not accepted", f"It should be {message}")
