from pathlib import Path

import numpy as np
import pytest

from mvrecon.artifacts.frames import image_item
from mvrecon.artifacts.images import read_key_frame
from mvrecon.artifacts.poses import load_moving_mask, moving_mask_item
from mvrecon.errors import InputError
from mvrecon.formats.images import write_jpeg, write_png


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, prefix: str = "") -> list[str]:
        paths = (path for path in self.root.rglob("*") if path.is_file())
        names = (path.relative_to(self.root).as_posix() for path in paths)
        return sorted(name for name in names if name.startswith(prefix))

    def path(self, name: str) -> Path:
        return self.root / name


@pytest.fixture
def stored(tmp_path):
    for item in (image_item("000000"), moving_mask_item("000000")):
        (tmp_path / item).parent.mkdir()
    return Folder(tmp_path)


def test_key_frame_is_rgb_or_grey_at_the_size_wanted(stored):
    rgb_hw3 = np.full((40, 60, 3), (250, 10, 90), np.uint8)
    write_jpeg(stored.path(image_item("000000")), rgb_hw3, 100)
    read_hw3 = read_key_frame(stored, "000000")
    assert read_hw3.shape == (40, 60, 3)
    assert np.abs(read_hw3.astype(int) - rgb_hw3).max() <= 2
    assert read_key_frame(stored, "000000", (30, 20)).shape == (20, 30, 3)
    grey_hw = read_key_frame(stored, "000000", (30, 20), "grey")
    assert grey_hw.shape == (20, 30)
    assert abs(float(grey_hw.mean()) - (0.299 * 250 + 0.587 * 10 + 0.114 * 90)) <= 2


@pytest.mark.parametrize("content", [None, b"", b"no image"])
def test_an_unreadable_key_frame_is_named(stored, content):
    if content is not None:
        stored.path(image_item("000000")).write_bytes(content)
    with pytest.raises(InputError, match="000000"):
        read_key_frame(stored, "000000")


def test_moving_mask_is_read_at_the_size_wanted(stored):
    assert load_moving_mask(stored, "000000", (40, 60)) is None
    mask_hw = np.zeros((20, 30), np.uint8)
    mask_hw[:, 15:] = 255
    write_png(stored.path(moving_mask_item("000000")), mask_hw)
    wanted_hw = np.zeros((40, 60), bool)
    wanted_hw[:, 30:] = True
    np.testing.assert_array_equal(load_moving_mask(stored, "000000", (40, 60)), wanted_hw)


def test_a_cut_moving_mask_is_an_input_error(stored):
    stored.path(moving_mask_item("000000")).write_bytes(b"")
    with pytest.raises(InputError, match="000000"):
        load_moving_mask(stored, "000000", (40, 60))
