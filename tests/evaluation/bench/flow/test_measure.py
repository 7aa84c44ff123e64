"""Models measured on tiny sets: what is reported, kept, measured again, refused."""

import cv2
import numpy as np
import pytest

from mvrecon.datasets.flow_sets import FLOW_SETS
from mvrecon.datasets.kitti import YEARS
from mvrecon.errors import InputError, StageCrashError
from mvrecon.evaluation.bench.flow.measure import generated_pair, measure_part, measure_time
from mvrecon.evaluation.bench.flow.rows import flow_row, flow_time_rows, telling_pairs
from mvrecon.evaluation.bench.flow.submission import write_submission
from mvrecon.formats.flow import read_kitti_flow
from tests.datasets import flow_trees as trees
from tests.evaluation.bench.toy import calls, toy

DATA_SETS = {data_set.name: data_set for data_set in FLOW_SETS}


@pytest.fixture
def middlebury(tmp_path):
    trees.make_middlebury(tmp_path / "data")
    return DATA_SETS["middlebury"].parts(tmp_path / "data")["Middlebury"]


def test_figures_of_known_errors(tmp_path):
    trees.make_kitti2015(tmp_path / "data")
    pairs = DATA_SETS["kitti2015"].parts(tmp_path / "data")["KITTI 2015"]
    results = measure_part(tmp_path / "out", toy(tmp_path, 4.0), "KITTI 2015", pairs)
    row = flow_row("KITTI 2015", "toy", results)
    assert row.count == 1
    expected = {
        "epe_mean_over_pixels_px": 2.0,
        "epe_mean_over_images_px": 2.0,
        "fl_all_over_pixels": 0.5,
        "fl_fg_over_pixels": 0.5,
        "fl_bg_over_pixels": 0.5,
        "over_1px_over_pixels": 0.5,
        "over_3px_over_pixels": 0.5,
        "over_5px_over_pixels": 0.0,
        "epe_visible_over_pixels_px": 2.0,
        "epe_occluded_over_pixels_px": 2.0,
        "epe_s0_10_over_pixels_px": 2.0,
        "epe_surest_80_over_images_px": 4 * 0.3 / 0.8,
        "epe_surest_50_over_images_px": 0.0,
        "epe_best_80_over_images_px": 4 * 0.3 / 0.8,
    }
    measured = {name: row.figures[name] for name in expected}
    assert measured == pytest.approx(expected, abs=1e-3)
    assert "epe_s40_plus_over_pixels_px" not in row.figures
    assert row.figures["cpu_s_mean_over_pairs"] >= 0
    assert row.figures["peak_mib_largest"] > 10


def test_what_was_measured_is_kept(tmp_path, middlebury):
    variant = toy(tmp_path)
    first = measure_part(tmp_path / "out", variant, "Middlebury", middlebury)
    assert calls(variant) == 2
    assert measure_part(tmp_path / "out", variant, "Middlebury", middlebury) == first
    assert calls(variant) == 2
    other = toy(tmp_path, error_px=0.0)
    better = measure_part(tmp_path / "out", other, "Middlebury", middlebury)
    assert [result.epe_px for result in better] == [0.0, 0.0]


def test_a_changed_pair_is_measured_again_and_the_other_kept(tmp_path, middlebury):
    variant = toy(tmp_path)
    measure_part(tmp_path / "out", variant, "Middlebury", middlebury)
    trees.write_image(middlebury[0].first, trees.SECOND)
    measure_part(tmp_path / "out", variant, "Middlebury", middlebury)
    assert calls(variant) == 3


def test_a_killed_run_goes_on_where_it_was(tmp_path, middlebury):
    dying = toy(tmp_path, die_at=2)
    with pytest.raises(StageCrashError, match="SIGKILL"):
        measure_part(tmp_path / "out", dying, "Middlebury", middlebury)
    results = measure_part(tmp_path / "out", toy(tmp_path), "Middlebury", middlebury)
    assert len(results) == 2
    assert calls(dying) == 3  # the first pair once, the second twice


