import pytest
import torch

from stages.flow.training.calibration import regress


def test_calibration_recovers_known_odds():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, 50_000, generator=generator)
    features[0] = 1.0
    odds = torch.sigmoid(torch.tensor([0.3, 0.8, -1.2]) @ features)
    right = (torch.rand(50_000, generator=generator) < odds).float()
    assert regress(features, right) == pytest.approx((0.3, 0.8, -1.2), abs=0.06)
