"""The data that the templates get."""

import pytest

from mvrecon.artifacts.frames import image_item
from mvrecon.artifacts.poses import POSES_ITEM
from mvrecon.report import image_sections
from mvrecon.report.contents import ReportInput, StageReport
from mvrecon.report.image_sections import depth_section, flow_section, frames_section
from mvrecon.report.page import (
    configuration_section,
    stages_section,
    versions_section,
    warnings_section,
)
from mvrecon.report.scene_sections import cameras_section, model_section
from tests.report.runs import COUNT, DROP_REASON, make_run


def test_bars_are_shares_of_the_longest_stage_and_what_is_unknown_is_empty(tmp_path):
    stages = [
        StageReport("a", tmp_path, wall_s=2.0, cpu_s=3.25, peak_bytes=1 << 29),
        StageReport("b", tmp_path, wall_s=8.0),
        StageReport("c"),
    ]
    section = stages_section(ReportInput("x", stages))
    assert section["total_s"] == 10.0
    first, second, third = section["stages"]
    assert (first["wall"], first["cpu"], first["memory"]) == ("2.0", "3.2", "0.50 GiB")
    assert first["share_percent"] == pytest.approx(25)
    assert (second["cpu"], second["memory"], second["share_percent"]) == ("", "", 100)
    assert not third["has_run"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.1235"), (1234567, "1,234,567"), (True, "True"), (None, "None"), ("a", "a")],
)
def test_values_are_short(value, text):
    report = ReportInput("x", [StageReport("a", config={"b.c": value})])
    assert configuration_section(report) == {"options": [("a.b.c", text)]}


def test_a_run_with_nothing_to_tell_has_no_section():
    report = ReportInput("x", [StageReport("frames")])
    for section_of in (
        warnings_section,
        configuration_section,
        versions_section,
        frames_section,
        flow_section,
        depth_section,
        model_section,
        cameras_section,
    ):
        assert section_of(report) is None, section_of.__name__


def test_pictures_are_spread_over_all_and_bounded(tmp_path, monkeypatch):
    report = make_run(tmp_path)
    for name in ("MAX_THUMBNAILS", "MAX_FLOW_PAIRS", "MAX_DEPTH_MAPS"):
        monkeypatch.setattr(image_sections, name, 2)
    frames, flow, depth = (f(report) for f in (frames_section, flow_section, depth_section))
    shown = [picture["caption"][:6] for picture in frames["thumbnails"]]
    assert shown == ["000000", f"{COUNT - 1:06d}"]
    assert (frames["key_frames"], frames["frames"], frames["dropped"]) == (COUNT, COUNT + 1, 1)
    assert frames["reasons"] == [[COUNT, str(COUNT), f"{COUNT / 10:.3f}", DROP_REASON]]
    assert flow["pairs"] == COUNT - 1
    assert [row[0]["caption"] for row in flow["shown"]] == ["000000 → 000001", "000002 → 000003"]
    assert (depth["maps"], depth["stage"], len(depth["shown"])) == (COUNT, "fusion", 2)
    captions = [picture["caption"] for picture in depth["shown"][0]]
    assert captions == ["000000", "depth 4 … 4", "confidence, mean 0.70"]


def test_a_lost_photo_leaves_the_rest_of_its_row(tmp_path):
    report = make_run(tmp_path)
    (tmp_path / "frames" / image_item("000000")).unlink()
    (tmp_path / "pose" / image_item("000000")).write_bytes(b"torn")
    assert len(frames_section(report)["thumbnails"]) == COUNT - 1
    assert [len(row) for row in flow_section(report)["shown"]] == [2, 3, 3]
    assert [len(row) for row in depth_section(report)["shown"]] == [2, 3, 3, 3]


def test_a_run_without_a_camera_has_neither_model_nor_path(tmp_path):
    report = make_run(tmp_path)
    (tmp_path / "pose" / POSES_ITEM).write_text("[]")
    assert model_section(report) is None
    assert cameras_section(report) is None
