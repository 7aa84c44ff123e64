from dataclasses import replace

import cv2
import numpy as np
import pytest

from mvrecon.artifacts.image_maps import ImageMaps
from mvrecon.artifacts.poses import PosedFrame
from mvrecon.errors import InputError
from mvrecon.geometry.undistortion import distorting_map
from stages.pose.images import JPEG_QUALITY, load_grey, stored_image, write_undistorted
from stages.pose.undistortion import pinhole_without_blanks, undistort_image
from tests.stages.pose.scene import CAMERA, Folder, Relief, frame_table, pose_context

BARREL = replace(CAMERA, distortion=(-0.15, 0.0, 0.0, 0.0))
PINHOLE = pinhole_without_blanks(BARREL)
BENT = PosedFrame("a", 0.0, PINHOLE, BARREL, np.eye(4))


def undistort(source, frame, path):
    write_undistorted(source, frame, ImageMaps([frame], Folder(source.parent)), path)


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(0)
    bgr = cv2.GaussianBlur(rng.integers(0, 255, (180, 240, 3)).astype(np.uint8), (0, 0), 2.0)
    cv2.imwrite(str(tmp_path / "source.jpg"), bgr)
    return tmp_path / "source.jpg"


def test_the_undistorted_file_is_opencvs_byte_for_byte(tmp_path, source):
    undistort(source, BENT, tmp_path / "found.jpg")
    bgr = undistort_image(cv2.imread(str(source)), distorting_map(PINHOLE, BARREL))
    expected = tmp_path / "expected.jpg"
    cv2.imwrite(str(expected), bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert (tmp_path / "found.jpg").read_bytes() == expected.read_bytes()


def test_without_distortion_the_file_is_copied(tmp_path, source):
    undistort(source, replace(BENT, camera=BARREL.pinhole()), tmp_path / "found.jpg")
    assert (tmp_path / "found.jpg").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("part", [0.0, 0.5])
def test_a_broken_image_is_an_error_and_nothing_is_written(tmp_path, source, part):
    source.write_bytes(source.read_bytes()[: int(part * source.stat().st_size)])
    with pytest.raises(InputError, match=r"source\.jpg"):
        undistort(source, BENT, tmp_path / "found.jpg")
    assert not (tmp_path / "found.jpg").exists()


def test_a_key_frame_is_read_grey_as_it_is_stored(tmp_path):
    image = Relief().image(np.eye(4))
    context = pose_context(tmp_path, [image], {}, frame_table(1, CAMERA, "given"))
    grey = load_grey(context, "000000")
    assert grey.shape == image.shape
    assert np.abs(grey.astype(int) - image).mean() < 2
    stored_image(context, "000000").unlink()
    with pytest.raises(InputError, match=r"(?i)no such file"):
        load_grey(context, "000000")
