import csv
import json

import numpy as np
import pytest

from mvrecon.errors import InputError
from mvrecon.evaluation.bench.compare import compare, comparison_lines
from mvrecon.evaluation.bench.flow.measure import PairResult
from mvrecon.evaluation.bench.page import Page, page_html
from mvrecon.evaluation.bench.rows import (
    Row,
    markdown,
    read_json,
    terminal_table,
    write_csv,
    write_json,
)
from mvrecon.evaluation.metrics.flow import FlowErrors
from mvrecon.formats.images import write_jpeg

EPE, FL, PEAK = "epe_mean_over_pixels_px", "fl_all_over_pixels", "peak_mib_largest"


def row(variant: str, data_set: str = "KITTI 2015", **figures: float) -> Row:
    return Row("flow", data_set, variant, 3, figures)


ROWS = [
    row("dis", **{EPE: 2.0, FL: 0.25}),
    row("mv|flow", **{EPE: 1.0, FL: 0.5}),
    Row("flow", "Sintel", "dis", 0, {}, "could not be <read>"),
]


def test_json_is_read_back(tmp_path):
    rows = [*ROWS, row("nan", **{EPE: float("nan")})]
    write_json(rows, "mvrecon bench flow", {"dis": {"stage": 1}}, tmp_path / "a.json")
    assert "NaN" not in (tmp_path / "a.json").read_text()
    assert read_json(tmp_path / "a.json") == [*ROWS, row("nan")]


@pytest.mark.parametrize("text", ["", "[]", '{"rows": [{"x": 1}]}', '{"rows": 3}'])
def test_what_is_no_result_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match="no result of mvrecon bench"):
        read_json(tmp_path / "a.json")


def test_csv_has_a_line_for_each_row(tmp_path):
    write_csv(ROWS, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["variant"] for line in lines] == ["dis", "mv|flow", "dis"]
    assert float(lines[1][EPE]) == 1.0 and lines[2][EPE] == ""


def test_tables_show_what_there_is():
    text = terminal_table(ROWS)
    assert "EPE, pixels" in text and "EPE s40+" not in text
    assert "could not be <read>" in text
    text = markdown([*ROWS, row("x", epe_occluded_over_pixels_px=7.0)], "mvrecon bench")
    assert "| KITTI 2015 | 3 | dis | 2.00 | 25.0% |" in text
    assert "| KITTI 2015 | 3 | x | 7.00 |" in text  # less usual figures have their own table


def test_comparison_knows_which_direction_is_better():
    old = [row("a", **{EPE: 2.0, FL: 0.1, PEAK: 100}), row("gone")]
    new = [row("a", **{EPE: 1.9, FL: 0.12, PEAK: 108}), row("added")]
    result = compare(old, new)
    assert [(change.metric.name, change.improved) for change in result.changes] == [
        (EPE, True),
        (FL, False),
    ]
    assert result.same == 1  # memory within its tolerance
    assert result.changes[1].relative == pytest.approx(0.2)
    lines = comparison_lines(result)
    assert lines[0].startswith("worse  flow · KITTI 2015 · a: Fl-all 10.0% → 12.0%")
    assert lines[1].startswith("better flow")
    assert lines[2] == "1 worse, 1 better, 1 the same"
    assert lines[3:] == [
        "new: flow · KITTI 2015 · added",
        "no longer there: flow · KITTI 2015 · gone",
    ]


def test_comparison_with_itself_and_with_zero():
    assert not compare(ROWS, ROWS).changes
    (change,) = compare([row("a", **{FL: 0.0})], [row("a", **{FL: 0.1})]).changes
    assert not change.improved and change.relative == float("inf")


TREND = "scale_trend_percent"


def trends(**by_variant):
    return [Row("depth", "room", name, 9, {TREND: value}) for name, value in by_variant.items()]


def test_what_is_best_at_zero_gets_better_towards_it_from_both_sides():
    old = trends(a=-28.0, b=1.0, c=3.0)
    result = compare(old, trends(a=2.0, b=-5.0, c=-3.0))
    assert [(change.row.variant, change.improved) for change in result.changes] == [
        ("a", True),
        ("b", False),
    ]
    assert result.same == 1
    html = page_html(Page("Depth", "mvrecon bench depth", trends(a=-28.0, b=1.5, c=3.0), {}))
    assert '<td class="number best">+1.50</td>' in html and html.count("number best") == 1


def test_page_marks_the_best_and_needs_no_network():
    comparison = compare([row("dis", **{EPE: 1.0})], ROWS)
    reports = ["runs/a b/report.html"]
    html = page_html(
        Page("Flow & more", "mvrecon bench flow", ROWS, {}, comparison, reports=reports)
    )
    assert '<a href="runs/a%20b/report.html">runs/a b</a>' in html
    assert "Flow &amp; more" in html and "could not be &lt;read&gt;" in html
    assert '<td class="number best">1.00</td>' in html
    assert '<td class="number best">25.0%</td>' in html
    assert html.count("number best") == 2
    assert 'class="worse"' in html
    assert "http://" not in html and "https://" not in html
    json.dumps(html)


def test_page_escapes_what_others_named(tmp_path):
    bad = "<script>alert('&')</script>"
    figures = {"abs_rel_surest_50": 0.1, "abs_rel_mean_over_images": 0.2}
    rows = [Row(kind, bad, bad, 1, figures, bad) for kind in ("flow", "depth")]
    pixels_hw3 = np.zeros((4, 4, 3), np.uint8)
    write_jpeg(tmp_path / "a.jpg", pixels_hw3, 90)
    pair = PairResult(bad, {"all": FlowErrors(1, 1.0, 0, 0, 0, 0)}, [], 0, 0, 0, tmp_path / "a.jpg")
    html = page_html(
        Page(
            bad,
            bad,
            rows,
            {bad: {bad: [pair]}},
            compare([Row("depth", bad, bad, 1, {"flicker": 1.0}), Row("flow", bad, "x", 1)], rows),
            reports=[f"runs/{bad}/report.html"],
            depth_strips=[(bad, pixels_hw3)],
        )
    )
    for part in ("changes", "flow", "depth", "confidence", "reports", "pictures", "depths"):
        assert f'<section id="{part}">' in html
    assert html.count("<script") == 1  # the page's own
    assert "alert('" not in html
    assert html.count("&lt;script&gt;alert") > 10


def test_page_draws_precision_against_coverage():
    figures = {f"abs_rel_surest_{share}": share / 1000 for share in (10, 25, 50, 75, 80, 90)}
    depth = Row("depth", "room", "sweep", 5, figures | {"abs_rel_mean_over_images": 0.2})
    html = page_html(Page("Depth", "mvrecon bench depth", [depth], {}))
    assert html.count("<polyline") == 1
    first, *_, last = html.split('points="')[1].split('"')[0].split()
    assert float(first.split(",")[0]) < float(last.split(",")[0])  # to the right
    assert float(first.split(",")[1]) > float(last.split(",")[1])  # and up
    assert "<polyline" not in page_html(Page("Flow", "mvrecon bench flow", ROWS, {}))
