"""Which options are part of a key, and how."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from mvrecon.engine.config import (
    ADVANCED,
    NOT_IN_KEY,
    ContentFile,
    ContentPath,
    OptionGroup,
    StageConfig,
    is_marked,
    option_fields,
)


class Model(OptionGroup):
    updates: int = Field(5, description="updates")
    threads: int = Field(1, description="threads", json_schema_extra=NOT_IN_KEY)
    weights: ContentFile = Field(None, description="a file")


class Config(StageConfig):
    size: int = Field(640, description="longest side [px]", json_schema_extra=ADVANCED)
    shown: bool = Field(False, description="no result", json_schema_extra=NOT_IN_KEY)
    poses: ContentPath = Field(None, description="a file or a folder")
    model: Model = Model()


def test_the_key_holds_values_but_of_marked_options() -> None:
    assert Config().key_options() == {"size": 640, "model": {"updates": 5}}
    config = Config(size=3, shown=True, poses=Path("p"), model=Model(threads=4, weights=Path("w")))
    assert config.key_options() == {"size": 3, "model": {"updates": 5}}


def test_files_count_by_content_and_keep_their_place() -> None:
    config = Config(poses=Path("p"), model=Model(weights=Path("/w")))
    assert config.content_files() == {"poses": Path.cwd() / "p", "model.weights": Path("/w")}
    assert Config().content_files() == {}


def test_only_some_options_take_folders() -> None:
    assert Config().takes_folder("poses")
    assert not Config().takes_folder("size")
    assert not Config().takes_folder("model.weights")


def test_fields_have_dotted_names() -> None:
    fields = option_fields(Config)
    assert list(fields) == [
        "size", "shown", "poses", "model.updates", "model.threads", "model.weights",
    ]  # fmt: skip
    assert [name for name in fields if is_marked(fields[name], ADVANCED)] == ["size"]
    assert is_marked(fields["model.threads"], NOT_IN_KEY)


def test_options_are_fixed_and_known() -> None:
    with pytest.raises(ValidationError):
        Config(sise=3)
    with pytest.raises(ValidationError):
        Config().size = 3
