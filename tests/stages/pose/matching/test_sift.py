"""SIFT matches of two small images, and what the options leave of them."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mvrecon.artifacts.frames import CameraPrior
from mvrecon.engine.processes.isolate import run_isolated
from stages.pose.matching.features import FeatureMatches, MappingProblem
from stages.pose.matching.sift import SiftSettings, match_sift
from stages.pose.options import SiftOptions
from tests.stages.pose.scene import CAMERA, Relief, sideways_path

OPTIONS = SiftOptions(features=400)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    poses = sideways_path(2, 0.2)
    scenes = [(Relief(), poses[0]), (Relief(), poses[1]), (Relief(seed=9), poses[0])]
    for name, (relief, pose) in zip("abc", scenes, strict=True):
        cv2.imwrite(str(folder / f"{name}.png"), relief.image(pose))
    return folder, poses


def matched_twice(folder, problem, pairs, scratch):
    """Both settings in one child process."""
    strict = OPTIONS.model_copy(update={"min_inliers": 1000})
    return [
        match_sift(folder, problem, pairs, scratch, SiftSettings(options, 1.0, 1))
        for options in (OPTIONS, strict)
    ]


def test_true_matches_of_the_pairs_that_overlap(images, tmp_path):
    folder, poses = images
    problem = MappingProblem(
        ("a.png", "b.png", "c.png"),
        (CameraPrior(replace(CAMERA), "given"),),
        (True,),
        (0, 0, 0),
        FeatureMatches.nothing(3),
    )
    pairs = [(0, 1), (0, 2)]
    found, none = run_isolated(
        matched_twice, (folder, problem, pairs, tmp_path), tmp_path / "log", "test"
    )
    assert list(found.matches) == [(0, 1)]
    assert not none.matches
    xy_1, xy_2 = found.pixels((0, 1))
    assert len(xy_1) > 30
    truth = Relief().project(poses[1], Relief().points(poses[0], xy_1))
    assert np.median(np.linalg.norm(truth - xy_2, axis=1)) < 0.5


def test_nothing_is_matched_where_an_image_is_masked(images, tmp_path):
    folder, _ = images
    shutil.copytree(folder, tmp_path / "images")
    (tmp_path / "masks").mkdir()
    mask_hw = np.zeros((CAMERA.height, CAMERA.width), np.uint8)
    mask_hw[:, : CAMERA.width // 2] = 255
    cv2.imwrite(str(tmp_path / "masks" / "a.png.png"), mask_hw)
    problem = MappingProblem(
        ("a.png", "b.png"),
        (CameraPrior(replace(CAMERA), "given"),),
        (True,),
        (0, 0),
        FeatureMatches.nothing(2),
    )
    found, _ = run_isolated(
        matched_twice,
        (tmp_path / "images", problem, [(0, 1)], tmp_path),
        tmp_path / "log",
        "test",
    )
    masked_xy, whole_xy = found.keypoints
    assert len(masked_xy) > 30
    assert masked_xy[:, 0].max() < CAMERA.width / 2 + 1
    assert whole_xy[:, 0].max() > CAMERA.width * 0.8
    assert len(found.pixels((0, 1))[0]) > 10
