from dataclasses import replace

import numpy as np
import pytest

from mvrecon.formats.colmap.model import NO_POINT, ColmapImage, ColmapModel
from mvrecon.geometry.rigid import inverse_rigid
from stages.pose.mapping.seams import split_at_seams
from stages.pose.options import MappingOptions
from tests.stages.pose.scene import CAMERA, Relief, sideways_path

SEAM = MappingOptions().seam


def chain(common, frames=8, cut=5, per_side=200):
    """A model whose two sides of a cut share so many points."""
    relief, poses = Relief(), sideways_path(frames, 0.05)
    xy = np.random.default_rng(0).uniform([60, 50], [180, 130], (2 * per_side, 2))
    points = relief.points(poses[0], xy)
    seen = np.zeros((frames, 2 * per_side), bool)
    seen[:cut, :per_side] = seen[cut:, per_side:] = True
    seen[cut, :common] = True
    images = tuple(
        ColmapImage(
            row + 1,
            1,
            f"{row:06d}.jpg",
            inverse_rigid(pose),
            relief.project(pose, points),
            np.where(seen[row], np.arange(len(points)), NO_POINT),
        )
        for row, pose in enumerate(poses)
    )
    colours = np.zeros((len(points), 3), np.uint8)
    return ColmapModel({1: CAMERA}, images, points, colours, np.zeros(len(points)))


@pytest.mark.parametrize("common", [0, 12])
def test_a_cut_splits_the_model(common):
    model = chain(common)
    parts = split_at_seams(model, SEAM)
    assert [[image.name for image in part.images] for part in parts] == [
        [f"{row:06d}.jpg" for row in range(5)],
        [f"{row:06d}.jpg" for row in range(5, 8)],
    ]
    # What both sides saw belongs to none; the rest is where it was.
    assert [len(part.xyz_n3) for part in parts] == [200 - common, 200]
    for part in parts:
        for image in part.images:
            seen = image.point_k != NO_POINT
            cam = part.xyz_n3[image.point_k[seen]] @ image.cam_from_world[:3, :3].T
            cam += image.cam_from_world[:3, 3]
            np.testing.assert_allclose(CAMERA.project(cam), image.xy_k2[seen], atol=1e-6)


def test_a_bridged_gap_stays_one_model():
    model = chain(common=60)
    assert split_at_seams(model, SEAM) == [model]


def test_few_points_everywhere_are_no_cut():
    model = chain(common=3, per_side=25)
    assert split_at_seams(model, SEAM) == [model]


def test_a_loop_holds_a_cut_together():
    model = chain(common=0)
    images = list(model.images)
    point_k = images[7].point_k.copy()
    point_k[:100] = np.arange(100)
    images[7] = replace(images[7], point_k=point_k)
    looped = replace(model, images=tuple(images))
    assert split_at_seams(looped, SEAM) == [looped]
