from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.engine.store import Artifact
from tests.stages.depth.pipeline import FRAMES, PLANES, make_runner
from tests.stages.depth.scenes import CAMERA, POSES, render

SWEEP = {"depth": {"model": "sweep"}}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return make_runner(tmp_path_factory.mktemp("serial"), **SWEEP).run("fusion")


def errors_of(artifact: Artifact) -> list[np.ndarray]:
    errors = []
    for frame, pose in zip(FRAMES, POSES, strict=True):
        depth_map = DepthMap.load(artifact.path(depth_item(frame.name)))
        truth_hw = render(PLANES, CAMERA, pose)[1]
        seen_hw = truth_hw > 0
        errors.append((np.abs(depth_map.depth_hw - truth_hw) / np.maximum(truth_hw, 1))[seen_hw])
    return errors


def test_every_posed_frame_gets_its_depth(results: dict[str, Artifact]) -> None:
    names = [depth_item(frame.name) for frame in FRAMES]
    assert results["depth"].names("depth/") == names
    assert all(np.median(error) < 0.01 for error in errors_of(results["depth"]))
    depth_map = DepthMap.load(results["depth"].path(names[1]))
    np.testing.assert_allclose(depth_map.k_33, CAMERA.k_33)
    np.testing.assert_allclose(depth_map.world_from_cam, POSES[1])


def test_fusion_makes_depth_better(results: dict[str, Artifact]) -> None:
    before, after = (np.concatenate(errors_of(results[stage])) for stage in ("depth", "fusion"))
    assert np.median(after) < 0.7 * np.median(before)
    assert np.mean(after > 0.01) < np.mean(before > 0.01)


def test_summary_tells_coverage(results: dict[str, Artifact]) -> None:
    numbers = results["fusion"].read_summary()["numbers"]
    assert numbers["maps"] == len(FRAMES)
    assert 0.3 < numbers["confident_coverage"] <= 1
    assert 3 < numbers["median_depth"] < 7


def test_threads_change_nothing(results: dict[str, Artifact], tmp_path: Path) -> None:
    threaded = make_runner(tmp_path, workers=3, **SWEEP).run("fusion")
    assert threaded["depth"].digest == results["depth"].digest
    assert threaded["fusion"].digest == results["fusion"].digest


def test_size_is_bounded_and_fusion_can_be_left_out(tmp_path: Path) -> None:
    options = {"depth": {**SWEEP["depth"], "max_size": 80}, "fusion": {"model": "none"}}
    results = make_runner(tmp_path, **options).run("fusion")
    item = depth_item(FRAMES[0].name)
    depth_map = DepthMap.load(results["fusion"].path(item))
    assert depth_map.depth_hw.shape == (60, 80)
    assert depth_map.k_33[0, 0] == pytest.approx(75.0)
    assert results["fusion"].path(item).read_bytes() == results["depth"].path(item).read_bytes()
    assert (tmp_path / "run" / item).is_file()


def test_a_frame_for_poses_only_gets_no_depth_and_gives_none(
    results: dict[str, Artifact], tmp_path: Path
) -> None:
    blurred = FRAMES[1].name
    without = make_runner(tmp_path, blurred=[blurred]).run("fusion")
    names = [depth_item(frame.name) for frame in FRAMES if frame.name != blurred]
    for stage in ("depth", "fusion"):
        assert without[stage].names("depth/") == names
    # Nor are others measured with it.
    assert without["depth"].path(names[0]).read_bytes() != (
        results["depth"].path(names[0]).read_bytes()
    )
