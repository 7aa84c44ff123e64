from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mvrecon.errors import UsageError
from stages.flow.dis import DisFlow
from stages.flow.mvflow import MvflowFlow, export_mvflow, load_mvflow
from stages.flow.mvflow_confidence import Calibration, _regress, confidence
from stages.flow.mvflow_correlation import (
    RADIUS,
    best_matches,
    best_shift,
    local_correlation,
    match_globally,
    warp,
)
from stages.flow.mvflow_network import Mvflow, MvflowSettings, mixture_terms, probability_within
from tests.stages.flow.scenes import SIZE, texture

SMALL = MvflowSettings(widths=(16, 24, 32), features=16, hidden=16, updates=(1, 1, 1))


@pytest.fixture
def untrained() -> Mvflow:
    torch.manual_seed(0)
    return Mvflow(SMALL)


def naive_correlation(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    height, width = first.shape[-2:]
    padded = torch.nn.functional.pad(second, (RADIUS,) * 4)
    side = 2 * RADIUS + 1
    windows = [
        (first * padded[:, :, y : y + height, x : x + width]).sum(1)
        for y in range(side)
        for x in range(side)
    ]
    return torch.stack(windows, 1)


def test_local_correlation_and_its_derivative_are_the_naive_ones():
    torch.manual_seed(1)
    first = torch.randn(2, 5, 11, 18, dtype=torch.float64, requires_grad=True)
    second = torch.randn(2, 5, 11, 18, dtype=torch.float64, requires_grad=True)
    ours, naive = local_correlation(first, second), naive_correlation(first, second)
    torch.testing.assert_close(ours, naive)
    weights = torch.randn_like(naive)
    gradients = torch.autograd.grad((ours * weights).sum(), (first, second))
    expected = torch.autograd.grad((naive * weights).sum(), (first, second))
    for gradient, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, wanted)


def test_best_shift_finds_the_displacement():
    torch.manual_seed(2)
    second = torch.nn.functional.normalize(torch.randn(1, 32, 24, 24), dim=1)
    first = torch.roll(second, (-2, 1), (2, 3))
    logits_bhwk = 50.0 * local_correlation(first, second).permute(0, 2, 3, 1)
    shift, peak = best_shift(logits_bhwk)
    inner = shift[0, :, 6:-6, 6:-6]
    torch.testing.assert_close(inner[0], torch.full_like(inner[0], -1.0), atol=0.05, rtol=0)
    torch.testing.assert_close(inner[1], torch.full_like(inner[1], 2.0), atol=0.05, rtol=0)
    assert peak[0, 0, 6:-6, 6:-6].min() > 0.9


def test_global_match_finds_far_displacements_and_knows_what_is_mutual():
    torch.manual_seed(3)
    second = torch.nn.functional.normalize(torch.randn(1, 32, 12, 16), dim=1)
    first = torch.roll(second, (-5, -9), (2, 3))
    displacement, cues = best_matches(match_globally(first, second, torch.tensor(30.0)), (12, 16))
    assert displacement[0, :, 1, 1].tolist() == [9.0, 5.0]
    assert cues[0, 1].mean() > 0.95


def test_warp_looks_up_where_the_flow_points():
    image = torch.arange(20.0).view(1, 1, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 0] = 1.0
    assert torch.equal(warp(image, flow)[..., :-1], image[..., 1:])


def test_an_untrained_network_returns_the_initial_flow(untrained: Mvflow):
    start = 5.0 * torch.randn(2, 2, 64, 96)
    first, second = torch.rand(2, 2, 3, 64, 96)
    with torch.inference_mode():
        output = untrained(first, second, start)
    torch.testing.assert_close(output.flow_b2hw, start, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(40, 50), (97, 131), SIZE])
