"""A result under an old key must be an old result: what changes one changes version or key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from mvrecon.engine.config import StageConfig, option_fields
from mvrecon.engine.stage import Stage
from stages.pipeline import PIPELINE
from stages.volume.denoise.stage import STAGE as DENOISE
from tests.conftest import REPOSITORY
from tests.fingerprints import RECORD, current

EXPLANATIONS = {".md", ".jpg", ".png"}
RECORD_IT = "record it with: python -m tests.fingerprints"


def test_constants_change_with_the_version_of_their_stage() -> None:
    recorded = json.loads(RECORD.read_text())
    prints, places = current()
    problems = []
    for stage, now in prints.items():
        before = recorded.get(stage)
        if before is None or now["version"] != before["version"]:
            problems.append(f"{stage} is of version {now['version']}: {RECORD_IT}")
            continue
        old, new = before["constants"], now["constants"]
        problems += [
            f"{stage}: {name} of {' and '.join(places[stage].get(name, ['no module']))}: "
            f"{old.get(name)} → {new.get(name)}. Bump the version of {stage} if this can change "
            f"a result of the shipped options, and in any case {RECORD_IT}"
            for name in sorted({*old, *new})
            if old.get(name) != new.get(name)
        ]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("stage", (*PIPELINE, DENOISE), ids=lambda stage: stage.name)
def test_shipped_weights_are_part_of_the_key(stage: Stage[Any]) -> None:
    folder = REPOSITORY / "stages" / ("volume" if stage is DENOISE else stage.name) / "weights"
    shipped = {path for path in folder.glob("*") if path.suffix not in EXPLANATIONS}
    in_keys = {Path(file) for config in _configs(stage) for file in stage.files(config).values()}
    assert shipped <= in_keys


def _configs(stage: Stage[Any]) -> Iterator[StageConfig]:
    """The default options, and each choice of one of them."""
    yield stage.config()
    for name, field in option_fields(stage.config).items():
        for choice in (True, False, *get_args(field.annotation)):
            options: Any = choice
            for part in reversed(name.split(".")):
                options = {part: options}
            try:
                yield stage.config(**options)
            except (ValidationError, TypeError):
                continue
