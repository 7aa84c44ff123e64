"""Which pairs are measured, and the rows of models that are wrong by a known amount."""

import logging

import pytest

from mvrecon.errors import InputError, UsageError
from mvrecon.evaluation.bench.flow import benchmark
from mvrecon.evaluation.bench.flow.benchmark import (
    choose_parts,
    measure_flow,
    submit,
)
from mvrecon.evaluation.bench.selection import NothingChosenError
from tests.datasets import flow_trees as trees
from tests.evaluation.bench.toy import toy


@pytest.fixture
def root(tmp_path):
    trees.make_middlebury(tmp_path / "data/middlebury")
    trees.make_sintel(tmp_path / "data/sintel")
    return tmp_path / "data"


def test_parts_are_chosen_by_set_title_and_number(root):
    every = choose_parts("flow", root)
    assert {"Middlebury", "Sintel clean", "Sintel final"} <= every.keys()
    assert choose_parts("flow", root, only="clean").keys() == {"Sintel clean"}
    assert choose_parts("sintel", root / "sintel").keys() == {"Sintel clean", "Sintel final"}


def test_of_each_part_some_pairs_are_taken_spread_over_it(tmp_path, monkeypatch):
    found = {"long": list(range(9)), "short": [0, 1]}
    monkeypatch.setattr(benchmark, "read_flow_sets", lambda root: found)
    assert choose_parts("flow", tmp_path, limit=3) == {"long": [0, 4, 8], "short": [0, 1]}
    assert choose_parts("flow", tmp_path) == found


def test_kitti_is_the_year_that_is_there(tmp_path):
    trees.make_kitti2015(tmp_path)
    assert all("2015" in title for title in choose_parts("kitti", tmp_path))


def test_nothing_to_measure_is_told(root, tmp_path):
    assert choose_parts("all", root).keys() == choose_parts("flow", root).keys()
    with pytest.raises(NothingChosenError, match="no flow data set"):
        choose_parts("all", tmp_path / "empty")
    with pytest.raises(NothingChosenError, match="leaves nothing"):
        choose_parts("flow", root, only="kitti")
    with pytest.raises(UsageError, match="leaves no pairs"):
        choose_parts("flow", root, limit=0)
    with pytest.raises(InputError):
        choose_parts("middlebury", tmp_path)


def test_every_model_has_a_row_for_each_part_and_one_of_time(root, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    variants = [toy(tmp_path, 2.0), toy(tmp_path, 4.0, label="worse")]
    parts = choose_parts("flow", root, only="middlebury")
    rows, pairs = measure_flow(tmp_path / "out", variants, parts)
    assert [(row.benchmark, row.variant) for row in rows] == [
        ("flow", "toy"),
        ("flow", "worse"),
        ("flow-time", "toy"),
        ("flow-time", "worse"),
    ]
    # Half of the pixels are wrong.
    assert rows[0].figures["epe_mean_over_pixels_px"] == pytest.approx(1.0, rel=0.01)
    assert rows[1].figures["epe_mean_over_pixels_px"] == pytest.approx(2.0, rel=0.01)
    assert rows[2].figures["ratio_to_reference"] == 1
    assert pairs["Middlebury"].keys() == {"toy", "worse"}
    assert caplog.messages == [
        f"Middlebury: {label}, {rows[0].count} pairs" for label in ("toy", "worse")
    ]


def test_one_model_is_submitted(tmp_path):
    variants = [toy(tmp_path), toy(tmp_path, label="other")]
    with pytest.raises(UsageError, match="takes one model"):
        submit(tmp_path / "out", variants, tmp_path, tmp_path / "send")
