"""Presets and overrides, and how mistakes in them are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from mvrecon.config import build_configs, load_preset, preset_names
from mvrecon.engine.config import StageConfig
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
