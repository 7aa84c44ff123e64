import dataclasses

import pytest

from mvrecon.report.contents import ReportInput, StageReport
from mvrecon.report.verdict import depth_paths, judge
from tests.report.runs import COUNT, STAGES, make_run


@pytest.mark.parametrize(
    ("error_px", "posed", "level"),
    [(0.5, COUNT, "good"), (1.5, COUNT, "fair"), (3.0, COUNT, "poor"), (0.5, 3, "fair")],
)
def test_the_weakest_measure_decides_the_verdict(tmp_path, error_px, posed, level):
    verdict = judge(make_run(tmp_path, error_px=error_px, posed=posed))
    assert verdict.level == level
    assert f"{posed} of {COUNT} key frames" in verdict.sentence
    assert "75 % of the pixels" in verdict.sentence


def with_surface_confidence(report, value):
    *others, surface = report.stages
    numbers = {"median_confidence": value}
    return ReportInput(report.title, [*others, dataclasses.replace(surface, numbers=numbers)])


@pytest.mark.parametrize(
    ("confidence", "level"), [(0.7, "good"), (0.69, "fair"), (0.4, "fair"), (0.39, "poor")]
)
def test_a_grade_begins_at_its_bound(tmp_path, confidence, level):
    verdict = judge(with_surface_confidence(make_run(tmp_path), confidence))
    assert verdict.level == level
    assert f"confidence is {confidence:.2f}" in verdict.sentence
    assert [measure.label for measure in verdict.measures] == [
        "Frames placed",
        "Reprojection error",
        "Confident depth",
        "Surface confidence",
    ]


def test_an_unfinished_run_says_what_is_done_and_missing_and_is_not_graded(tmp_path):
    verdict = judge(make_run(tmp_path, "pose"))
    assert verdict.level == "partial"
    assert verdict.sentence.startswith("Done: frames, flow, pose. Missing: depth, fusion, surface.")
    assert "points are met to" in verdict.sentence
    nothing = judge(ReportInput("clip.mp4", [StageReport(name) for name in STAGES]))
    assert nothing.sentence == f"Done: nothing. Missing: {', '.join(STAGES)}."
    assert nothing.measures == ()


def test_depth_is_that_of_the_last_stage_that_made_some(tmp_path):
    report = make_run(tmp_path)
    assert {path.parent.parent.name for path in depth_paths(report)} == {"fusion"}
    for path in depth_paths(report):
        path.unlink()
    assert {path.parent.parent.name for path in depth_paths(report)} == {"depth"}
