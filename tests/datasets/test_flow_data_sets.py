"""Tiny data sets in the real layouts."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mvrecon.datasets.flow_pairs import FlowSample
from mvrecon.datasets.flyingchairs import flyingchairs_pairs
from mvrecon.datasets.flyingthings3d import flyingthings3d_pairs, flyingthings3d_stereo_pairs
from mvrecon.datasets.kitti import kitti_pairs, kitti_stereo_pairs
from mvrecon.datasets.middlebury import middlebury_pairs
from mvrecon.errors import InputError
from mvrecon.formats.flow import write_flo, write_kitti_flow, write_pfm

FLOW = np.random.default_rng(0).integers(-9, 9, (4, 6, 2)).astype(np.float32)


def write_image(path: Path, pixels: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((4, 6, 3), np.uint8) if pixels is None else pixels)


def make_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def make_middlebury(root: Path) -> None:
    for scene in ("Venus", "Army"):
        for number in (10, 11):
            write_image(root / "other-data" / scene / f"frame{number}.png")
        write_flo(make_folder(root / "other-gt-flow" / scene / "flow10.flo"), FLOW)


def make_chairs(root: Path) -> None:
    for number, suffix in (("00001", ".ppm"), ("00002", ".png")):
        write_image(root / f"{number}_img1{suffix}")
        write_image(root / f"{number}_img2{suffix}")
        write_flo(root / f"{number}_flow.flo", FLOW)


def make_kitti(root: Path, images: str = "colored_0") -> None:
    for frame in (10, 11):
        write_image(root / "training" / images / f"000045_{frame}.png")
    write_kitti_flow(make_folder(root / "training" / "flow_noc" / "000045_10.png"), FLOW)


def make_things(root: Path) -> None:
    scene = Path("TEST/A/0003")
    for number in ("0006", "0007"):
        write_image(root / "frames_cleanpass" / scene / "left" / f"{number}.png")
        flow = root / "optical_flow" / scene / "into_future" / "left"
        path = make_folder(flow / f"OpticalFlowIntoFuture_{number}_L.pfm")
        write_pfm(path, np.dstack([FLOW, np.zeros((4, 6), np.float32)]))


def make_things_stereo(root: Path) -> None:
    for side in ("left", "right"):
        write_image(root / "RGB_cleanpass" / side / "A-1.png")
    write_pfm(make_folder(root / "disparity/left/A-1.pfm"), np.full((4, 6), 7, np.float32))
    occluded = np.zeros((4, 6), np.uint8)
    occluded[0] = 255
    write_image(root / "occlusion/left/A-1.png", occluded)


def make_kitti_stereo(root: Path) -> None:
    for folder in ("image_2", "image_3"):
        write_image(root / "training" / folder / "000046_10.png")
    disparity = np.full((4, 6), 7 * 256, np.uint16)
    disparity[0] = 0
    write_image(root / "training" / "disp_occ_0" / "000046_10.png", disparity)


SETS = [
    (make_middlebury, middlebury_pairs, ["Army", "Venus"], "other-data/Army/frame11.png"),
    (make_chairs, flyingchairs_pairs, ["00001", "00002"], "00001_img2.ppm"),
    (make_kitti, kitti_pairs, ["000045"], "training/colored_0/000045_11.png"),
    (
        make_things,
        flyingthings3d_pairs,
        ["A-0003-0006"],
        "frames_cleanpass/TEST/A/0003/left/0007.png",
    ),
]
STEREO_SETS = [
    (make_things_stereo, flyingthings3d_stereo_pairs, "RGB_cleanpass/right/A-1.png"),
    (make_kitti_stereo, kitti_stereo_pairs, "training/image_3/000046_10.png"),
]


@pytest.mark.parametrize(("make", "read", "names", "_needed"), SETS)
def test_pairs_and_their_flow(tmp_path, make, read, names, _needed):
    make(tmp_path)
    samples: list[FlowSample] = list(read(tmp_path))
    assert [sample.name for sample in samples] == names
    assert all(sample.first.is_file() and sample.second.is_file() for sample in samples)
    assert samples[0].first != samples[0].second
    flow_hw2, valid_hw = samples[0].read_truth()
    np.testing.assert_array_equal(flow_hw2, FLOW)
    assert valid_hw.all()


@pytest.mark.parametrize(("make", "read", "_needed"), STEREO_SETS)
def test_disparity_is_flow_to_the_left(tmp_path, make, read, _needed):
    make(tmp_path)
    flow_hw2, valid_hw = next(iter(read(tmp_path))).read_truth()
    assert valid_hw[1:].all() and not valid_hw[0].any()
    assert (flow_hw2[1:, :, 0] == -7).all()
    assert (flow_hw2[..., 1] == 0).all()


@pytest.mark.parametrize(
    ("make", "read", "needed"), [(s[0], s[1], s[3]) for s in SETS] + STEREO_SETS
)
def test_the_first_missing_file_is_named_with_the_layout(tmp_path, make, read, needed):
    make(tmp_path)
    (tmp_path / needed).unlink()
    with pytest.raises(InputError) as caught:
        list(read(tmp_path))
    assert str(tmp_path / needed) in caught.value.what
    assert "Expected ROOT/" in caught.value.remedy


@pytest.mark.parametrize("read", [entry[1] for entry in SETS + STEREO_SETS])
def test_an_empty_folder_is_told_with_the_layout(tmp_path, read):
    with pytest.raises(InputError) as caught:
        list(read(tmp_path))
    assert str(tmp_path) in caught.value.what
    assert "Expected ROOT/" in caught.value.remedy


def test_kitti_2015_folder(tmp_path):
    make_kitti(tmp_path, images="image_2")
    assert next(iter(kitti_pairs(tmp_path))).first.parent.name == "image_2"
