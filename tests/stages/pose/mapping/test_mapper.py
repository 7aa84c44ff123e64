"""pycolmap in a child process, on exact tracks."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvrecon.artifacts.frames import CameraPrior
from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.errors import StageCrashError
from mvrecon.formats.colmap.files import read_model
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import inverse_rigid, rigid
from mvrecon.geometry.similarity import align_similarity
from stages.pose.mapping.mapper import MapperSettings, _write_sorted, map_database, relaxed_settings
from stages.pose.mapping.solve import is_believable
from stages.pose.matching.database import copy_without, verify
from stages.pose.matching.features import MappingProblem
from stages.pose.matching.track_matches import match_tracks
from stages.pose.options import MappingOptions
from stages.pose.tracks.track_table import Tracks
from tests.stages.pose.scene import turn

CAMERA = Camera(640, 480, 600.0, 600.0, 319.5, 239.5)
RELAXED = relaxed_settings(MapperSettings(), MappingOptions())
POINTS = np.random.default_rng(0).uniform([-4, -2, 4], [4, 2, 9], (400, 3))


def exact_problem(poses, fixed=False, prior_focal_px=768.0, noise_px=0.2, drift_px=0.0):
    """Tracks of random points, from where the cameras see them; each fifth may drift upwards."""
    rng = np.random.default_rng(1)
    tracks, frames, pixels = [], [], []
    for frame, pose in enumerate(poses):
        cam = (POINTS - pose[:3, 3]) @ pose[:3, :3]
        xy = CAMERA.project(cam) + rng.normal(scale=noise_px, size=(len(cam), 2))
        xy[::5, 1] -= drift_px * frame / len(poses)
        seen = np.flatnonzero((cam[:, 2] > 0) & np.all((xy > 0) & (xy < [639, 479]), axis=1))
        tracks.append(seen)
        frames.append(np.full(len(seen), frame))
        pixels.append(xy[seen])
    all_tracks = Tracks(
        len(poses),
        np.concatenate(tracks),
        np.concatenate(frames),
        np.concatenate(pixels).astype(np.float32),
    )
    prior = replace(CAMERA, fx=prior_focal_px, fy=prior_focal_px)
    return MappingProblem(
        tuple(f"{frame:06d}.jpg" for frame in range(len(poses))),
        (CameraPrior(CAMERA, "given") if fixed else CameraPrior(prior, "default"),),
        (fixed,),
        (0,) * len(poses),
        match_tracks(all_tracks),
    )


def around(frames):
    return [
        rigid(turn(-0.1 * i), np.array([0.45 * i - 2.0, 0.2 * np.sin(i), 0.05 * i]))
        for i in range(frames)
    ]


def forward(frames):
    return [rigid(turn(0.004 * i), np.array([0.02 * i, 0.0, 0.2 * i])) for i in range(frames)]


def verify_and_map(problem, folder, options, start, threads):
    verify(problem, folder / "matches.db", options.max_error_px, threads)
    return map_database(folder / "matches.db", folder / "models", options, start)


def solve(problem, folder: Path, options, start=None, threads=1):
    """In one child process, which spares the time to load pycolmap twice."""
    arguments = (problem, folder, options, start, threads)
    return run_isolated(verify_and_map, arguments, folder / "log", "test")


def relative_error(model, poses):
    """Distance of the camera centres from the truth, as a part of the path."""
    found = inverse_rigid(np.stack([image.cam_from_world for image in model.images]))[:, :3, 3]
    truth = np.stack([pose[:3, 3] for pose in poses])
    error = align_similarity(found, truth).apply(found) - truth
    path = np.linalg.norm(np.diff(truth, axis=0), axis=1).sum()
    return np.sqrt((error**2).sum(axis=1).mean()) / path


@pytest.mark.parametrize(
    "options",
    [
        MapperSettings(),
        MapperSettings(mapper="global", calibrate=True),
        RELAXED,
    ],
)
def test_exact_tracks_give_exact_poses_and_focal_length(tmp_path, options):
    poses = around(6)
    models = [read_model(path) for path in solve(exact_problem(poses), tmp_path, options)]
    assert len(models[0].images) == 6
    assert relative_error(models[0], poses) < 2e-3
    assert models[0].cameras[1].fx == pytest.approx(600.0, rel=0.02)
    assert is_believable(models[0])
    assert models[0].error_px_n.mean() < 0.4


def test_given_intrinsics_stay(tmp_path):
    poses = around(6)
    options = MapperSettings(fixed_cameras=(0,))
    model = read_model(solve(exact_problem(poses, fixed=True), tmp_path, options)[0])
    assert model.cameras[1] == CAMERA
    assert relative_error(model, poses) < 2e-3


def test_forward_motion_needs_the_relaxed_settings(tmp_path):
    poses = forward(8)
    models = solve(exact_problem(poses), tmp_path, RELAXED)
    model = read_model(models[0])
    assert len(model.images) == 8
    assert relative_error(model, poses) < 0.02


def test_the_same_input_gives_the_same_model(tmp_path):
    results = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        paths = solve(exact_problem(around(6)), folder, MapperSettings(), threads=2)
        results.append((paths[0] / "images.bin").read_bytes())
    assert results[0] == results[1]


def test_a_model_grows_when_matches_are_added(tmp_path):
    problem = exact_problem(around(6), fixed=True)
    options = MapperSettings(fixed_cameras=(0,))
    everything, less = tmp_path / "verified.db", tmp_path / "less.db"
    run_isolated(verify, (problem, everything, options.max_error_px), tmp_path / "log", "test")
    copy_without(everything, less, [pair for pair in problem.features.matches if max(pair) > 3])

    def mapped(database, name, start=None):
        arguments = (database, tmp_path / name, options, start)
        return run_isolated(map_database, arguments, tmp_path / "log", "test")[0]

    start = mapped(less, "first")
    assert len(read_model(start).images) == 4
    grown = read_model(mapped(everything, "second", start))
    assert len(grown.images) == 6
    assert relative_error(grown, around(6)) < 2e-3


def test_no_matches_no_model(tmp_path):
    problem = exact_problem(around(4))
    nothing = replace(problem, features=replace(problem.features, matches={}))
    assert solve(nothing, tmp_path, MapperSettings()) == []


def failed_check_in_native_code() -> None:
    import pycolmap

    assert pycolmap.__version__
    os.abort()


def test_an_abort_beside_pycolmap_is_a_stage_error(tmp_path):
    with pytest.raises(StageCrashError, match="SIGABRT"):
        run_isolated(failed_check_in_native_code, (), tmp_path / "log", "stage pose")


def error_with_a_point_behind(folder: Path) -> float:
    import pycolmap

    options = pycolmap.SyntheticDatasetOptions()
    options.num_points3D = 50
    model = pycolmap.synthesize_dataset(options)
    centres = [image.projection_center() for image in model.images.values()]
    point = next(iter(model.points3D))
    outwards = centres[0] - np.mean([p.xyz for p in model.points3D.values()], axis=0)
    model.points3D[point].xyz = centres[0] + 10.0 * outwards
    (path,) = _write_sorted([model], folder)
    return float(pycolmap.Reconstruction(path).compute_mean_reprojection_error())


def test_a_point_behind_a_camera_is_not_seen_by_it(tmp_path):
    (tmp_path / "models").mkdir()
    error_px = run_isolated(
        error_with_a_point_behind, (tmp_path / "models",), tmp_path / "log", "test"
    )
    assert error_px < 1e3
