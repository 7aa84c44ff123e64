"""Options go from values to text and back, and keys tell them apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvrecon.config import build_configs
from mvrecon.engine.config import NOT_IN_KEY, is_marked, option_fields
from mvrecon.engine.hashing import FileHashes
from mvrecon.engine.keys import make_key
from mvrecon.errors import UsageError
from stages.pipeline import CONFIG_CLASSES, PIPELINE
from tests.properties.strategies import numbers

NUMBERS = [
    (stage.name, name, field)
    for stage in PIPELINE
    for name, field in option_fields(stage.config).items()
    if field.annotation in (int, float)
]


def nested(name: str, value: Any) -> dict[str, Any]:
    """`a.b` and a value as options within options."""
    for part in reversed(name.split(".")):
        value = {part: value}
    return value


def value_of(config: Any, name: str) -> Any:
    for part in name.split("."):
        config = getattr(config, part)
    return config


@given(st.sampled_from(NUMBERS), numbers(-1e4, 1e4))
def test_a_number_is_taken_as_text_as_it_is_as_a_value_or_refused_in_one_line(
    option: tuple[str, str, Any], number: float
) -> None:
    stage, name, field = option
    value = round(number) if field.annotation is int else number
    built = []
    for given_value in (value, repr(value)):
        try:
            configs = build_configs(CONFIG_CLASSES, [{stage: {name: given_value}}])
            built.append(value_of(configs[stage], name))
        except UsageError as error:
            assert "\n" not in str(error)
            assert name in str(error) or name.rpartition(".")[2] in str(error)
            built.append(None)
    assert built[0] == built[1]
    assert built[0] is None or math.isclose(built[0], value)


@given(st.sampled_from(NUMBERS), st.integers(1, 64))
def test_the_key_changes_with_each_option_that_counts(
    option: tuple[str, str, Any], number: int
) -> None:
    stage_name, name, field = option
    stage = next(stage for stage in PIPELINE if stage.name == stage_name)
    default = build_configs(CONFIG_CLASSES, [])[stage_name]
    try:
        changed = build_configs(CONFIG_CLASSES, [{stage_name: {name: number}}])[stage_name]
    except UsageError:
        return
    digests = dict.fromkeys(stage.needs, "0")
    hashes = FileHashes(Path("none.json"))
    keys = [make_key(stage, one, digests, None, hashes).name for one in (default, changed)]
    same = value_of(default, name) == value_of(changed, name)
    unused = name.partition(".")[0] in {*default.unused_groups(), *changed.unused_groups()}
    if same:
        assert keys[0] == keys[1]
    elif not unused and not is_marked(field, NOT_IN_KEY):
        assert (keys[0] != keys[1]) or _inner_unused(default, name)


def _inner_unused(config: Any, name: str) -> bool:
    """Whether a group inside the group is not in use."""
    parts = name.split(".")
    for depth in range(1, len(parts)):
        group = value_of(config, ".".join(parts[:depth]))
        if parts[depth] in group.unused_groups():
            return True
    return False


def test_an_option_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean"):
        build_configs(CONFIG_CLASSES, [{"frames": {"max_sise": "3"}}])
