import numpy as np
import pytest
from PIL import Image

from mvrecon.errors import UsageError
from mvrecon.formats.masks import Masks
from tests.media import make_texture, write_images


def left_kept(height=40, width=60):
    mask_hw = np.zeros((height, width), np.uint8)
    mask_hw[:, : width // 2] = 255
    return mask_hw


def folder_of(path, *names):
    path.mkdir()
    for name in names:
        Image.fromarray(left_kept()).save(path / name)
    return path


@pytest.mark.parametrize("name", ["IMG_7.png", "img_7.PNG", "IMG_7.jpg.png"])
def test_a_mask_is_named_after_its_image(tmp_path, name):
    masks = Masks(folder_of(tmp_path / "masks", name), tmp_path)
    masks.require_any(["IMG_6.jpg", "IMG_7.jpg"])
    kept_hw = masks.kept("IMG_7.jpg", (30, 20))
    assert kept_hw.shape == (20, 30)
    assert np.array_equal(kept_hw, left_kept(20, 30) > 0)
    assert masks.kept("IMG_6.jpg", (30, 20)) is None


def test_masks_of_a_video_have_the_numbers_of_its_frames(tmp_path):
    masks = Masks(folder_of(tmp_path / "masks", "00012.png"), None)
    assert masks.kept("12", (60, 40)) is not None
    assert masks.kept("1", (60, 40)) is None


def test_masks_of_other_frames_are_an_error(tmp_path):
    folder = folder_of(tmp_path / "masks", "a.png")
    with pytest.raises(UsageError, match=r"for none of the frames.*IMG_6\.png"):
        Masks(folder, tmp_path).require_any(["IMG_6.jpg"])
    with pytest.raises(UsageError, match="for none of the frames"):
        Masks(folder, None).require_any(["0", "1"])


def test_without_masks_the_alpha_channel_is_one(tmp_path):
    images = write_images(tmp_path / "images", [make_texture(40, 60)] * 2)
    rgba = np.dstack([make_texture(40, 60), left_kept()])
    Image.fromarray(rgba).save(images / "cut.png")
    Image.fromarray(np.dstack([rgba[..., :3], np.full((40, 60), 255, np.uint8)])).save(
        images / "whole.png"
    )
    masks = Masks(None, images)
    masks.require_any(["000.png"])
    assert np.array_equal(masks.kept("cut.png", (60, 40)), left_kept() > 0)
    assert masks.kept("whole.png", (60, 40)) is None
    assert masks.kept("000.png", (60, 40)) is None
    assert Masks(folder_of(tmp_path / "masks", "cut.png"), images).kept("000.png", (9, 9)) is None