def test_the_model_takes_any_size_and_starts_from_dis(untrained: Mvflow, size: tuple[int, int]):
    first, second = texture(*size, 1), texture(*size, 2)
    estimate = MvflowFlow(untrained).estimate(first, second)
    start = DisFlow("medium").estimate(first, second)
    np.testing.assert_allclose(estimate.forward_hw2, start.forward_hw2, atol=1e-4)
    np.testing.assert_allclose(estimate.backward_hw2, start.backward_hw2, atol=1e-4)
    assert estimate.forward_confidence_hw is not None
    assert estimate.forward_confidence_hw.shape == size
    assert 0.0 <= estimate.forward_confidence_hw.min() <= estimate.forward_confidence_hw.max() <= 1


@pytest.mark.parametrize("size", [(1080, 1920), (2160, 3840)])
def test_large_images_are_worked_on_at_a_bounded_size(untrained: Mvflow, size: tuple[int, int]):
    worked_on: list[tuple[int, ...]] = []
    encode = untrained.encode

    def spy(image_b3hw: torch.Tensor) -> object:
        worked_on.append(tuple(image_b3hw.shape[-2:]))
        return encode(image_b3hw)

    untrained.encode = spy  # type: ignore[method-assign, assignment]
    height, width = size
    whole = np.random.default_rng(0).integers(0, 255, (135, 240, 3), np.uint8)
    first = np.kron(whole, np.ones((height // 135, width // 240, 1), np.uint8))
    second = np.roll(first, width // 40, axis=1)
    estimate = MvflowFlow(untrained, largest_side_px=320).estimate(first, second)
    assert worked_on == [(192, 320)] * 2
    assert estimate.forward_hw2.shape == (*size, 2)
    # Flow is in pixels of the given size, not of the size worked on.
    assert np.median(estimate.forward_hw2[..., 0]) == pytest.approx(width / 40, rel=0.05)


def test_probability_is_that_of_the_mixture():
    parameters = torch.tensor([0.4, 0.1, -0.3]).view(1, 3, 1, 1)
    logit, narrow, wide = (float(term) for term in mixture_terms(parameters))
    generator = np.random.default_rng(4)
    first = generator.random(200_000) < 1 / (1 + np.exp(-logit))
    scale = np.where(first, np.exp(narrow), np.exp(wide))[:, None]
    errors = generator.laplace(size=(200_000, 2)) * scale
    share = (np.abs(errors) < 1.0).all(1).mean()
    assert float(probability_within(parameters)) == pytest.approx(share, abs=0.005)


def test_exported_weights_come_back(untrained: Mvflow, tmp_path: Path):
    calibration = Calibration(0.5, 1.5, -0.25)
    export_mvflow(untrained, calibration, tmp_path / "weights.pt")
    loaded, loaded_calibration = load_mvflow(tmp_path / "weights.pt")
    assert loaded.settings == SMALL
    assert loaded_calibration == calibration
    for name, value in untrained.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, atol=1e-3, rtol=1e-3)


def test_calibration_recovers_known_odds():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, 50_000, generator=generator)
    features[0] = 1.0
    odds = torch.sigmoid(torch.tensor([0.3, 0.8, -1.2]) @ features)
    right = (torch.rand(50_000, generator=generator) < odds).float()
    assert _regress(features, right) == pytest.approx((0.3, 0.8, -1.2), abs=0.06)


def test_confidence_falls_where_the_way_back_misses(untrained: Mvflow):
    flow, miss = torch.zeros(1, 2, 64, 64), torch.zeros(1, 2, 64, 64)
    miss[..., 32:] = 4.0
    with torch.inference_mode():
        output = untrained(*torch.rand(2, 1, 3, 64, 64), flow)
    trusted = confidence(output, miss, Calibration(0.0, 1.0, -1.0))[0]
    assert trusted[:, 32:].max() < trusted[:, :32].min()


def test_foreign_weights_are_an_error(tmp_path: Path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("no weights")
    for name in ("other.pt", "text.pt", "missing.pt"):
        with pytest.raises(UsageError, match="mvflow weights"):
            load_mvflow(tmp_path / name)
