from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stages.flow.models.mvflow.spread import KINDS, Spread

CHANNELS = 4


def transparent_spread() -> Spread:
    """Compares the context itself, and trusts what the first cue says."""
    spread = Spread(CHANNELS, 1)
    for layer in (spread.query, spread.key):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        layer.weight.data[:CHANNELS] = 10.0 * torch.eye(CHANNELS)[..., None, None]
    first, _, last = spread.trust
    for layer in (first, last):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    first.weight.data[0], first.bias.data[0] = 1.0, 10.0
    last.weight.data[:, 0], last.bias.data[0] = 1.0, -10.0
    return spread.eval()


def two_kinds(height: int, width: int) -> Tensor:
    """Context: the left half is of one kind, the right half of another."""
    context = torch.zeros(1, CHANNELS, height, width)
    context[:, 0, :, : width // 2] = 1.0
    context[:, 1, :, width // 2 :] = 1.0
    return context


@torch.inference_mode()
def test_each_kind_takes_the_flow_of_its_trusted_cells():
    flow = torch.randn(1, 2, 16, 32) * 5.0
    sure = torch.full((1, 1, 16, 32), -10.0)
    for columns, motion in ((slice(0, 2), (3.0, -1.0)), (slice(30, 32), (-4.0, 2.0))):
        sure[..., columns] = 8.0
        flow[..., columns] = torch.tensor(motion)[:, None, None]
    found = transparent_spread()(two_kinds(16, 32), sure, flow)
    torch.testing.assert_close(found[0, :, :, 4:12].mean((1, 2)), torch.tensor([3.0, -1.0]))
    torch.testing.assert_close(found[0, :, :, 20:28].mean((1, 2)), torch.tensor([-4.0, 2.0]))


@torch.inference_mode()
def test_of_one_kind_what_is_near_counts_more():
    spread = transparent_spread()
    spread.log_falloff.data.fill_(3.0)
    flow = torch.zeros(1, 2, 4, 64)
    flow[:, 0] = torch.arange(64.0)
    found = spread(torch.ones(1, CHANNELS, 4, 64), torch.zeros(1, 1, 4, 64), flow)
    assert (found[0, 0, :, 8:56] - flow[0, 0, :, 8:56]).abs().max() < 1.0


def test_trust_and_similarity_are_learnt():
    spread = Spread(CHANNELS, 3)
    context, sure = torch.randn(2, CHANNELS, 8, 8), torch.randn(2, 3, 8, 8)
    found = spread(context, sure, torch.randn(2, 2, 8, 8))
    found.square().mean().backward()
    for parameter in spread.parameters():
        assert parameter.grad is not None
    assert spread.query.weight.grad.abs().max() > 0
    assert KINDS > CHANNELS


@pytest.mark.parametrize("size", [(2, 2), (6, 10)])
def test_small_sizes_work(size: tuple[int, int]):
    flow = torch.ones(1, 2, *size)
    found = Spread(CHANNELS, 1)(torch.zeros(1, CHANNELS, *size), torch.zeros(1, 1, *size), flow)
    torch.testing.assert_close(found, flow)
