"""The options that messages and documents name are there."""

import re
from pathlib import Path

import pytest

from mvrecon.engine.config import option_fields
from stages.pipeline import PIPELINE
from tests.conftest import REPOSITORY

OPTIONS = {f"{stage.name}.{option}" for stage in PIPELINE for option in option_fields(stage.config)}
GROUPS = {option.rpartition(".")[0] for option in OPTIONS}
NAMED = re.compile(rf"--((?:{'|'.join(stage.name for stage in PIPELINE)})\.[a-z_.-]*[a-z_])")
PATTERNS = ("mvrecon/**/*.py", "mvrecon/**/*.j2", "stages/**/*.py", "README.md", "docs/*.md")


def named_in(path: Path) -> set[str]:
    # Messages are broken over lines inside of strings.
    text = re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
    return set(NAMED.findall(text))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_option_that_is_named_is_there(pattern: str) -> None:
    paths = list(REPOSITORY.glob(pattern))
    assert paths
    wrong = {
        f"{path.relative_to(REPOSITORY)}: --{name}"
        for path in paths
        for name in named_in(path) - OPTIONS - GROUPS
    }
    assert not wrong


def test_a_wrong_name_is_found(tmp_path: Path) -> None:
    code = 'say("lower --surface.volume."\n    "min_views or --pose.no_such.")'
    (tmp_path / "a.py").write_text(code)
    assert named_in(tmp_path / "a.py") == {"surface.volume.min_views", "pose.no_such"}
