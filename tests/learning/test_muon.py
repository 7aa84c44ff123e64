from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mvrecon.learning.muon import Muon, _orthogonal, muon_for


def test_updates_have_singular_values_of_about_one():
    torch.manual_seed(0)
    for shape in ((16, 64), (64, 16)):
        values = torch.linalg.svdvals(_orthogonal(torch.randn(*shape)))
        assert values.min() > 0.5
        assert values.max() < 1.3


def stepped(start: Tensor, optimizer_of: Callable[[nn.Parameter], torch.optim.Optimizer]) -> Tensor:
    """What a parameter is after five steps on given gradients."""
    parameter = nn.Parameter(start.clone())
    optimizer = optimizer_of(parameter)
    generator = torch.Generator().manual_seed(2)
    for _ in range(5):
        gradient = torch.randn(start.numel(), generator=generator)
        parameter.grad = gradient.reshape(start.shape)
        optimizer.step()
    return parameter.detach()


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch before 2.9")
@pytest.mark.parametrize("shape", [(16, 64), (64, 16)])
def test_matrices_go_where_the_one_of_torch_takes_them(shape):
    start = torch.zeros(shape)
    mine = stepped(start, lambda p: Muon([p], [], lr=0.1))
    settings = {"weight_decay": 0.0, "adjust_lr_fn": "match_rms_adamw"}
    other = stepped(start, lambda p: torch.optim.Muon([p], lr=0.1, **settings))
    assert mine.std() > 0.02
    # The products are of 16 bits, rounded in another order.
    assert (mine - other).norm() < 0.04 * other.norm()


def test_a_kernel_goes_where_its_matrix_does():
    start = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    kernel = stepped(start, lambda p: Muon([p], [], lr=0.1))
    matrix = stepped(start.reshape(8, 36), lambda p: Muon([p], [], lr=0.1))
    assert torch.equal(kernel.reshape(8, 36), matrix)


def test_the_rest_goes_where_adam_takes_it():
    start = torch.ones(7)
    mine = stepped(start, lambda p: Muon([], [p], lr=0.1))
    other = stepped(start, lambda p: torch.optim.Adam([p], lr=0.1, betas=(0.9, 0.99), eps=1e-8))
    torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_first_and_last_layers_and_what_is_no_matrix_are_for_adam():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 1, 3))
    matrices, others = muon_for(network, ("0.", "2.")).param_groups
    assert [p is network[1].weight for p in matrices["params"]] == [True]
    assert matrices["orthogonal"]
    assert not others["orthogonal"]
    assert len(others["params"]) == 5


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
