from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mvrecon.artifacts.depth import DepthMap, depth_item
from stages.fusion.inputs import FusionInputs
from stages.fusion.recurrent import sequence as recurrent
from stages.fusion.recurrent.model import (
    fuse_view,
)
from tests.conftest import REPOSITORY
from tests.stages.fusion.pipeline import MASKED, fuse

FRAMES = 5


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


def test_the_item_names_are_those_of_depth(weights: Path, tmp_path: Path) -> None:
    assert names(fuse(tmp_path, weights, model="forward")) == [
        depth_item(f"{row:06d}") for row in range(5)
    ]
