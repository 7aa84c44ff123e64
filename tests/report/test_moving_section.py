import cv2
import numpy as np
import pytest

from mvrecon.artifacts.poses import moving_mask_item
from mvrecon.errors import InputError
from mvrecon.report.image_sections import moving_section
from mvrecon.report.page import report_html
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
    section = moving_section(report)
    assert [picture["caption"] for picture in section["pictures"]] == ["000001, 25% moves"]
    html = report_html(report)
    assert html.count("000001, 25% moves</figcaption>") == 1
    assert "1 of 2 key frames" in html


def test_is_silent_where_nothing_moves_or_nobody_looked(tmp_path):
    report = make_run(tmp_path)
    assert moving_section(report) is None
    write_mask(tmp_path, "000001", 0.0)
    assert moving_section(report) is None
    assert "Moving things" not in report_html(report)


def test_a_mask_that_is_cut_short_is_not_taken_for_a_still_scene(tmp_path):
    report = make_run(tmp_path)
    write_mask(tmp_path, "000001", 0.25)
    (path,) = (tmp_path / "pose").glob(moving_mask_item("*"))
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match=path.name):
        moving_section(report)
