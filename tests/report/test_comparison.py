"""Two runs side by side on a page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mvrecon.artifacts.poses import POSES_ITEM, load_poses, poses_to_json
from mvrecon.cli import main
from mvrecon.report.comparison import _poses, write_comparison
from tests.report.runs import COUNT, make_run
from tests.report.test_page import Page


def changed(report, **options):
    """The same run, its surface made with other options."""
    stages = [
        replace(
            stage,
            config={**stage.config, **options},
            numbers={**stage.numbers, "surface_figure": 617},
            cpu_s=50.0,
        )
        if stage.name == "surface"
        else stage
        for stage in report.stages
    ]
    return replace(report, stages=stages)


def test_what_differs_is_told_side_by_side(tmp_path) -> None:
    first = make_run(tmp_path / "first")
    second = changed(make_run(tmp_path / "second"), max_side_px=99, extra="<new>")
    write_comparison(first, second, tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text())
    assert "surface.max_side_px64599" in page.sections["options"]
    assert "surface.extra–<new>" in page.sections["options"]
    assert "frames.max_side_px" not in page.sections["options"]
    assert "surface25.050.02.00" in page.sections["costs"]
    assert "surface figure1239617-50.2 %" in page.sections["figures"]
    assert "frames with a position in both4" in page.sections["poses"]
    assert len([source for section, source, _ in page.images if section == "models"]) == 4


def test_cameras_are_compared_after_they_are_aligned(tmp_path) -> None:
    first, second = make_run(tmp_path / "first"), make_run(tmp_path / "second")
    for report, bend in ((first, 0.0), (second, 0.0)):
        bent(report, bend)
    rows = dict(_poses(first, second))
    assert rows["distance of the cameras, RMS"] == "0.000 % of the path"
    # Twice as large and moved: the same but for scale and place.
    path = second.item("pose", POSES_ITEM)
    frames = []
    for frame in load_poses(path):
        pose = frame.world_from_cam.copy()
        pose[:3, 3] = 2 * pose[:3, 3] + [1.0, 2.0, 3.0]
        frames.append(replace(frame, world_from_cam=pose))
    path.write_text(poses_to_json(frames))
    rows = dict(_poses(first, second))
    assert rows["distance of the cameras, most"] == "0.000 % of the path"
    assert rows["difference of direction, most"] == "0.000°"
    bent(second, 0.05)
    off = float(dict(_poses(first, second))["distance of the cameras, most"].split()[0])
    assert off > 1.0


def bent(report, amount: float) -> None:
    """Put the cameras on a curve, so that they tell a similarity."""
    path = report.item("pose", POSES_ITEM)
    frames = []
    for index, frame in enumerate(load_poses(path)):
        pose = frame.world_from_cam.copy()
        pose[:3, 3] = [0.1 * index, (0.02 + amount) * index**2, 0.01 * index * (COUNT - index)]
        frames.append(replace(frame, world_from_cam=pose))
    path.write_text(poses_to_json(frames))


def test_too_little_in_common_is_told(tmp_path) -> None:
    first, second = make_run(tmp_path / "first"), make_run(tmp_path / "second", posed=2)
    assert _poses(first, second) is None
    write_comparison(first, make_run(tmp_path / "third", until="flow"), tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text())
    assert "Too few frames" in page.sections["poses"]
    assert "models" not in page.sections


def test_the_command_wants_two_runs(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path), str(tmp_path)]) == 2
    assert "is not a run directory" in capsys.readouterr().err
