"""A stage of another package takes the place of ours, with its own options and in the key."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mvrecon
from mvrecon.cli import main
from mvrecon.commands.foreign import with_foreign
from mvrecon.commands.pipelines import PIPELINES, RUN
from mvrecon.errors import UsageError
from stages.pipeline import PIPELINE
from tests.test_pipeline import CLIP

ENTRY_POINTS = """[mvrecon.stages]
median-fusion = their_fusion:STAGE
backwards = their_fusion:BACKWARDS
no-stage = their_fusion:NO_STAGE
gone = their_stage_that_is_not_there:STAGE
"""
TINY = ["--frames.max_size=160", "--frames.end_s=0.7", "--depth.sweep.max_hypotheses=32"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package, as its files and its metadata on the path."""
    site = tmp_path / "site"
    site.mkdir()
    shutil.copy(Path(__file__).with_name("their_fusion.py"), site)
    release(site, "1.2")
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("their_fusion", None)


def release(site: Path, version: str) -> None:
    """Install a version of it."""
    metadata = site / "their_fusion-1.dist-info"
    metadata.mkdir(exist_ok=True)
    text = f"Metadata-Version: 2.1\nName: their-fusion\nVersion: {version}\n"
    (metadata / "METADATA").write_text(text)
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)


def key_of_fusion(run_dir: Path) -> dict:
    folder = run_dir / "store/fusion"
    manifest = folder / (folder / "latest").read_text() / "manifest.json"
    return json.loads(manifest.read_text())["key_parts"]


def test_it_runs_in_the_place_of_ours(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    words = ["run", str(CLIP), "-o", str(run_dir), "--until", "fusion", "--mend", "none", *TINY]
    theirs = [*words, "--use", "median-fusion", "--fusion.window", "5"]
    assert main(theirs) == 0
    parts = key_of_fusion(run_dir)
    assert parts["provider"] == "their-fusion 1.2: median-fusion"
    assert parts["config"] == {"window": 5}
    found = mvrecon.open_run(run_dir)
    assert found.depth(next(iter(found.cameras))).depth_hw.any()
    capsys.readouterr()
    assert main(["status", str(run_dir)]) == 0
    assert "fusion   cached" in capsys.readouterr().out
    assert main([*theirs[:-1], "4.5"]) == 2
    assert "--fusion.window '4.5' is not accepted" in capsys.readouterr().err
    release(site, "1.3")
    assert main(["explain", str(run_dir), "fusion"]) == 0
    assert "their-fusion 1.2: median-fusion → their-fusion 1.3" in capsys.readouterr().out
    assert main([*words, "--dry-run"]) == 0
    assert "fusion   stale" in capsys.readouterr().out


def test_what_does_not_fit_is_told(site: Path) -> None:
    for name, told in (
        ("backwards", "reads surface, which does not run before it"),
        ("no-stage", "is no Stage"),
        ("gone", "cannot be imported"),
        ("median", "no stage 'median' is offered by a package"),
    ):
        with pytest.raises(UsageError, match=told):
            with_foreign(PIPELINE, [name])
    assert with_foreign(PIPELINE, []) == PIPELINES[RUN].stages


def test_help_and_doctor_name_it(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "median-fusion" in capsys.readouterr().out
    main(["doctor"])
    told = capsys.readouterr().out
    assert "ok      stage median-fusion of their-fusion 1.2" in told
    assert "PROBLEM stage gone of their-fusion 1.2" in told
