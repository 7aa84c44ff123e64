"""Tiny data sets in the real layouts: what is read, and what is said of incomplete ones."""

import numpy as np
import pytest

from mvrecon.datasets.flow_sets import FLOW_SETS, find_flow_sets, read_flow_sets
from mvrecon.datasets.flyingchairs import SPLIT_FILE
from mvrecon.datasets.kitti import YEARS, kitti_testing_pairs
from mvrecon.errors import InputError, UsageError
from tests.datasets import flow_trees as trees
from tests.flow_files import write_pfm

DATA_SETS = {data_set.name: data_set for data_set in FLOW_SETS}

# Name, maker, parts with the pairs' names, a file that is needed.
SETS = [
    (
        "middlebury",
        trees.make_middlebury,
        {"Middlebury": ["Army", "Venus"]},
        "other-data/Army/frame11.png",
    ),
    ("flyingchairs", trees.make_chairs, {"FlyingChairs": ["00001", "00002"]}, "00001_img2.ppm"),
    (
        "kitti2012",
        trees.make_kitti2012,
        {"KITTI 2012 noc": ["000045"]},
        "training/colored_0/000045_11.png",
    ),
    (
        "kitti2015",
        trees.make_kitti2015,
        {"KITTI 2015": ["000045"]},
        "training/obj_map/000045_10.png",
    ),
    (
        "sintel",
        trees.make_sintel,
        {"Sintel clean": ["alley_1-0001"], "Sintel final": ["alley_1-0001"]},
        "training/final/alley_1/frame_0002.png",
    ),
    (
        "spring",
        trees.make_spring,
        {"Spring left future": ["0004-0001"], "Spring left past": ["0004-0002"]},
        "train/0004/frame_left/frame_left_0002.png",
    ),
    (
        "hd1k",
        trees.make_hd1k,
        {"HD1K": ["000003_0010"]},
        "hd1k_input/image_2/000003_0011.png",
    ),
    (
        "flyingthings3d",
        trees.make_things,
        {
            f"FlyingThings3D TEST {render_pass} {side} {direction}": [f"A-0003-{number}"]
            for render_pass in ("clean", "final")
            for side in ("left", "right")
            for direction, number in (("future", "0006"), ("past", "0007"))
        },
        "optical_flow/TEST/A/0003/into_past/right/OpticalFlowIntoPast_0007_R.pfm",
    ),
    (
        "flyingthings3d-stereo",
        trees.make_things_stereo,
        {f"FlyingThings3D stereo clean from {side}": ["A-1"] for side in ("left", "right")},
        "RGB_cleanpass/right/A-1.png",
    ),
    (
        "flyingthings3d-stereo",
        trees.make_things_full_stereo,
        {
            f"FlyingThings3D stereo clean from {side} TEST": ["B-0001-0006"]
            for side in ("left", "right")
        },
        "disparity/TEST/B/0001/left/0006.pfm",
    ),
    (
        "kitti2015-stereo",
        trees.make_kitti2015_stereo,
        {"KITTI 2015 stereo": ["000046"]},
        "training/image_3/000046_10.png",
    ),
    (
        "kitti2012-stereo",
        trees.make_kitti2012_stereo,
        {"KITTI 2012 stereo": ["000046"]},
        "training/disp_noc/000046_10.png",
    ),
]


