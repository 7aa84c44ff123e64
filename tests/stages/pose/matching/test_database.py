"""What is written to COLMAP's database comes out again."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from mvrecon.artifacts.frames import CameraPrior
from mvrecon.engine.processes.isolate import run_isolated
from stages.pose.matching.database import MAX_IMAGES, copy_without, create_database
from stages.pose.matching.features import FeatureMatches, MappingProblem
from tests.stages.pose.scene import CAMERA

BENT = replace(CAMERA, fy=210.0, distortion=(-0.1, 0.02, 0.001, -0.002))
ROWS = np.array([[0, 2], [1, 0], [2, 1]])
PROBLEM = MappingProblem(
    names=("a.jpg", "b.jpg", "c.jpg"),
    cameras=(CameraPrior(CAMERA, "default"), CameraPrior(BENT, "given")),
    fixed_cameras=(False, True),
    camera_of_image=(0, 1, 1),
    features=FeatureMatches(
        tuple(np.arange(6, dtype=np.float32).reshape(3, 2) + 10 * i for i in range(3)),
        {(0, 1): ROWS, (1, 2): ROWS[:2]},
    ),
)


def written_and_read(path):
    import pycolmap

    create_database(path, PROBLEM)
    with pycolmap.Database.open(path) as database:
        cameras = [
            (camera.model.name, camera.params.tolist(), camera.has_prior_focal_length)
            for camera in database.read_all_cameras()
        ]
        images = [(i.name, i.image_id, i.camera_id) for i in database.read_all_images()]
        keypoints = [np.asarray(database.read_keypoints(i))[:, :2] for i in (1, 2, 3)]
        matches = {pair: np.asarray(database.read_matches(*pair)) for pair in ((1, 2), (2, 3))}
    return cameras, images, keypoints, matches


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("database")
    path = folder / "all.db"
    return path, run_isolated(written_and_read, (path,), folder / "log", "test")


def test_free_cameras_have_one_focal_length_and_fixed_ones_all_they_are_given(stored):
    (free, fixed), *_ = stored[1]
    assert free == ("SIMPLE_RADIAL", [200.0, 120.0, 90.0, 0.0], False)
    assert fixed == ("OPENCV", [200.0, 210.0, 120.0, 90.0, *BENT.distortion], True)


def test_images_keypoints_and_matches_come_out_with_ids_from_one(stored):
    _, images, keypoints, matches = stored[1]
    assert images == [("a.jpg", 1, 1), ("b.jpg", 2, 2), ("c.jpg", 3, 2)]
    for found, xy in zip(keypoints, PROBLEM.features.keypoints, strict=True):
        # The first pixel's centre is at (0.5, 0.5) for COLMAP.
        np.testing.assert_array_equal(found, xy + 0.5)
    np.testing.assert_array_equal(matches[1, 2], ROWS)
    np.testing.assert_array_equal(matches[2, 3], ROWS[:2])


def test_a_copy_lacks_the_pairs_that_were_left_out(stored, tmp_path):
    copy = tmp_path / "copy.db"
    copy_without(stored[0], copy, [(0, 1)])
    with closing(sqlite3.connect(copy)) as connection:
        pairs = [row[0] for row in connection.execute("SELECT pair_id FROM matches")]
    assert pairs == [2 * MAX_IMAGES + 3]
