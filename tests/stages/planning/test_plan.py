"""Plans: what is expected of an input, what it costs, and options that keep to a budget."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mvrecon.cli import main
from mvrecon.config import build_configs, merge_options
from mvrecon.errors import InputError, UsageError
from stages.frames.config import FramesConfig
from stages.frames.expected import Expected, expect
from stages.pipeline import CONFIG_CLASSES, PIPELINE
from stages.planning.costs import Costs
from stages.planning.fit import Budget, fit
from stages.planning.plan import Plan, make_plan
from tests.test_pipeline import CLIP

SEQUENCE = Expected("sequence", frames=300, key_frames=60, size=(1920, 1080), look_s=0.01)
GIB = 1024**3


def plan_of(
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    workers: int = 2,
    expected: Expected = SEQUENCE,
    slowness: float = 1.0,
) -> Plan:
    configs = build_configs(CONFIG_CLASSES, [changes or {}])
    most = configs["frames"].max or expected.key_frames
    few = Expected(
        expected.kind, expected.frames, min(expected.key_frames, most), expected.size, 0.01
    )
    return make_plan(few, configs, PIPELINE, workers, slowness=slowness, costs=Costs.load())


def test_what_is_expected_of_the_sample_clip() -> None:
    seen = expect(CLIP, FramesConfig())
    assert (seen.kind, seen.frames, seen.size) == ("sequence", 81, (640, 480))
    assert 14 / 1.5 < seen.key_frames < 14 * 1.5
    half = expect(CLIP, FramesConfig(end_s=1.0, max=5))
    assert 20 < half.frames < 40
    assert half.key_frames == 5


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        expect(tmp_path, FramesConfig())
    broken = tmp_path / "clip.mp4"
    broken.write_bytes(b"no video")
    assert main(["plan", str(broken)]) == 3


def test_more_work_takes_more() -> None:
    usual = plan_of()
    for finer in ({"depth": {"max_size": 960}}, {"flow": {"max_size": 960}}):
        assert plan_of(finer).cpu_s > usual.cpu_s
    assert plan_of(workers=4).wall_s < usual.wall_s
    assert plan_of(slowness=2.0).cpu_s > 1.5 * usual.cpu_s
    assert plan_of({"fusion": {"model": "none"}}).unknown == ("fusion.model=none",)
    photos = Expected("photos", 60, 60, (1920, 1080), 0.01)
    assert plan_of(expected=photos).disk_bytes > 0


def test_options_that_keep_to_a_time() -> None:
    asked = merge_options([{n: c().model_dump() for n, c in CONFIG_CLASSES.items()}])
    usual = plan_of()
    assert fit(plan_of, asked, 2, Budget(time_s=10 * usual.wall_s)).changes == {}
    tight = fit(plan_of, asked, 2, Budget(time_s=0.8 * usual.wall_s))
    assert tight.plan.wall_s <= 0.8 * usual.wall_s
    assert tight.changes["depth"]["max_size"] < 640
    scarce = fit(plan_of, asked, 2, Budget(time_s=0.3 * usual.wall_s))
    assert scarce.changes["frames"]["max"] < 60
    with pytest.raises(UsageError, match="even at its coarsest the run needs about"):
        fit(plan_of, asked, 2, Budget(time_s=1.0))


def test_nothing_becomes_finer_than_asked() -> None:
    small = {"depth": {"max_size": 200}}
    asked = merge_options([{n: c().model_dump() for n, c in CONFIG_CLASSES.items()}, small])
    plan = plan_of(small)

    def planned(changes: Mapping[str, Mapping[str, Any]], workers: int) -> Plan:
        return plan_of(merge_options([small, changes]), workers)

    fitted = fit(planned, asked, 2, Budget(time_s=0.9 * plan.wall_s))
    assert "max_size" not in fitted.changes.get("depth", {})


def test_the_command_tells_and_a_run_keeps_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = [str(CLIP), "--frames.end_s", "0.5"]
    assert main(["plan", *short, "--json", "--until", "pose"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [stage["name"] for stage in data["stages"]] == ["frames", "flow", "pose"]
    assert data["cpu_s"] > 1
    assert main(["plan", *short, "--workers", "2"]) == 0
    assert "frames, 640×480 px; about" in capsys.readouterr().out

    words = ["run", *short, "-o", str(tmp_path / "run"), "--until", "frames"]
    assert main([*words, "--max-time", "1h"]) == 0
    assert "with the options as they are" in capsys.readouterr().err
    assert main([*words, "--max-ram", "0.01"]) == 2
    assert "of memory" in capsys.readouterr().err
    assert main([*words, "--max-time", "soon"]) == 2
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["fitted"]["budget"]["time_s"] == 3600


def test_what_was_chosen_is_chosen_again(tmp_path: Path) -> None:
    """Also where the machine is faster or slower the next time."""
    words = ["run", str(CLIP), "--frames.end_s=0.5", "-o", str(tmp_path / "run")]
    words += ["--until", "frames", "--max-time"]
    assert main([*words, "7s"]) == 0
    path = tmp_path / "run/run.json"
    chosen = json.loads(path.read_text())["fitted"]
    changed = chosen["changes"].setdefault("depth", {})
    changed["max_size"] = 128
    record = json.loads(path.read_text())
    record["fitted"] = chosen
    record["options"]["depth"]["max_size"] = 128
    path.write_text(json.dumps(record))
    assert main([*words, "7s"]) == 0
    assert json.loads(path.read_text())["fitted"] == chosen
    assert main([*words, "2h"]) == 0
    assert json.loads(path.read_text())["fitted"]["changes"] == {}
