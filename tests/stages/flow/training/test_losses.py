import math

import pytest
import torch

from stages.flow.models.mvflow.network import Matched, MvflowOutput
from stages.flow.training.losses import (
    endpoint_error,
    matching_loss,
    mixture_loss,
    robust_error,
    supervised_loss,
    weighted_mean,
)


def test_errors_are_euclidean_and_hopeless_ones_pull_less():
    truth = torch.zeros(1, 2, 1, 2)
    flow = torch.tensor([[[[3.0, 300.0]], [[4.0, 400.0]]]])
    torch.testing.assert_close(endpoint_error(flow, truth), torch.tensor([[[5.0, 500.0]]]))
    near, far = robust_error(flow, truth)[0, 0].tolist()
    assert near < far < 100 * near


def test_the_mixture_s_likelihood_is_a_density():
    """Its integral over all errors is one."""
    side = torch.arange(-40.0, 40.0, 0.1) + 0.05
    x, y = torch.meshgrid(side, side, indexing="ij")
    flow = torch.stack([x, y])[None]
    mixture = torch.tensor([0.4, 0.2, -0.9]).view(1, 3, 1, 1).expand(1, 3, *x.shape)
    density = (-mixture_loss(flow, mixture, torch.zeros_like(flow))).exp()
    assert float(density.sum()) * 0.1**2 == pytest.approx(1.0, abs=0.01)


def test_weighted_mean_leaves_out_what_weighs_nothing():
    assert weighted_mean(torch.tensor([1.0, 3.0, 99.0]), torch.tensor([1.0, 1.0, 0.0])) == 2.0


def test_matching_costs_nothing_where_the_true_cells_are_alike_and_no_others():
    """Features that are different everywhere: sharp matching finds the true shift."""
    cells = 4 * 6
    second = torch.eye(cells).view(1, cells, 4, 6)
    flow_cells = 1
    first = torch.roll(second, -flow_cells, 3)
    visible = torch.ones(1, 16, 24, dtype=torch.bool)
    flow = torch.zeros(1, 2, 16, 24)
    flow[:, 0] = 4.0 * flow_cells
    matched = Matched((first, first), (second, second), torch.tensor(50.0))
    assert matching_loss(matched, flow, visible) < 1e-4
    wrong = matching_loss(matched, -flow, visible)
    assert wrong > 10 * math.log(cells)
    assert matching_loss(matched, -flow, ~visible) == 0


def loss_of(error_px: float, flow_px: float, visible: bool) -> float:
    """Loss of a flow that is right but for one column that moves and is seen as told."""
    truth_b2hw = torch.zeros(1, 2, 32, 64)
    truth_b2hw[:, 0, :, 8] = flow_px
    found_b2hw = truth_b2hw.clone()
    found_b2hw[:, 0, :, 8] += error_px
    visible_bhw = torch.ones(1, 32, 64, dtype=torch.bool)
    visible_bhw[:, :, 8] = visible
    features = tuple(torch.ones(1, 4, 32 // stride, 64 // stride) for stride in (4, 8))
    matched = Matched(features, features, torch.ones(()))
    output = MvflowOutput(found_b2hw, torch.zeros(1, 3, 32, 64), matched, [])
    return float(supervised_loss(output, truth_b2hw, visible_bhw))


@pytest.mark.parametrize("visible", [True, False])
def test_points_that_move_by_half_the_width_count(visible: bool):
    assert loss_of(9.0, 30.0, visible) > loss_of(0.0, 30.0, visible) + 0.05


def test_of_points_that_move_farther_only_those_that_are_seen_count():
    assert loss_of(9.0, 50.0, True) > loss_of(0.0, 50.0, True) + 0.05
    assert loss_of(9.0, 50.0, False) == pytest.approx(loss_of(0.0, 50.0, False))
