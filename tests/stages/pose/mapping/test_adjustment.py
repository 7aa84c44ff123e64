"""Adjustment with a loss that few wrong tracks do not move."""

import pytest

from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.formats.colmap.files import read_model
from stages.pose.mapping.mapper import MapperSettings, adjust_robustly
from tests.stages.pose.mapping.test_mapper import (
    CAMERA,
    around,
    exact_problem,
    relative_error,
    solve,
)


def cost_of_no_points() -> float:
    import pycolmap

    return adjust_robustly(pycolmap.Reconstruction(), MapperSettings())


def test_a_model_without_points_is_left_as_it_is(tmp_path):
    assert run_isolated(cost_of_no_points, (), tmp_path / "log", "test") == 0.0


def test_drifting_tracks_hardly_move_the_focal_length(tmp_path):
    poses = around(8)
    problem = exact_problem(poses, noise_px=0.1, drift_px=8.0)
    (model,) = [read_model(path) for path in solve(problem, tmp_path, MapperSettings())]
    assert next(iter(model.cameras.values())).fx == pytest.approx(CAMERA.fx, rel=0.002)
    assert relative_error(model, poses) < 0.0005
