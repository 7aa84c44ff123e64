"""The one list of metrics: complete, without double names, each told from its better direction."""

from dataclasses import fields

import pytest

from mvrecon.evaluation.bench.benchmarks import METRICS, TITLES
from mvrecon.evaluation.metrics.depth import COVERAGE_PERCENTS, DEPTH_METRICS, DepthErrors
from mvrecon.evaluation.metrics.drift import (
    PART_LENGTHS,
    PART_METRICS,
    SCALE_METRICS,
    PartErrors,
    ScaleDrift,
    part_figures,
)
from mvrecon.evaluation.metrics.image import IMAGE_METRICS, ImageErrors
from mvrecon.evaluation.metrics.metric import by_field
from mvrecon.evaluation.metrics.surface import SURFACE_METRICS, SurfaceErrors
from mvrecon.evaluation.metrics.trajectory import TRAJECTORY_METRICS, TrajectoryErrors

PARTS = [
    (TRAJECTORY_METRICS, TrajectoryErrors),
    (DEPTH_METRICS, DepthErrors),
    (SURFACE_METRICS, SurfaceErrors),
    (IMAGE_METRICS, ImageErrors),
    (SCALE_METRICS, ScaleDrift),
]


@pytest.mark.parametrize(("metrics", "errors"), PARTS)
def test_every_figure_of_a_run_has_a_metric(metrics, errors):
    assert {field.name for field in fields(errors)} <= by_field(metrics).keys()
    assert len(by_field(metrics)) == len(metrics)


def test_the_curve_of_confident_pixels_has_its_metrics():
    assert {f"best {percent}%" for percent in COVERAGE_PERCENTS} <= by_field(DEPTH_METRICS).keys()


def test_every_length_of_parts_has_its_metrics():
    figures = part_figures({length: PartErrors(2, 0.1) for length in PART_LENGTHS})
    assert list(figures) == [metric.name for metric in PART_METRICS]


def test_benchmarks_have_titles_and_no_name_twice():
    assert METRICS.keys() == TITLES.keys()
    for metrics in METRICS.values():
        for of in ("name", "heading"):
            assert len({getattr(metric, of) for metric in metrics}) == len(metrics)
        assert all(metric.heading and metric.meaning for metric in metrics)


def test_better_directions():
    assert by_field(DEPTH_METRICS)["abs_rel"].arrow == "↓"
    assert by_field(SURFACE_METRICS)["f_score"].arrow == "↑"
    assert by_field(TRAJECTORY_METRICS)["path_length"].arrow == " "
    assert by_field(SCALE_METRICS)["trend_percent"].arrow == "→"


def test_badness_grows_away_from_the_better_direction():
    abs_rel, f_score = by_field(DEPTH_METRICS)["abs_rel"], by_field(SURFACE_METRICS)["f_score"]
    trend = by_field(SCALE_METRICS)["trend_percent"]
    assert abs_rel.badness(0.2) > abs_rel.badness(0.1)
    assert f_score.badness(0.2) < f_score.badness(0.1)
    assert trend.badness(-3) == trend.badness(3) > trend.badness(0.1) > trend.badness(0)
