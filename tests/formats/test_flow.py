import cv2
import h5py
import numpy as np
import pytest

from mvrecon.errors import InputError
from mvrecon.formats.flow import (
    read_flo,
    read_flo5,
    read_kitti_disparity,
    read_kitti_flow,
    read_pfm,
    write_kitti_flow,
)
from mvrecon.formats.flow_colours import flow_to_rgb
from tests.flow_files import write_flo, write_flo5, write_pfm


@pytest.fixture
def flow_hw2() -> np.ndarray:
    return np.random.default_rng(0).uniform(-40, 40, (5, 7, 2)).astype(np.float32)


@pytest.fixture
def valid_hw() -> np.ndarray:
    valid = np.ones((5, 7), bool)
    valid[1, 2] = valid[4, 6] = False
    return valid


def test_flo_round_trip(tmp_path, flow_hw2, valid_hw):
    write_flo(tmp_path / "a.flo", flow_hw2, valid_hw)
    read_hw2, known_hw = read_flo(tmp_path / "a.flo")
    np.testing.assert_array_equal(known_hw, valid_hw)
    np.testing.assert_array_equal(read_hw2[valid_hw], flow_hw2[valid_hw])
    assert (read_hw2[~valid_hw] == 0).all()


def test_flo_bytes_are_middleburys(tmp_path):
    write_flo(tmp_path / "a.flo", np.float32([[[1, 2], [3, 4]]]))
    data = (tmp_path / "a.flo").read_bytes()
    assert np.frombuffer(data, "<f4", 1)[0] == np.float32(202021.25)
    assert np.frombuffer(data, "<i4", 2, 4).tolist() == [2, 1]
    assert np.frombuffer(data, "<f4", offset=12).tolist() == [1, 2, 3, 4]


def test_flo5_tells_what_is_unknown(tmp_path, flow_hw2, valid_hw):
    write_flo5(tmp_path / "a.flo5", np.where(valid_hw[..., None], flow_hw2, np.nan))
    read_hw2, known_hw = read_flo5(tmp_path / "a.flo5")
    np.testing.assert_array_equal(known_hw, valid_hw)
    np.testing.assert_array_equal(read_hw2[valid_hw], flow_hw2[valid_hw])
    assert (read_hw2[~valid_hw] == 0).all()


def test_what_is_no_flo5_is_told(tmp_path):
    (tmp_path / "text.flo5").write_text("no flow")
    write_flo5(tmp_path / "flat.flo5", np.zeros((4, 4, 3)))
    with h5py.File(tmp_path / "huge.flo5", "w") as file:
        file.create_dataset("flow", (2**20, 2**20, 2), chunks=(64, 64, 2))
    with h5py.File(tmp_path / "other.flo5", "w") as file:
        file["disparity"] = np.zeros(3)
    for name in ("text", "flat", "huge", "other", "missing"):
        with pytest.raises(InputError, match=f"{name}.flo5"):
            read_flo5(tmp_path / f"{name}.flo5")


def test_kitti_round_trip(tmp_path, flow_hw2, valid_hw):
    flow_hw2[0, 0] = 600, 0
    write_kitti_flow(tmp_path / "a.png", flow_hw2, valid_hw)
    read_hw2, known_hw = read_kitti_flow(tmp_path / "a.png")
    valid_hw[0, 0] = False
    np.testing.assert_array_equal(known_hw, valid_hw)
    np.testing.assert_allclose(read_hw2[valid_hw], flow_hw2[valid_hw], atol=1 / 128)


def test_kitti_channels_are_x_y_valid(tmp_path):
    write_kitti_flow(tmp_path / "a.png", np.float32([[[1, -2]]]))
    blue_green_red = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)[0, 0]
    assert blue_green_red.tolist() == [1, 32768 - 128, 32768 + 64]


def test_kitti_disparity(tmp_path):
    cv2.imwrite(str(tmp_path / "d.png"), np.array([[0, 256, 640]], np.uint16))
    disparity_hw, valid_hw = read_kitti_disparity(tmp_path / "d.png")
    assert disparity_hw.tolist() == [[0, 1, 2.5]]
    assert valid_hw.tolist() == [[False, True, True]]


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_pfm_round_trip(tmp_path, shape):
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    write_pfm(tmp_path / "a.pfm", image)
    np.testing.assert_array_equal(read_pfm(tmp_path / "a.pfm"), image)


def test_pfm_of_the_other_byte_order_and_bottom_row_first(tmp_path):
    values = np.array([3, 4, 1, 2], ">f4").tobytes()
    (tmp_path / "a.pfm").write_bytes(b"Pf\n2 2\n1.0\n" + values)
    assert read_pfm(tmp_path / "a.pfm").tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("read", [read_flo, read_kitti_flow, read_kitti_disparity, read_pfm])
def test_missing_and_foreign_files_are_named(tmp_path, read):
    with pytest.raises(InputError, match="absent"):
        read(tmp_path / "absent")
    (tmp_path / "foreign").write_bytes(b"something else entirely")
    with pytest.raises(InputError, match="foreign is not a"):
        read(tmp_path / "foreign")


def test_files_cut_short_are_named(tmp_path, flow_hw2):
    write_flo(tmp_path / "a.flo", flow_hw2)
    write_pfm(tmp_path / "a.pfm", flow_hw2[..., 0])
    for name, read in (("a.flo", read_flo), ("a.pfm", read_pfm)):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-3])
        with pytest.raises(InputError, match="its header promises"):
            read(path)


def test_eight_bits_and_one_channel_are_no_kitti_flow(tmp_path):
    cv2.imwrite(str(tmp_path / "8.png"), np.zeros((3, 3, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((3, 3), np.uint16))
    with pytest.raises(InputError, match="16-bit"):
        read_kitti_flow(tmp_path / "8.png")
    with pytest.raises(InputError, match="three channels"):
        read_kitti_flow(tmp_path / "1.png")


def test_colours_tell_direction_and_magnitude():
    flow = np.float32([[[0, 0], [10, 0], [5, 0], [-10, 0], [30, 0]]])
    valid = np.array([[True, True, True, True, True]])
    still, right, half, left, beyond = flow_to_rgb(flow, 10, valid)[0].astype(int)
    assert still.tolist() == [255, 255, 255]
    assert right[0] > 250
    assert right[0] > left[0] and left[2] > right[2]
    np.testing.assert_allclose(half, (still + right) / 2, atol=1)
    assert beyond[0] < right[0]
    assert flow_to_rgb(flow, 10, ~valid).max() == 0
