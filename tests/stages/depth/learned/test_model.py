from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.errors import UsageError
from mvrecon.learning.weights import export_weights
from stages.depth.config import DepthConfig, SweepOptions
from stages.depth.learned.model import LearnedDepth, load_network
from stages.depth.learned.network import CUES, DepthNet
from stages.depth.learned.start import SWEEP_CUES, Start, measure_start, start_map, with_agreement
from stages.depth.stage import weight_files
from stages.depth.sweep.hypotheses import depths_of_points, inverse_depth_range
from stages.depth.sweep.plane_sweep import SweptDepth
from stages.depth.views import View, halved_camera, network_camera
from tests.stages.depth.pipeline import FRAMES, PLANES, make_runner
from tests.stages.depth.scenes import CAMERA, POSES, points_of, render, views_of

TILED = network_camera(CAMERA)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "depthnet.pt"
    network = DepthNet()
    export_weights(network, network.settings, path)
    return path


def tiled_views(scale: float = 1.0) -> list[View]:
    views = views_of(PLANES, camera=TILED)
    moved = []
    for view, pose in zip(views, POSES, strict=True):
        scaled = pose.copy()
        scaled[:3, 3] *= scale
        moved.append(View(view.gray_hw, view.camera, np.linalg.inv(scaled)))
    return moved


def bounds_of_scene() -> tuple[float, float]:
    bounds = inverse_depth_range(depths_of_points(FRAMES, points_of(PLANES), 0, [1, 2]))
    assert bounds is not None
    return bounds


def colours(views: list[View]) -> list[np.ndarray]:
    return [np.repeat(view.gray_hw[..., None], 3, 2).astype(np.uint8) for view in views]


def map_of(start: Start, view: View) -> DepthMap:
    camera, world_from_cam = halved_camera(view.camera), np.linalg.inv(view.cam_from_world)
    return start_map(start.inverse_depth_hw, start.confidence_hw, camera.k_33, world_from_cam)


def depth_of(learned: LearnedDepth, views: list[View], bounds: tuple[float, float]) -> SweptDepth:
    start = learned.start(views, bounds, None)
    start = with_agreement(start, map_of(start, views[0]), [])
    return learned.depth(views, colours(views), bounds, start)


def test_start_knows_where_it_is_right() -> None:
    view, *neighbors = (view.halved() for view in tiled_views())
    start = measure_start(view, neighbors, bounds_of_scene(), None, SweepOptions())
    truth_hw = render(PLANES, view.camera, POSES[0])[1]
    right_hw = np.abs(start.inverse_depth_hw * truth_hw - 1) < 0.03
    assert right_hw.mean() > 0.8
    assert start.cues_chw.shape == (SWEEP_CUES, *truth_hw.shape)
    assert np.abs(start.cues_chw).max() < 4
    match_cost_hw = start.cues_chw[0]
    assert match_cost_hw[~right_hw].mean() > 1.5 * match_cost_hw[right_hw].mean()


def test_what_the_neighbours_see_mends_the_start() -> None:
    views = tiled_views()
    camera = halved_camera(views[0].camera)
    depths = [render(PLANES, camera, pose)[1] for pose in POSES]
    surface_hw = np.where(depths[0] > 0, 1 / np.maximum(depths[0], 1e-6), 0.2)
    wrong_hw = surface_hw.astype(np.float32).copy()
    hole = np.s_[20:40, 30:50]
    wrong_hw[hole] *= 1.3
    sure_hw = np.full_like(wrong_hw, 0.6)
    start = Start(wrong_hw, np.zeros((SWEEP_CUES, *wrong_hw.shape), np.float32), 0.01, sure_hw)
    others = [
        DepthMap(depth_hw, sure_hw, camera.k_33, pose)
        for depth_hw, pose in zip(depths[1:], POSES[1:], strict=True)
    ]
    agreed = with_agreement(start, map_of(start, views[0]), others)
    assert agreed.cues_chw.shape[0] == CUES
    error_hw = np.abs(agreed.inverse_depth_hw / surface_hw - 1)
    assert np.median(error_hw[hole]) < 0.02
    assert np.median(error_hw) < 0.02
    # How far the start was moved is told.
    assert np.median(agreed.cues_chw[SWEEP_CUES][hole]) < -0.2


