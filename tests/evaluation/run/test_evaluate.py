import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mvrecon.artifacts.depth import DepthMap
from mvrecon.errors import InputError, NotEnoughDataError, UsageError
from mvrecon.evaluation.run import evaluate_run
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
    assert evaluation.notes == ()


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
    assert len(evaluation.notes) == 2
    assert evaluation.trajectory.poses == 8


def test_table_and_json_carry_the_figures(perfect, truth):
    evaluation = evaluate_run(perfect, truth.with_mesh)
    data = json.loads(evaluation.to_json())
    assert data["trajectory"]["poses"] == 8
    assert data["surface"]["errors"]["f_score"] == pytest.approx(1)
    assert set(data) == {
        *("frames", "trajectory", "trajectory_parts", "depth", "surface", "image", "notes")
    }
    table = evaluation.to_table()
    for name in ("ate_rmse", "abs_rel", "f_score", "psnr_db"):
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
