from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvrecon.artifacts.depth import DepthMap
from mvrecon.errors import UsageError
from stages.fusion.recurrent.model import (
    fuse_in_turn,
    load_network,
    merge,
)
from tests.stages.fusion.clips import make_clip, scaled_views


def test_two_maps_are_merged_by_confidence() -> None:
    pose, k_33 = np.eye(4), np.eye(3)
    first = DepthMap(np.float32([[2.0, 2.0, 0.0]]), np.float32([[0.9, 0.9, 0.0]]), k_33, pose)
    second = DepthMap(np.float32([[2.02, 3.0, 4.0]]), np.float32([[0.9, 0.2, 0.5]]), k_33, pose)
    merged = merge(first, second)
    np.testing.assert_allclose(merged.depth_hw, [[2.01, 2.0, 4.0]], rtol=1e-3)
    assert merged.confidence_hw[0, 1] < merged.confidence_hw[0, 0]


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
