import cv2
import numpy as np

from mvrecon.artifacts.poses import moving_mask_item
from mvrecon.report.moving_section import moving_section
from tests.report.runs import make_run


def write_mask(root, name, share):
    mask = np.zeros((20, 20), np.uint8)
    mask[: round(20 * share)] = 255
    path = root / "pose" / moving_mask_item(name)
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), mask)


def test_shows_the_frames_in_which_something_moves(tmp_path):
    report = make_run(tmp_path)
    write_mask(tmp_path, "000001", 0.25)
    write_mask(tmp_path, "000002", 0.0)
    html = moving_section(report)
    assert html.count("<figure>") == 1
    assert "000001, 25% moves" in html
    assert "1 of 2 key frames" in html


def test_is_silent_where_nothing_moves_or_nobody_looked(tmp_path):
    report = make_run(tmp_path)
    assert moving_section(report) == ""
    write_mask(tmp_path, "000001", 0.0)
    assert moving_section(report) == ""
