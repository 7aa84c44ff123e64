from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mvrecon.artifacts.depth import DepthMap
from stages.fusion.recurrent.model import (
    fuse_view,
    load_network,
)
from stages.fusion.recurrent.step import Memory, prepare, trusted_by_views
from tests.stages.fusion.clips import scaled_views


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
    depth_hw, sure_hw = np.ones((2, height, width), np.float32)
    sure_hw[:, ::2] = 0.5
    result = DepthMap(depth_hw, sure_hw, view.k_33, np.eye(4))
    trusted = trusted_by_views(result, view)
    assert np.array_equal(trusted.depth_hw, result.depth_hw)
    agreement_n = view.evidence[0, -1, :height, :width].numpy()[:, ::2].ravel()
    trusted_n = trusted.confidence_hw[:, ::2].ravel()
    order_n = np.argsort(agreement_n)
    assert np.all(np.diff(trusted_n[order_n]) >= 0) and trusted_n.max() > trusted_n.min()
    assert trusted.confidence_hw.min() > 0 and trusted.confidence_hw.max() < 1
    # Where the network knows nothing, nothing is trusted.
    nothing = DepthMap(depth_hw, 0 * sure_hw, view.k_33, np.eye(4))
    assert not trusted_by_views(nothing, view).confidence_hw.any()
