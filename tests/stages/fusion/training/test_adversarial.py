from __future__ import annotations

import torch
import torch.nn.functional as F

from stages.fusion.recurrent.network import FusionNetwork, FusionOutput
from stages.fusion.training.adversarial import AdversarialFusion
from stages.fusion.training.losses import Truth


def players(weight: float = 0.5) -> tuple[AdversarialFusion, FusionOutput, Truth]:
    torch.manual_seed(0)
    model = AdversarialFusion(FusionNetwork(), weight)
    smooth = torch.linspace(0, 0.3, 64).expand(2, 64, 64).contiguous()
    rough = (smooth + 0.1 * torch.randn(2, 64, 64)).requires_grad_()
    k_b33 = torch.tensor([[60.0, 0, 31.5], [0, 60.0, 31.5], [0, 0, 1]]).double().expand(2, 3, 3)
    truth = Truth(
        smooth,
        torch.ones(2, 64, 64, dtype=torch.bool),
        k_b33,
        torch.eye(4).expand(2, 4, 4),
        torch.zeros(2),
    )
    nothing = torch.zeros(1)
    return model, FusionOutput(rough, nothing, nothing, nothing), truth


def test_the_adversary_learns_to_tell_rough_from_true() -> None:
    model, output, truth = players()
    optimizer = torch.optim.Adam(model.discriminator.parameters(), lr=5e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.game(output, truth)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_the_network_gets_the_gradient_reversed() -> None:
    model, output, truth = players(weight=0.5)
    model.eval()  # the spectral norms stand still
    (reversed_gradient,) = torch.autograd.grad(model.game(output, truth), output.log_inverse_bhw)
    logits = model.discriminator(output.log_inverse_bhw, truth.k_b33)
    (plain,) = torch.autograd.grad(F.softplus(logits).mean(), output.log_inverse_bhw)
    assert float(plain.abs().max()) > 0
    torch.testing.assert_close(reversed_gradient, -0.5 * plain)
