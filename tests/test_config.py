"""Presets and overrides, and how mistakes in them are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from mvrecon.config import build_configs, load_preset, preset_names
from mvrecon.engine.config import ContentFile, ContentPath, StageConfig
from mvrecon.errors import UsageError


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
