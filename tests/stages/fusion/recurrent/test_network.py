from __future__ import annotations

import pytest
import torch

from stages.fusion.recurrent.network import (
    log_likelihood,
    probability_within,
    smoothed,
)


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