@pytest.mark.parametrize(("name", "make", "parts", "_needed"), SETS)
def test_pairs_and_their_flow(tmp_path, name, make, parts, _needed):
    make(tmp_path)
    found = DATA_SETS[name].parts(tmp_path)
    assert {title: [pair.name for pair in pairs] for title, pairs in found.items()} == parts
    for title, pairs in found.items():
        for pair in pairs:
            assert all(path.is_file() for path in (pair.first, pair.second, *pair.truth_files))
            assert pair.first != pair.second
            flow_hw2, valid_hw = pair.read_truth()
            backward = title.endswith("past") or "from right" in title
            expected = -trees.FLOW if backward else trees.FLOW
            np.testing.assert_array_equal(flow_hw2[valid_hw], expected[valid_hw])
            assert valid_hw[trees.HEIGHT // 2].all()


@pytest.mark.parametrize(("name", "make", "_parts", "needed"), SETS)
def test_the_first_missing_file_is_named_with_the_layout(tmp_path, name, make, _parts, needed):
    make(tmp_path)
    (tmp_path / needed).unlink()
    with pytest.raises(InputError) as caught:
        DATA_SETS[name].parts(tmp_path)
    assert str(tmp_path / needed) in caught.value.what
    assert DATA_SETS[name].layout in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "make", "missing"),
    [
        ("kitti2015", trees.make_kitti2015, "training/flow_noc/000045_10.png"),
        ("sintel", trees.make_sintel, "training/flow/alley_1/frame_0001.flo"),
        ("flyingchairs", trees.make_chairs, "00002_flow.flo"),
        ("spring", trees.make_spring, "train/0004/flow_FW_left/flow_FW_left_0001.flo5"),
        ("hd1k", trees.make_hd1k, "hd1k_flow_gt/flow_occ/000003_0010.png"),
        ("flyingthings3d", trees.make_things, "frames_cleanpass/TEST/A/0003/left/0006.png"),
        ("flyingthings3d-stereo", trees.make_things_stereo, "disparity/left/A-1.pfm"),
    ],
)
def test_images_without_truth_and_truth_without_images_are_noticed(tmp_path, name, make, missing):
    make(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(InputError, match="not complete") as caught:
        DATA_SETS[name].parts(tmp_path)
    assert str(tmp_path / missing) in caught.value.what


@pytest.mark.parametrize("data_set", FLOW_SETS, ids=lambda data_set: data_set.name)
def test_a_wrong_root_is_told_with_the_layout(tmp_path, data_set):
    with pytest.raises(InputError) as caught:
        data_set.parts(tmp_path)
    assert f"no {data_set.title} at {tmp_path}" in caught.value.what
    assert "is missing" in caught.value.what
    assert data_set.layout in caught.value.remedy


def test_a_root_one_folder_off_is_recognised(tmp_path):
    trees.make_kitti2015(tmp_path / "kitti")
    for wrong in (tmp_path, tmp_path / "kitti" / "training"):
        with pytest.raises(InputError, match="did you mean") as caught:
            DATA_SETS["kitti2015"].parts(wrong)
        assert str(tmp_path / "kitti") in caught.value.what


def test_kitti_regions_come_from_noc_and_obj_map(tmp_path):
    trees.make_kitti2015(tmp_path)
    pair = DATA_SETS["kitti2015"].parts(tmp_path)["KITTI 2015"][0]
    assert pair.read_truth()[1].all()
    regions = pair.read_regions()
    np.testing.assert_array_equal(regions["visible"], ~trees.TOP)
    np.testing.assert_array_equal(regions["occluded"], trees.TOP)
    np.testing.assert_array_equal(regions["foreground"], trees.TOP)
    np.testing.assert_array_equal(regions["background"], ~trees.TOP)


def test_sintel_leaves_out_invalid_pixels_but_can_count_them(tmp_path):
    trees.make_sintel(tmp_path)
    pair = DATA_SETS["sintel"].parts(tmp_path)["Sintel clean"][0]
    np.testing.assert_array_equal(pair.read_truth()[1], ~trees.TOP[::-1])
    regions = pair.read_regions()
    np.testing.assert_array_equal(regions["occluded"], trees.TOP)
    assert regions["with_invalid"].all()


def test_stereo_tells_what_the_other_camera_sees(tmp_path):
    trees.make_things_stereo(tmp_path / "things")
    trees.make_kitti2015_stereo(tmp_path / "kitti")
    for pairs in read_flow_sets(tmp_path).values():
        flow_hw2, valid_hw = pairs[0].read_truth()
        assert valid_hw.all() and not flow_hw2[..., 1].any()
        np.testing.assert_array_equal(pairs[0].read_regions()["occluded"], trees.TOP)


def test_absurd_flow_is_not_valid(tmp_path):
    trees.make_things(tmp_path)
    wild_hw3 = np.dstack([trees.FLOW, trees.TOP.astype(np.float32)])
    wild_hw3[0, 0, 0], wild_hw3[0, 1, 1], wild_hw3[0, 2, 0] = 2e3, np.inf, np.nan
    flows = tmp_path / "optical_flow/TEST/A/0003/into_future/left"
    write_pfm(flows / "OpticalFlowIntoFuture_0006_L.pfm", wild_hw3)
    parts = DATA_SETS["flyingthings3d"].parts(tmp_path)
    valid_hw = parts["FlyingThings3D TEST clean left future"][0].read_truth()[1]
    assert not valid_hw[0, :3].any() and valid_hw[0, 3:].all()


def test_splits(tmp_path):
    trees.make_chairs(tmp_path)
    (tmp_path / SPLIT_FILE).write_text("1\n2\n")
    parts = DATA_SETS["flyingchairs"].parts(tmp_path, "val")
    assert [pair.name for pair in parts["FlyingChairs val"]] == ["00002"]
    with pytest.raises(UsageError, match="all, train, val"):
        DATA_SETS["flyingchairs"].parts(tmp_path, "testing")
    (tmp_path / SPLIT_FILE).write_text("1\n")
    with pytest.raises(InputError, match="fewer"):
        DATA_SETS["flyingchairs"].parts(tmp_path, "val")


def test_every_set_under_a_folder_is_found(tmp_path):
    trees.make_middlebury(tmp_path / "flow/middlebury")
    trees.make_kitti2012(tmp_path / "flow/kitti2012", ("flow_occ", "flow_noc"))
    trees.make_kitti2012_stereo(tmp_path / "flow/kitti2012")
    assert [data_set.name for data_set, _ in find_flow_sets(tmp_path)] == [
        "middlebury",
        "kitti2012",
        "kitti2012-stereo",
    ]
    with pytest.raises(InputError, match="no flow data set"):
        read_flow_sets(tmp_path / "flow/middlebury/other-data")


def test_kitti_testing_pairs(tmp_path):
    trees.make_kitti_testing(tmp_path, "image_2")
    pairs = kitti_testing_pairs(YEARS[1], tmp_path)
    assert [name for name, _, _ in pairs] == ["000000_10.png", "000001_10.png"]
    (tmp_path / "testing/image_2/000001_11.png").unlink()
    with pytest.raises(InputError, match=r"000001_11\.png is missing"):
        kitti_testing_pairs(YEARS[1], tmp_path)
    with pytest.raises(InputError, match="no testing pairs"):
        kitti_testing_pairs(YEARS[0], tmp_path)
