"""The scene from above: the path, what was lost, a scale where it is known."""

from __future__ import annotations

import re
from dataclasses import replace

from mvrecon.report.map_section import map_section
from mvrecon.report.page import report_html
from tests.report.runs import COUNT, make_run
from tests.report.test_page import Page


def with_scale(report, scale):
    stages = [
        replace(stage, numbers={**stage.numbers, "scale": scale}) if stage.name == "pose" else stage
        for stage in report.stages
    ]
    return replace(report, stages=stages)


def test_the_path_runs_as_the_cameras_do(tmp_path) -> None:
    section = map_section(make_run(tmp_path))
    xs = [x for x, _ in section["cameras"]]
    assert len(xs) == COUNT
    assert xs == sorted(xs)
    ys = [y for _, y in section["cameras"]]
    assert max(ys) - min(ys) < 0.2
    inside = all(
        0 < x < section["width"] and 0 < y < section["height"] for x, y in section["cameras"]
    )
    assert inside


def test_lost_frames_lie_on_the_path_with_their_reasons(tmp_path) -> None:
    report = make_run(tmp_path, posed=COUNT - 1)
    (report.stages[2].folder / "frames.csv").write_text(
        "index,name,source,timestamp_s,posed,reason\n3,000003,3,0.3,0,blurred: <so>; move slower\n"
    )
    section = map_section(report)
    (mark,) = section["lost"]
    assert mark["name"] == "000003"
    assert (mark["x"], mark["y"]) == section["cameras"][-1]
    page = Page(report_html(report))
    assert "blurred: <so>; move slower" in page.sections["map"]


def test_a_scale_bar_is_as_long_as_it_says(tmp_path) -> None:
    report = make_run(tmp_path)
    assert map_section(report)["scale"] is None
    html = report_html(report)
    assert "The scale is not known" in Page(html).sections["map"]
    section = map_section(with_scale(report, "metres, by --pose.scale"))
    first, last = section["cameras"][0][0], section["cameras"][-1][0]
    px_per_m = (last - first) / (0.1 * (COUNT - 1))
    bar = section["scale"]
    assert abs(bar["px"] / px_per_m - float(bar["text"])) < 0.02 * float(bar["text"])
    assert re.fullmatch(r"[125]0*|0\.0*[125]", bar["text"])
