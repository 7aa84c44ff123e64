import csv
import io
from dataclasses import replace

import cv2
import numpy as np

from mvrecon.artifacts.frames import FrameRecord
from mvrecon.artifacts.poses import PosedFrame
from mvrecon.formats.trajectory import read_trajectory
from stages.pose.mapping.resection import Resected
from stages.pose.results import _point_colours, frames_csv, full_trajectory_text
from tests.stages.pose.scene import CAMERA, frame_table, sideways_path
from tests.stages.pose.world.test_canonical import relief_model

TRUTH = sideways_path(9, 0.06)


def test_rows_and_trajectory_tell_the_same_in_the_same_order(tmp_path):
    table = frame_table(3, CAMERA, "given")
    between = FrameRecord(1, "", "1.jpg", 0.1, 0, 1.0, "redundant")
    table = replace(table, frames=(table.frames[0], between, *table.frames[2:]))
    posed = [PosedFrame(name, 0.0, CAMERA, CAMERA, np.eye(4)) for name in ("000000", "000002")]
    others = {1: Resected(TRUTH[1]), 3: Resected(None, "too few tracks")}
    rows = list(csv.DictReader(io.StringIO(frames_csv(table, posed, {}, others))))
    assert [row["posed"] for row in rows] == ["1", "1", "1", "0"]
    assert rows[1]["reason"] == "redundant"
    assert rows[3]["reason"] == "blurred; no pose: too few tracks"
    path = tmp_path / "trajectory.txt"
    path.write_text(full_trajectory_text(table, posed, others))
    trajectory = read_trajectory(path)
    np.testing.assert_allclose(trajectory.timestamp_s_n, [0.0, 0.1, 0.2])
    np.testing.assert_allclose(trajectory.world_from_cam_n44[1], TRUTH[1], atol=1e-7)


def test_a_point_has_the_mean_colour_of_the_images_that_see_it(tmp_path):
    model = relief_model(frames=2)
    seen = model.images[1].point_k.copy()
    seen[:40] = -1
    model = replace(model, images=(model.images[0], replace(model.images[1], point_k=seen)))
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    for path, rgb in zip(paths, ((200, 100, 0), (100, 50, 20)), strict=True):
        cv2.imwrite(str(path), np.full((CAMERA.height, CAMERA.width, 3), rgb[::-1], np.uint8))
    colours = _point_colours(model, paths)
    assert (colours[:40] == [200, 100, 0]).all()
    assert (colours[40:] == [150, 75, 10]).all()