def test_a_damaged_result_is_measured_again(tmp_path, middlebury):
    variant = toy(tmp_path)
    results = measure_part(tmp_path / "out", variant, "Middlebury", middlebury)
    results[0].picture.write_bytes(b"damaged")
    assert measure_part(tmp_path / "out", variant, "Middlebury", middlebury)
    assert calls(variant) == 3


@pytest.mark.parametrize(
    ("name", "make", "damaged"),
    [
        ("kitti2012", trees.make_kitti2012, "training/colored_0/000045_11.png"),
        ("kitti2012", trees.make_kitti2012, "training/flow_noc/000045_10.png"),
        ("kitti2015", trees.make_kitti2015, "training/obj_map/000045_10.png"),
        ("flyingthings3d-stereo", trees.make_things_stereo, "disparity/left/A-1.pfm"),
        ("middlebury", trees.make_middlebury, "other-gt-flow/Army/flow10.flo"),
    ],
)
def test_a_file_cut_short_is_named(tmp_path, name, make, damaged):
    make(tmp_path)
    path = tmp_path / damaged
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    title, pairs = next(iter(DATA_SETS[name].parts(tmp_path).items()))
    with pytest.raises(InputError) as caught:
        measure_part(tmp_path / "out", toy(tmp_path), title, pairs)
    assert path.name in caught.value.what
    assert f"{title}, pair {pairs[0].name}" in caught.value.what


def test_sizes_that_differ_are_refused(tmp_path, middlebury):
    trees.write_image(middlebury[0].second, trees.SECOND[:-1])
    with pytest.raises(InputError, match="differ in size"):
        measure_part(tmp_path / "out", toy(tmp_path), "Middlebury", middlebury)


def test_best_median_and_worst(tmp_path, middlebury):
    results = measure_part(tmp_path / "out", toy(tmp_path), "Middlebury", middlebury)
    assert list(telling_pairs(results[:1])) == ["best"]
    assert list(telling_pairs(results)) == ["best", "worst"]
    three = telling_pairs([results[0], results[1], results[0]])
    assert list(three) == ["best", "median", "worst"]


def test_time_is_measured_once_on_a_known_pair(tmp_path):
    first, second = generated_pair((64, 48), 5)
    np.testing.assert_array_equal(first[:, 5:], second[:, :-5])
    variant = toy(tmp_path)
    times = {"toy": measure_time(tmp_path / "out", variant), "slow": (10.0, 2**20)}
    count = calls(variant)
    assert measure_time(tmp_path / "out", variant) == times["toy"]
    assert calls(variant) == count
    rows = flow_time_rows(times, "slow")
    assert rows[1].figures == {
        "cpu_s_least_of_runs": 10.0, "ratio_to_reference": 1.0, "peak_mib_largest": 1.0
    }  # fmt: skip


@pytest.mark.parametrize(("year", "images", "folder"), [(0, "image_0", ""), (1, "image_2", "flow")])
def test_submission_has_the_servers_names_and_coding(tmp_path, year, images, folder):
    trees.make_kitti_testing(tmp_path / "data", images)
    target = tmp_path / "submission"
    arguments = (YEARS[year], tmp_path / "data", target)
    variant = toy(tmp_path, error_px=1e3)
    assert write_submission(tmp_path / "out", variant, *arguments) == target / folder
    files = sorted(path.name for path in (target / folder).iterdir())
    assert files == ["000000_10.png", "000001_10.png"]
    flow_hw2, valid_hw = read_kitti_flow(target / folder / files[0])
    assert valid_hw.all()
    assert flow_hw2[0, 0, 1] == pytest.approx(512, abs=1 / 32)  # cut to what the coding holds
    np.testing.assert_array_equal(flow_hw2[:, -1], trees.FLOW[:, -1])
    raw = cv2.imread(str(target / folder / files[0]), cv2.IMREAD_UNCHANGED)
    assert raw.dtype == np.uint16 and (raw[..., 0] == 1).all()
    write_submission(tmp_path / "out", toy(tmp_path, error_px=0.0), *arguments)
    assert calls(variant) == 4
    np.testing.assert_array_equal(read_kitti_flow(target / folder / files[0])[0], trees.FLOW)
