from __future__ import annotations

import numpy as np
import torch

from stages.flow.models.dis import DisFlow
from stages.flow.models.energy import (
    EnergyWeights,
    FlowEnergy,
    census,
    census_distance,
    consistent,
)
from stages.flow.models.refine import RefinedFlow, refine_flow
from tests.stages.flow.scenes import shifted_pair

DX, DY = 4, -3


def test_refinement_brings_a_flow_nearer_to_the_truth():
    first, second = shifted_pair(DX, DY)
    truth = np.broadcast_to(np.float32([DX, DY]), (*first.shape[:2], 2))
    start = truth + np.float32([0.5, -0.4])
    forward, _ = refine_flow((first, second), (start.copy(), -start), 30)
    inner = np.s_[16:-16, 16:-16]
    before, after = (np.linalg.norm(f - truth, axis=-1)[inner].mean() for f in (start, forward))
    assert after < 0.4 * before


def test_no_iterations_change_nothing():
    images = shifted_pair(DX, DY)
    model = DisFlow("fast")
    plain, refined = model.estimate(*images), RefinedFlow(model, 0).estimate(*images)
    np.testing.assert_array_equal(plain.forward_hw2, refined.forward_hw2)


def test_census_does_not_see_brightness():
    image = torch.rand(1, 1, 20, 24)
    other = torch.rand(1, 1, 20, 24)
    assert census_distance(census(image), census(image + 0.1)).max() < 1e-3
    assert census_distance(census(image), census(other)).mean() > 0.3


def test_smoothness_allows_steps_at_image_edges():
    flow = torch.zeros(1, 2, 16, 16)
    flow[..., 8:] = 3.0
    plain = torch.zeros(1, 3, 16, 16)
    edged = plain.clone()
    edged[..., 8:] = 1.0
    weights = EnergyWeights()
    over_edge, over_nothing = (
        FlowEnergy(image, image, weights).smoothness(flow) for image in (edged, plain)
    )
    assert over_edge < 0.3 * over_nothing


def test_consistency_finds_where_the_way_back_misses():
    forward, backward = torch.full((1, 2, 32, 32), 2.0), torch.full((1, 2, 32, 32), -2.0)
    backward[..., 16:, :] = 3.0
    seen = consistent(forward, backward)[0]
    assert seen[4:12, 4:-4].all()
    assert not seen[18:28, 4:-4].any()
