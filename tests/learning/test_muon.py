from __future__ import annotations

import torch
from torch import nn

from mvrecon.learning.muon import Muon, _orthogonal


def test_updates_have_singular_values_of_about_one():
    torch.manual_seed(0)
    for shape in ((16, 64), (64, 16)):
        values = torch.linalg.svdvals(_orthogonal(torch.randn(*shape)))
        assert values.min() > 0.5
        assert values.max() < 1.3


def test_it_minimises_and_resumes_to_the_same_state():
    def fresh() -> tuple[nn.Module, Muon]:
        torch.manual_seed(1)
        network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 1, 1))
        first, second = network[0], network[2]
        others = [first.bias, *second.parameters()]
        return network, Muon([first.weight], others, lr=0.02)

    def step(network: nn.Module, optimizer: Muon, seed: int) -> float:
        images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
        wanted = images[:, :1, 1:-1, 1:-1] - images[:, 1:2, 1:-1, 2:]
        loss = (network(images) - wanted).square().mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        return float(loss.detach())

    whole, optimizer = fresh()
    losses = [step(whole, optimizer, seed) for seed in range(60)]
    assert losses[-1] < 0.2 * losses[0]

    part, first_half = fresh()
    for seed in range(30):
        step(part, first_half, seed)
    resumed, second_half = fresh()
    resumed.load_state_dict(part.state_dict())
    second_half.load_state_dict(first_half.state_dict())
    for seed in range(30, 60):
        step(resumed, second_half, seed)
    for mine, other in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(mine, other)
