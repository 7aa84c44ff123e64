"""Presets and overrides, and how mistakes in them are told."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from mvrecon.config import (
    build_configs,
    load_preset,
    preset_help,
    preset_names,
    upgraded_options,
)
from mvrecon.engine.config import ADVANCED, ContentFile, ContentPath, OptionGroup, StageConfig
from mvrecon.errors import UsageError
from mvrecon.options import Parser, add_stage_options, overrides, refuse


class FlowLike(StageConfig):
    size: int = Field(default=640, ge=64, le=4096, description="longest side [px]")
    offsets: tuple[int, ...] = Field(default=(1, 2), description="frame distances")
    weights: Path | None = Field(default=None, description="a file")
    refine: bool = Field(default=False, description="refine it")


CLASSES = {"flow": FlowLike}


def build(**values: object) -> FlowLike:
    config = build_configs(CLASSES, [{"flow": values}])["flow"]
    assert isinstance(config, FlowLike)
    return config


def test_text_takes_the_type_of_its_field() -> None:
    config = build(size="320", offsets="1,3,9", weights="none", refine="true")
    assert config == FlowLike(size=320, offsets=(1, 3, 9), weights=None, refine=True)


def test_later_layers_win() -> None:
    layers = [{"flow": {"size": 100, "refine": True}}, {"flow": {"size": 200}}]
    assert build_configs(CLASSES, layers)["flow"] == FlowLike(size=200, refine=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"sise": "3"}, "did you mean 'size'"),
        ({"size": "3"}, "greater than or equal to 64"),
        ({"size": "wide"}, "valid integer"),
        ({"offsets": "1,x"}, "valid integer"),
    ],
)
def test_mistakes_are_told_in_one_line(values: dict, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        build(**values)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_stage() -> None:
    with pytest.raises(UsageError, match="did you mean 'flow'"):
        build_configs(CLASSES, [{"flaw": {}}])


def test_unknown_preset_names_the_known_ones() -> None:
    assert "default" in preset_names()
    with pytest.raises(UsageError, match="did you mean 'default'"):
        load_preset("defualt")


def test_a_broken_preset_file_is_an_error_of_usage(tmp_path: Path) -> None:
    broken = tmp_path / "mine.toml"
    broken.write_text("[flow\nsize = 3")
    with pytest.raises(UsageError, match="not valid TOML"):
        load_preset(str(broken))


class ReadsFiles(StageConfig):
    file: ContentFile = Field(None, description="a file")
    either: ContentPath = Field(None, description="a file or a folder")


def build_reader(**values: object) -> StageConfig:
    return build_configs({"reader": ReadsFiles}, [{"reader": values}])["reader"]


def test_files_are_found_again_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "poses.txt").touch()
    monkeypatch.chdir(tmp_path)
    config = build_reader(file="poses.txt", either=".")
    assert config.content_files() == {"file": tmp_path / "poses.txt", "either": tmp_path}
    assert config.key_options() == {}


def test_a_folder_is_refused_where_a_file_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--reader\.file: no file"):
        build_reader(file=str(tmp_path))
    with pytest.raises(UsageError, match=r"--reader\.either: no file"):
        build_reader(either=str(tmp_path / "missing"))


class Inner(OptionGroup):
    updates: int = Field(5, ge=1, description="updates")
    seed: int = Field(0, json_schema_extra=ADVANCED, description="seed")
    file: ContentFile = Field(None, description="a file")


class Nested(StageConfig):
    renamed: ClassVar = {"updates": "first.updates", "gone": "model"}

    model: str = Field("first", description="which")
    first: Inner = Inner()
    second: Inner = Inner(updates=7)

    def unused_groups(self) -> set[str]:
        return {"first", "second"} - {self.model}


def build_nested(*layers: dict) -> Nested:
    config = build_configs({"stage": Nested}, [{"stage": layer} for layer in layers])["stage"]
    assert isinstance(config, Nested)
    return config


def test_groups_take_dotted_and_nested_names() -> None:
    config = build_nested({"first": {"updates": 2, "seed": 4}}, {"first.updates": "3"})
    assert config.first == Inner(updates=3, seed=4)
    assert config.second == Inner(updates=7)


def test_a_group_out_of_use_is_in_no_key(tmp_path: Path) -> None:
    (tmp_path / "w").touch()
    plain, other = build_nested({}), build_nested({"second.updates": 9, "second.file": tmp_path})
    assert plain.key_options() == other.key_options()
    assert other.content_files() == {}
    assert build_nested({"first.updates": 9}).key_options() != plain.key_options()
    assert build_nested({"model": "second"}).key_options() != plain.key_options()
    used = build_nested({"first.file": tmp_path / "w"})
    assert used.content_files() == {"first.file": tmp_path / "w"}
    assert "file" not in used.key_options()["first"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"updates": "3"}, "it is now 'first.updates'"),
        ({"seed": "3"}, "did you mean 'first.seed'"),
        ({"first.updats": "3"}, "did you mean 'first.updates'"),
        ({"second.updates": "0"}, "--stage.second.updates"),
        ({"first.file": "missing"}, "--stage.first.file: no file"),
    ],
)
def test_mistakes_in_groups_name_the_whole_option(values: dict, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        build_nested(values)
    assert expected in str(caught.value)


def test_old_records_are_read_by_todays_names() -> None:
    upgraded = upgraded_options({"stage": Nested}, {"stage": {"updates": 3, "gone": "second"}})
    assert build_nested(upgraded["stage"]) == Nested(model="second", first=Inner(updates=3))


def make_parser() -> Parser:
    parser = Parser(prog="x")
    add_stage_options(parser, {"stage": Nested})
    return parser


def test_the_command_line_offers_grouped_options() -> None:
    parsed, unknown = make_parser().parse_known_args(["--stage.first.updates", "3", "--nope"])
    assert overrides(parsed) == {"stage": {"first.updates": "3"}}
    assert unknown == ["--nope"]
    with pytest.raises(UsageError, match=r"it is now --stage\.first\.updates"):
        refuse("--stage.updates=4", parsed.known_options, parsed.renamed)


def test_advanced_options_are_told_when_all_are_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for flag, told in (("--help", False), ("--help-all", True)):
        with pytest.raises(SystemExit):
            make_parser().parse_args([flag])
        out = capsys.readouterr().out
        assert ("--stage.first.seed" in out) is told
        assert "--stage.first.updates" in out


def test_help_says_what_each_preset_is_for() -> None:
    said = dict(part.split(": ", 1) for part in preset_help().split(" | "))
    assert list(said) == preset_names()
    assert all(len(words.split()) > 5 for words in said.values())
