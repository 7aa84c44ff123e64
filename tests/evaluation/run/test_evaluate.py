import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mvrecon.artifacts.depth import DepthMap
from mvrecon.datasets.posed import load_posed_set
from mvrecon.errors import InputError, NotEnoughDataError, UsageError
from mvrecon.evaluation.metrics.drift import path_position
from mvrecon.evaluation.run import evaluate_run
from mvrecon.evaluation.run.reference import build_reference
from mvrecon.formats.images import read_pixels, write_png
from mvrecon.synthetic.clip import DEPTH_SCALE
from tests.evaluation.run.fake_run import Truth, write_run


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return Truth(tmp_path_factory.mktemp("truth")).write()


@pytest.fixture(scope="module")
def perfect(truth, tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run") / "perfect", truth)


def test_a_perfect_run_has_no_errors(perfect, truth):
    evaluation = evaluate_run(perfect, truth.with_mesh)
    assert (evaluation.frames.key_frames, evaluation.frames.compared) == (8, 8)
    assert evaluation.trajectory.ate_percent_of_path < 1e-3
    assert evaluation.trajectory.rotation_mean_deg < 1e-3
    assert evaluation.depth.trajectory_scale.abs_rel < 1e-4
    assert evaluation.depth.trajectory_scale.coverage > 0.999
    assert evaluation.depth.abs_rel_by_coverage[0.5] < 1e-4
    assert evaluation.depth.flicker < 1e-4
    assert evaluation.surface.errors.f_score == pytest.approx(1)
    assert evaluation.surface.errors.chamfer < 1e-5
    # The mesh is grey 125 and the key frames are grey 100.
    assert evaluation.image.errors.mae == pytest.approx(25 / 255, rel=1e-4)
    assert evaluation.image.errors.coverage == 1
    assert abs(evaluation.depth.scale_drift.trend_percent) < 1e-2
    assert evaluation.depth.scale_drift.spread_percent < 1e-2
    assert evaluation.surface.reference_accuracy is None  # a mesh is exact
    (note,) = evaluation.notes
    assert note.startswith("no ATE over parts of 1, 5, 10: the path has fewer than 2")


def test_depth_errors_are_found_and_told_from_a_wrong_scale(truth, tmp_path):
    run = write_run(tmp_path / "run", truth, depth_factor=1.1)
    depth = evaluate_run(run, truth.with_mesh).depth
    assert depth.trajectory_scale.abs_rel == pytest.approx(0.1, rel=1e-3)
    assert depth.median_scale.abs_rel < 1e-4
    assert depth.flicker < 1e-3  # wrong everywhere by the same factor


def test_surface_errors_have_the_size_of_the_shift(truth, tmp_path):
    run = write_run(tmp_path / "run", truth, mesh_offset_m=0.05)
    below = evaluate_run(run, truth.with_mesh, threshold=0.02).surface.errors
    above = evaluate_run(run, truth.with_mesh, threshold=0.051).surface.errors
    assert 0 < below.f_score < 0.9
    assert above.f_score > 0.999
    assert below.threshold == 0.02
    # Floor and ceiling are 0.05 off, the walls slide within themselves.
    assert 0.01 < below.accuracy_mean < 0.04


def test_default_threshold_is_a_share_of_the_diameter(perfect, truth):
    surface = evaluate_run(perfect, truth.with_mesh).surface
    assert surface.errors.threshold == pytest.approx(0.01 * surface.diameter)
    assert 1.5 < surface.diameter < np.linalg.norm([2.4, 2.4, 1.4]) + 1e-6


def test_lost_frames_and_gaps_are_matched_by_source(truth, tmp_path):
    run = write_run(tmp_path / "run", truth, frames=[0, 2, 3, 5, 7], lost=[3])
    evaluation = evaluate_run(run, truth.with_mesh)
    assert (evaluation.frames.key_frames, evaluation.frames.posed) == (5, 4)
    assert evaluation.trajectory.ate_percent_of_path < 1e-3
    assert evaluation.depth.images == 4


def test_photos_are_matched_by_file_name_and_depth_maps_make_the_surface(truth, tmp_path):
    run = write_run(tmp_path / "run", truth, frames=[6, 1, 0, 4, 2, 3], photos=True)
    evaluation = evaluate_run(run, truth.with_depths)
    assert evaluation.trajectory.ate_percent_of_path < 1e-3
    assert evaluation.depth.trajectory_scale.abs_rel < 1e-3
    surface = evaluation.surface
    assert 0.2 < surface.judged_share < 0.9
    # The whole room is in the mesh; hidden sides that lie behind what was seen count.
    assert surface.errors.recall > 0.99
    assert surface.errors.accuracy_median < 0.01


def test_without_mesh_or_depth_the_rest_is_told(perfect, truth, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(perfect, run)
    (run / "mesh.ply").unlink()
    shutil.rmtree(run / "depth")
    evaluation = evaluate_run(run, truth.with_mesh)
    assert evaluation.surface is None and evaluation.depth is None and evaluation.image is None
    assert len(evaluation.notes) == 3
    assert evaluation.trajectory.poses == 8


def test_table_and_json_carry_the_figures(perfect, truth):
    evaluation = evaluate_run(perfect, truth.with_mesh)
    data = json.loads(evaluation.to_json())
    assert data["trajectory"]["poses"] == 8
    assert data["surface"]["errors"]["f_score"] == pytest.approx(1)
    assert data["trajectory_parts"]["1"] == {"parts": 0, "ate_rmse": None}
    assert data["depth"]["scale_drift"]["maps"] == len(data["depth"]["scale_along_path"]) == 8
    assert set(data) == {
        *("frames", "trajectory", "trajectory_parts", "depth", "surface", "image", "notes")
    }
    table = evaluation.to_table()
    for name in ("ate_rmse", "abs_rel", "trend_percent  ", "f_score", "psnr_db"):
        assert name in table
    arrows = {line.split()[0]: line.split()[1] for line in table.splitlines() if "↑" in line}
    assert {"f_score", "recall", "delta_125", "psnr_db", "ssim"} <= arrows.keys()
    assert "ate_rmse" not in arrows


@pytest.mark.parametrize("name", ["frames.csv", "trajectory.txt"])
def test_a_run_without_its_files_is_named(perfect, truth, tmp_path, name):
    run = tmp_path / "run"
    shutil.copytree(perfect, run)
    (run / name).unlink()
    with pytest.raises(InputError, match=f"has no {name}.*mvrecon run"):
        evaluate_run(run, truth.with_mesh)


def test_files_that_disagree_are_an_error(perfect, truth, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(perfect, run)
    lines = (run / "trajectory.txt").read_text().splitlines()
    (run / "trajectory.txt").write_text("\n".join(lines[:-1]))
    with pytest.raises(InputError, match=r"frames.csv has 8 posed frames, trajectory.txt has 7"):
        evaluate_run(run, truth.with_mesh)


def test_a_set_of_another_input_is_an_error(truth, tmp_path):
    run = write_run(tmp_path / "run", truth, photos=True)
    with pytest.raises(InputError, match="none of the run's key frames"):
        evaluate_run(run, truth.with_mesh)
    (truth.folder / "short").mkdir()
    data = json.loads((truth.with_mesh / "cameras.json").read_text())
    data["frames"] = data["frames"][:5]
    (truth.folder / "short" / "cameras.json").write_text(json.dumps(data))
    video = write_run(tmp_path / "video", truth)
    with pytest.raises(InputError, match="has 5 frames, the run's video has more"):
        evaluate_run(video, truth.folder / "short")
    with pytest.raises(InputError, match=r"cameras.json is missing"):
        evaluate_run(run, tmp_path)


def test_too_few_poses_are_not_enough(truth, tmp_path):
    run = write_run(tmp_path / "run", truth, frames=[0, 3, 5], lost=[3])
    with pytest.raises(NotEnoughDataError, match="2 posed frames"):
        evaluate_run(run, truth.with_mesh)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan")])
def test_a_threshold_that_is_no_distance_is_wrong_usage(perfect, truth, threshold):
    with pytest.raises(UsageError, match="positive"):
        evaluate_run(perfect, truth.with_mesh, threshold)


def test_guessed_depth_counts_as_nothing(truth, tmp_path):
    """Half of each map was only guessed, and wrongly: it is missing, and in no error."""
    run = write_run(tmp_path / "run", truth)
    for path in (run / "depth").iterdir():
        whole = DepthMap.load(path)
        hidden_hw = np.zeros(whole.depth_hw.shape, bool)
        hidden_hw[:, : hidden_hw.shape[1] // 2] = True
        guessed_hw = np.where(hidden_hw, 3 * whole.depth_hw, np.float32(0))
        replace(whole.without(hidden_hw), completed_hw=guessed_hw).save(path)
    depth = evaluate_run(run, truth.with_mesh, parts=("depth",)).depth
    assert 0.3 < depth.trajectory_scale.coverage < 0.7
    assert depth.trajectory_scale.abs_rel < 1e-4


def test_drifting_depth_is_told_as_trend_and_spread(truth, tmp_path):
    """With the trajectory's one scale, maps that are too small by a steady factor do not drift."""
    centres_n3 = np.stack([view.world_from_cam[:3, 3] for view in truth.views])
    position_n = path_position(centres_n3)
    wrong_n = np.array([1, -1, 1, -1, -1, 1, -1, 1]) * 0.01
    factor_n = 0.9 * 1.28 ** -(position_n / position_n[-1]) * np.exp(wrong_n)
    run = write_run(tmp_path / "run", truth, depth_factor=factor_n)
    depth = evaluate_run(run, truth.with_mesh, parts=("depth",)).depth
    drift = depth.scale_drift
    assert drift.path_length == pytest.approx(position_n[-1])
    assert drift.trend_percent == pytest.approx(28, abs=1)
    assert drift.spread_percent == pytest.approx(1, rel=0.1)
    np.testing.assert_allclose(
        depth.scale_along_path, np.column_stack([position_n, 1 / factor_n]), rtol=1e-3
    )


def test_drift_needs_a_path_and_three_maps(truth, tmp_path):
    run = write_run(tmp_path / "run", truth)
    for path in sorted((run / "depth").iterdir())[2:]:
        path.unlink()
    evaluation = evaluate_run(run, truth.with_mesh, parts=("depth",))
    assert evaluation.depth.scale_drift is None
    assert "fewer than 3 maps" in evaluation.notes[-1]
    assert "trend_percent" not in evaluation.to_table()


def test_parts_of_a_long_path_are_judged(truth, tmp_path):
    """The same world in units ten times as small: the path is 7 long."""
    data = json.loads((truth.with_mesh / "cameras.json").read_text())
    for frame in data["frames"]:
        for row in frame["c2w"][:3]:
            row[3] *= 10
    (tmp_path / "cameras.json").write_text(json.dumps(data))
    evaluation = evaluate_run(write_run(tmp_path / "run", truth), tmp_path, parts=())
    assert evaluation.trajectory.path_length > 6
    assert evaluation.trajectory_parts[5].parts >= 2
    assert evaluation.trajectory_parts[5].ate_rmse < 1e-3
    assert "ate_over_5 " in evaluation.to_table()
    # Parts of 1 have two or three frames.
    assert "no ATE over parts of 1, 10" in evaluation.notes[0]


def changed_set(truth, folder, **fields):
    """The set with depth maps, with further fields."""
    shutil.copytree(truth.with_depths, folder)
    path = folder / "cameras.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    return path


def test_f_is_told_by_what_the_reference_can_tell(perfect, truth, tmp_path):
    surface = evaluate_run(perfect, truth.with_mesh, parts=("surface",)).surface
    assert surface.f_score_by_accuracy == {}
    changed_set(truth, tmp_path / "set", reference_accuracy=0.02)
    photos = write_run(tmp_path / "run", truth, photos=True, mesh_offset_m=0.05)
    evaluation = evaluate_run(photos, tmp_path / "set", threshold=0.03, parts=("surface",))
    surface = evaluation.surface
    assert surface.reference_accuracy == 0.02
    assert list(surface.f_score_by_accuracy) == [2, 5, 10]
    assert surface.f_score_by_accuracy[2] < 0.9 < surface.f_score_by_accuracy[5]
    # Of 0.03 and its multiples 0.25, 0.5 and 2.
    assert "F at 0.0075, 0.015, 0.03 is below what the reference can tell" in evaluation.notes[-1]
    table = evaluation.to_table()
    assert "f_score at 5 × 0.02 " in table and "reference_accuracy" in table


def test_a_fused_reference_is_as_exact_as_its_depth_maps(truth, tmp_path):
    exact = build_reference(load_posed_set(truth.with_depths))
    path = changed_set(truth, tmp_path / "set")
    rng = np.random.default_rng(0)
    for file in path.parent.glob("depth/*.png"):
        stored_hw = read_pixels(file, "stored")
        noisy_hw = stored_hw + rng.normal(0, 0.02 * DEPTH_SCALE, stored_hw.shape)
        write_png(file, np.where(stored_hw > 0, noisy_hw.round(), 0).astype(np.uint16))
    noisy = build_reference(load_posed_set(path.parent))
    # At least half a voxel, which is at least what a pixel covers.
    assert 0.001 < exact.accuracy < 0.01
    assert 0.01 < noisy.accuracy < 0.03


def test_a_fused_reference_is_the_same_each_time(truth):
    posed_set = load_posed_set(truth.with_depths)
    first, second = (build_reference(posed_set) for _ in range(2))
    np.testing.assert_array_equal(first.seen.xyz_n3, second.seen.xyz_n3)


def test_depth_maps_are_projected_by_their_own_intrinsics(truth, tmp_path):
    path = changed_set(truth, tmp_path / "set")
    data = json.loads(path.read_text())
    first = data["frames"][0]
    data["depth_intrinsics"] = [first[name] for name in ("fx", "fy", "cx", "cy")]
    for frame in data["frames"]:  # as if another camera had taken the pictures
        frame |= {"fx": 0.7 * first["fx"], "fy": 0.7 * first["fy"], "cx": first["cx"] + 9}
    path.write_text(json.dumps(data))
    run = write_run(tmp_path / "run", truth, photos=True)
    evaluation = evaluate_run(run, tmp_path / "set", parts=("depth", "surface"))
    assert evaluation.depth.trajectory_scale.abs_rel < 1e-3
    assert evaluation.surface.errors.recall > 0.99
    del data["depth_intrinsics"]
    path.write_text(json.dumps(data))
    assert evaluate_run(run, tmp_path / "set").depth.trajectory_scale.abs_rel > 0.03
