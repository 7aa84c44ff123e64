from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.errors import UsageError
from mvrecon.learning.weights import export_weights
from stages.clip_pipeline import depths_by_stage
from stages.depth.config import DepthConfig
from stages.fusion.config import FusionConfig
from stages.fusion.inputs import FusionInputs, ImagedDepth
from stages.fusion.recurrent import sequence as recurrent
from stages.fusion.recurrent.cues import find_cues
from stages.fusion.recurrent.model import (
    fuse_in_turn,
    fuse_view,
    load_network,
    merge,
)
from stages.fusion.recurrent.network import (
    FusionNetwork,
    log_likelihood,
    probability_within,
    smoothed,
)
from stages.fusion.recurrent.step import Memory, prepare, trusted_by_views
from stages.fusion.training.data import read_frames
from tests.conftest import REPOSITORY
from tests.stages.fusion.clips import make_clip, write_clips
from tests.stages.fusion.pipeline import MASKED, SEED, fuse

FRAMES = 5


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights that let the recurrent state count."""
    torch.manual_seed(0)
    network = FusionNetwork()
    path = tmp_path_factory.mktemp("weights") / "fusion.pt"
    export_weights(network, network.settings, path)
    return path


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder, 1)
    return read_frames(folder / "000000.npz", depths_by_stage(DepthConfig()), folder / "cues")


def names(artifact) -> list[str]:
    return artifact.names("depth/")


def test_killed_in_the_middle_it_resumes_to_the_same_result(weights: Path, tmp_path: Path) -> None:
    model = "both"
    whole = fuse(tmp_path / "whole", weights, model=model, frames=FRAMES)
    command = [sys.executable, "-m", "tests.stages.fusion.pipeline", str(tmp_path / "killed")]
    killed = subprocess.run(  # noqa: PLW1510 (it is to die)
        [*command, str(weights), model, str(FRAMES), "3"], cwd=REPOSITORY, capture_output=True
    )
    assert killed.returncode == -9, killed.stderr
    partial = next((tmp_path / "killed/store/fusion").glob("*.partial"))
    assert len(list(partial.glob("depth/*.npz"))) == 3
    resumed = fuse(tmp_path / "killed", weights, model=model, frames=FRAMES)
    assert resumed.digest == whole.digest


def test_it_goes_on_from_the_newest_memory(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurrent, "CHECKPOINT_EVERY", 2)
    whole = fuse(tmp_path / "whole", weights, model="forward", frames=FRAMES)
    assert len(whole.names("memory/forward/")) == FRAMES // 2
    steps = []

    def count_and_fail(network, view, memory, precision):
        steps.append(1)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return fuse_view(network, view, memory, precision)

    monkeypatch.setattr(recurrent, "fuse_view", count_and_fail)
    with pytest.raises(KeyboardInterrupt):
        fuse(tmp_path / "cut", weights, model="forward", frames=FRAMES)
    steps[:] = [1] * 10
    resumed = fuse(tmp_path / "cut", weights, model="forward", frames=FRAMES)
    assert len(steps) == 10 + FRAMES - 2
    assert resumed.digest == whole.digest


def test_a_longer_sequence_takes_over_its_prefix(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last views of the shorter one had fewer neighbours: they are fused anew."""
    monkeypatch.setattr(recurrent, "CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(FusionInputs, "_choose_neighbors", nearest_rows)
    whole = fuse(tmp_path / "whole", weights, model="forward", frames=7)
    fuse(tmp_path / "grown", weights, model="forward", frames=5)
    steps = []

    def count(network, view, memory, precision):
        steps.append(1)
        return fuse_view(network, view, memory, precision)

    monkeypatch.setattr(recurrent, "fuse_view", count)
    grown = fuse(tmp_path / "grown", weights, model="forward", frames=7)
    assert len(steps) == 7 - 4  # of the first five, four have the neighbours that they had
    assert grown.digest == whole.digest


def nearest_rows(inputs: FusionInputs, row: int) -> list[int]:
    return [other for other in (row - 1, row + 1) if 0 <= other < len(inputs.frames)]


@pytest.mark.parametrize("kind", ["sequence", "photos"])
def test_workers_do_not_change_the_result(weights: Path, tmp_path: Path, kind: str) -> None:
    one = fuse(tmp_path / "one", weights, model="both", kind=kind, workers=1)
    two = fuse(tmp_path / "two", weights, model="both", kind=kind, workers=2)
    assert one.digest == two.digest


@pytest.mark.parametrize("model", ["geometric", "forward", "both"])
def test_moving_things_stay_empty(weights: Path, tmp_path: Path, model: str) -> None:
    fused = fuse(tmp_path, weights, model=model)
    for name in names(fused):
        depth_hw = DepthMap.load(fused.path(name)).depth_hw
        assert not depth_hw[MASKED][2:-2, 2:-2].any()
        assert np.mean(depth_hw > 0) > 0.9


@pytest.mark.parametrize("model", ["forward", "both"])
def test_photos_do_not_depend_on_their_order(weights: Path, tmp_path: Path, model: str) -> None:
    order = (3, 0, 4, 2, 1)
    plain = fuse(tmp_path / "plain", weights, model=model, kind="photos")
    other = fuse(tmp_path / "other", weights, model=model, kind="photos", order=order)
    for place, row in enumerate(order):
        one, two = (
            DepthMap.load(fused.path(depth_item(f"{name:06d}")))
            for fused, name in ((plain, row), (other, place))
        )
        np.testing.assert_array_equal(one.depth_hw > 0, two.depth_hw > 0)
        np.testing.assert_allclose(one.depth_hw, two.depth_hw, rtol=1e-5)
        np.testing.assert_allclose(one.confidence_hw, two.confidence_hw, atol=1e-3)


def test_the_memory_of_a_neighbour_counts(weights: Path, frames) -> None:
    network = load_network(weights)
    views = [prepare(frame.imaged, frame.cues) for frame in frames]
    alone = fuse_view(network, views[1], None)
    told = fuse_view(network, views[1], fuse_view(network, views[0], None))
    assert np.abs(alone.result.depth_hw / told.result.depth_hw - 1).max() > 1e-4


def test_units_do_not_matter(weights: Path) -> None:
    torch.manual_seed(1)
    network = load_network(weights)
    results = []
    for factor in (1.0, 64.0):
        memory = None
        for view in scaled_views(factor)[:3]:
            memory = fuse_view(network, view, memory)
        results.append(memory.result)
    np.testing.assert_allclose(results[1].depth_hw, factor * results[0].depth_hw, rtol=2e-2)
    assert np.median(np.abs(results[1].depth_hw / (factor * results[0].depth_hw) - 1)) < 1e-3


def scaled_views(factor: float, seed: int = SEED):
    clip, depths = make_clip(seed)
    imaged = []
    for row, frame in enumerate(clip.posed_frames()):
        pose = frame.world_from_cam.copy()
        pose[:3, 3] *= factor
        depth_hw = depths.depth_thw[row] * np.float32(factor)
        depth = DepthMap(depth_hw, depths.confidence_thw[row], clip.k_33, pose)
        imaged.append(ImagedDepth(clip.images_thw3[row], depth))
    views = []
    for row, view in enumerate(imaged):
        others = imaged[:row] + imaged[row + 1 :]
        cues = find_cues(view, [other.depth for other in others], others[:2], 0.03)
        views.append(prepare(view, cues))
    return views


def test_a_memory_survives_the_disk(weights: Path, tmp_path: Path, frames) -> None:
    network = load_network(weights)
    views = [prepare(frame.imaged, frame.cues) for frame in frames]
    memory = fuse_view(network, views[0], None)
    memory.save(tmp_path / "memory.npz")
    results = [
        fuse_view(network, views[1], one).result.depth_hw
        for one in (memory, Memory.load(tmp_path / "memory.npz"))
    ]
    np.testing.assert_array_equal(*results)


def test_the_state_arrives_where_its_points_are(frames) -> None:
    """Without motion the warped state is the state; from elsewhere it is shifted."""
    from stages.fusion.recurrent.step import _warped_state

    view = prepare(frames[0].imaged, frames[0].cues)
    rows, columns = (side // 8 for side in view.hypotheses.shape[-2:])
    state = torch.arange(rows * columns, dtype=torch.float32).view(1, rows, columns)
    depth = np.exp(-(view.hypotheses[0, 0].numpy() + view.log_unit))[: view.size_hw[0]]
    result = DepthMap(depth, np.ones_like(depth), view.k_33, view.world_from_cam)
    warped, known = _warped_state(view, Memory(result, state))
    assert known.mean() > 0.6
    torch.testing.assert_close(warped[known > 0], state[None][known > 0], atol=0.02, rtol=0)


def test_a_result_is_trusted_less_where_the_views_disagree(frames) -> None:
    view = prepare(frames[2].imaged, frames[2].cues)
    height, width = view.size_hw
    result = DepthMap(*(np.ones((height, width), np.float32),) * 2, view.k_33, np.eye(4))
    trusted = trusted_by_views(result, view)
    assert np.array_equal(trusted.depth_hw, result.depth_hw)
    assert np.array_equal(trusted.confidence_hw, view.evidence[0, -1, :height, :width].numpy())
    assert trusted.confidence_hw.max() < 1


def test_two_maps_are_merged_by_confidence() -> None:
    pose, k_33 = np.eye(4), np.eye(3)
    first = DepthMap(np.float32([[2.0, 2.0, 0.0]]), np.float32([[0.9, 0.9, 0.0]]), k_33, pose)
    second = DepthMap(np.float32([[2.02, 3.0, 4.0]]), np.float32([[0.9, 0.2, 0.5]]), k_33, pose)
    merged = merge(first, second)
    np.testing.assert_allclose(merged.depth_hw, [[2.01, 2.0, 4.0]], rtol=1e-3)
    assert merged.confidence_hw[0, 1] < merged.confidence_hw[0, 0]


def test_the_mixture_is_a_density() -> None:
    mixture = torch.tensor([0.3, -0.5]).view(1, 2, 1, 1)
    errors = torch.linspace(-6, 6, 240_001).view(1, 1, -1)
    density = log_likelihood(mixture.expand(1, 2, 1, errors.shape[-1]), errors).exp()
    step = float(errors[0, 0, 1] - errors[0, 0, 0])
    assert float(density.sum()) * step == pytest.approx(1.0, abs=3e-3)
    within = float(density[errors.abs() < 0.05].sum()) * step
    assert float(probability_within(mixture)) == pytest.approx(within, abs=5e-3)


def test_smoothing_fills_from_what_is_trusted() -> None:
    values, weights = torch.full((1, 1, 32, 32), 9.0), torch.full((1, 1, 32, 32), 1e-4)
    values[..., :, :8], weights[..., :, :8] = 1.0, 1.0
    filled = smoothed(values, weights)
    assert float(filled[..., 30].max()) < 1.2
    assert float((filled[..., 2] - 1).abs().max()) < 0.05


def test_another_number_format_is_another_result() -> None:
    options = [
        FusionConfig(model="both", recurrent={"precision": precision}).key_options()
        for precision in ("fp32", "bf16")
    ]
    assert options[0] != options[1]
    assert "recurrent" not in FusionConfig(model="geometric").key_options()


def test_the_shipped_weights_improve_on_what_they_are_given() -> None:
    """On made errors, which training did not see: the error over three clips."""
    network = load_network()
    before, after = [], []
    for seed in range(3):
        clip, depths = make_clip(seed)
        fused = [one.depth_hw for one in fuse_in_turn(network, scaled_views(1.0, seed))]
        before.append(np.abs(depths.depth_thw / clip.depth_thw - 1).mean())
        after.append(np.abs(np.stack(fused) / clip.depth_thw - 1).mean())
    assert np.mean(after) < 0.95 * np.mean(before)


def test_unusable_weights_are_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "bad.pt").write_bytes(b"no weights")
    with pytest.raises(UsageError, match=r"bad\.pt"):
        load_network(tmp_path / "bad.pt")


def test_the_item_names_are_those_of_depth(weights: Path, tmp_path: Path) -> None:
    assert names(fuse(tmp_path, weights, model="forward")) == [
        depth_item(f"{row:06d}") for row in range(5)
    ]
