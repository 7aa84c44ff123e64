"""The one list of metrics: complete, without double names, each told from its better direction."""

from dataclasses import fields

import pytest

from mvrecon.evaluation.bench.benchmarks import METRICS, TITLES
from mvrecon.evaluation.metrics.depth import COVERAGE_PERCENTS, DEPTH_METRICS, DepthErrors
from mvrecon.evaluation.metrics.image import IMAGE_METRICS, ImageErrors
from mvrecon.evaluation.metrics.metric import by_field
from mvrecon.evaluation.metrics.surface import SURFACE_METRICS, SurfaceErrors
from mvrecon.evaluation.metrics.trajectory import TRAJECTORY_METRICS, TrajectoryErrors

PARTS = [
    (TRAJECTORY_METRICS, TrajectoryErrors),
    (DEPTH_METRICS, DepthErrors),
    (SURFACE_METRICS, SurfaceErrors),
    (IMAGE_METRICS, ImageErrors),
]


@pytest.mark.parametrize(("metrics", "errors"), PARTS)
def test_every_figure_of_a_run_has_a_metric(metrics, errors):
    assert {field.name for field in fields(errors)} <= by_field(metrics).keys()
    assert len(by_field(metrics)) == len(metrics)


def test_the_curve_of_confident_pixels_has_its_metrics():
    assert {f"best {percent}%" for percent in COVERAGE_PERCENTS} <= by_field(DEPTH_METRICS).keys()


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