def test_untrained_network_keeps_the_start(untrained: Path) -> None:
    views = tiled_views()
    learned = LearnedDepth(load_network(untrained), "fp32", SweepOptions())
    found = depth_of(learned, views, bounds_of_scene())
    truth_hw = render(PLANES, TILED, POSES[0])[1]
    assert found.inverse_depth_hw.shape == truth_hw.shape
    error_hw = np.abs(found.inverse_depth_hw * truth_hw - 1)
    assert np.median(error_hw) < 0.02
    assert ((found.confidence_hw > 0) & (found.confidence_hw < 1)).all()


def test_nothing_hangs_between_the_surfaces_at_an_edge(untrained: Path) -> None:
    views = tiled_views()
    found = depth_of(
        LearnedDepth(load_network(untrained), "fp32", SweepOptions()), views, bounds_of_scene()
    )
    truth_hw = render(PLANES, TILED, POSES[0])[1]
    kernel = np.ones((13, 13), np.uint8)
    near_hw, far_hw = cv2.erode(truth_hw, kernel), cv2.dilate(truth_hw, kernel)
    edge_hw = (near_hw > 0) & (far_hw > 1.2 * near_hw)
    depth_hw = 1 / found.inverse_depth_hw
    share = (depth_hw / near_hw - 1) / np.maximum(far_hw / near_hw - 1, 1e-6)
    assert edge_hw.sum() > 200
    assert ((share > 0.3) & (share < 0.7))[edge_hw].mean() < 0.1


def test_the_unit_of_the_world_does_not_matter(untrained: Path) -> None:
    learned = LearnedDepth(load_network(untrained), "fp32", SweepOptions())
    one, other = tiled_views(), tiled_views(scale=40.0)
    far, near = bounds_of_scene()
    first = depth_of(learned, one, (far, near))
    second = depth_of(learned, other, (far / 40, near / 40))
    ratio_hw = first.inverse_depth_hw / second.inverse_depth_hw
    np.testing.assert_allclose(np.median(ratio_hw), 40.0, rtol=1e-3)
    assert (np.abs(ratio_hw / 40.0 - 1) < 0.01).mean() > 0.99


def test_stage_runs_at_any_size_and_tells_weights_apart(untrained: Path, tmp_path: Path) -> None:
    options = {"depth": {"model": "learned", "learned": {"weights": untrained}, "max_size": 150}}
    results = make_runner(tmp_path, **options).run("depth")
    for frame, pose in zip(FRAMES, POSES, strict=True):
        depth_map = DepthMap.load(results["depth"].path(depth_item(frame.name)))
        camera = CAMERA.scaled(150, 112)
        assert depth_map.depth_hw.shape == (112, 150)
        truth_hw = render(PLANES, camera, pose)[1]
        seen_hw = truth_hw > 0
        error_n = np.abs(depth_map.depth_hw - truth_hw)[seen_hw] / truth_hw[seen_hw]
        assert np.median(error_n) < 0.03
    sweep = make_runner(tmp_path).run("depth")
    assert sweep["depth"].digest != results["depth"].digest


def test_unusable_weights_say_what_to_do(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"no weights")
    with pytest.raises(UsageError, match="weights of depth"):
        load_network(broken)
    with pytest.raises(UsageError):
        load_network(tmp_path / "missing.pt")


def test_precision_is_part_of_the_key_of_the_learned_model_only() -> None:
    sixteen, thirty_two = ({"learned": {"precision": name}} for name in ("bf16", "fp32"))
    networks = [DepthConfig(model="learned", **one).key_options() for one in (sixteen, thirty_two)]
    assert networks[0] != networks[1]
    sweeps = [DepthConfig(model="sweep", **one).key_options() for one in (sixteen, thirty_two)]
    assert sweeps[0] == sweeps[1]


def test_weights_are_part_of_the_key_of_the_learned_model_only(untrained: Path) -> None:
    given = {"weights": untrained}
    assert DepthConfig(model="learned", learned=given).content_files() == {
        "learned.weights": untrained
    }
    assert DepthConfig(model="sweep", learned=given).content_files() == {}
    assert weight_files(DepthConfig(model="learned", learned=given)) == {}
    assert set(weight_files(DepthConfig(model="learned"))) == {"depthnet"}
