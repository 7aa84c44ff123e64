"""A focal length that the images do not show stays at its prior; one that they show is found."""

import numpy as np
import pytest

from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.formats.colmap.files import read_model
from mvrecon.geometry.rigid import rigid
from stages.pose.mapping.focal_guard import assume_focals, cost_ratio_allowed
from tests.stages.pose.mapping import test_mapper as mapping

PRIOR_PX = 768.0
WALL = np.column_stack([mapping.POINTS[:, :2], np.full(len(mapping.POINTS), 6.0)])
# Along a line, never turning: every focal length fits, with a wall at another distance.
STRAIGHT = [rigid(np.eye(3), np.array([0.25 * i - 1.0, 0.0, 0.1 * i])) for i in range(10)]


def focal_of(poses, folder, prior_px):
    problem = mapping.exact_problem(poses, prior_focal_px=prior_px)
    (path,) = mapping.solve(problem, folder, mapping.RELAXED)
    model = read_model(path)
    assert len(model.images) == len(poses)
    return model.cameras[1].fx


def test_straight_motion_before_a_wall_keeps_the_prior(tmp_path, monkeypatch):
    monkeypatch.setattr(mapping, "POINTS", WALL)
    assert PRIOR_PX / 1.3 < focal_of(STRAIGHT, tmp_path, PRIOR_PX) < PRIOR_PX * 1.3


@pytest.mark.parametrize("factor", [0.5, 1.8])
def test_a_far_focal_length_is_found_where_it_shows(tmp_path, factor):
    found_px = focal_of(mapping.around(10), tmp_path, mapping.CAMERA.fx * factor)
    assert found_px == pytest.approx(mapping.CAMERA.fx, rel=0.03)


def test_turning_before_a_wall_shows_the_focal_length(tmp_path, monkeypatch):
    monkeypatch.setattr(mapping, "POINTS", WALL)
    found_px = focal_of(mapping.around(10), tmp_path, PRIOR_PX * 1.5)
    assert found_px == pytest.approx(mapping.CAMERA.fx, rel=0.05)


def allowed_ratios(factors):
    import pycolmap

    options = pycolmap.SyntheticDatasetOptions()
    options.num_points3D = 20
    model = pycolmap.synthesize_dataset(options)
    focals_px = {i: camera.mean_focal_length() for i, camera in model.cameras.items()}
    ratios = [
        cost_ratio_allowed(model, {i: factor * focal for i, focal in focals_px.items()})
        for factor in factors
    ]
    (stretched,) = {
        round(camera.mean_focal_length() / focals_px[i], 6)
        for i, camera in assume_focals(
            model, {i: 1.5 * focal for i, focal in focals_px.items()}
        ).cameras.items()
    }
    return ratios, stretched


def test_the_farther_from_the_prior_the_more_evidence_is_asked_for(tmp_path):
    factors = [1.0, 1.25, 1.4, 1 / 1.4, 2.0, 1 / 2.0]
    ratios, stretched = run_isolated(allowed_ratios, (factors,), tmp_path / "log", "test")
    assert ratios == [0.0, 0.0, 1.001, 1.001, 1.02, 1.02]
    assert stretched == 1.5
