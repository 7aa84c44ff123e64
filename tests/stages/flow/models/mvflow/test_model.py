from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mvrecon.errors import UsageError
from stages.flow.models.dis import START_PRESET, START_REFINEMENTS, DisFlow
from stages.flow.models.mvflow.confidence import Calibration, confidence
from stages.flow.models.mvflow.correlation import (
    RADIUS,
    best_matches,
    best_shift,
    local_correlation,
)
from stages.flow.models.mvflow.model import MvflowFlow, export_mvflow, load_mvflow
from stages.flow.models.mvflow.network import (
    Mvflow,
    MvflowSettings,
    at_centres,
    mixture_terms,
    probability_within,
)
from stages.flow.models.mvflow.update import CANDIDATES, OFFERED, OWN, Upsampler, take_over
from tests.stages.flow.scenes import SIZE, texture

SMALL = MvflowSettings(widths=(16, 24, 32, 16), features=16, hidden=16, updates=(2, 1))


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
    shift, peak = best_shift(local_correlation(first, second), torch.tensor(50.0))
    inner = shift[0, :, 6:-6, 6:-6]
    torch.testing.assert_close(inner[0], torch.full_like(inner[0], -1.0), atol=0.05, rtol=0)
    torch.testing.assert_close(inner[1], torch.full_like(inner[1], 2.0), atol=0.05, rtol=0)
    assert peak[0, 0, 6:-6, 6:-6].min() > 0.9


def test_global_match_finds_far_displacements_and_knows_what_is_mutual():
    torch.manual_seed(3)
    second = torch.nn.functional.normalize(torch.randn(1, 32, 12, 16), dim=1)
    first = torch.roll(second, (-5, -9), (2, 3))
    matches = best_matches(first, second)
    assert matches.flow_b2hw[0, :, 1, 1].tolist() == [9.0, 5.0]
    assert matches.trust_b2hw[0, 1].mean() > 0.95
    other = torch.nn.functional.normalize(torch.randn(1, 32, 12, 16), dim=1)
    assert best_matches(first, other).trust_b2hw[0, 1].mean() < 0.8


def test_matching_a_pair_both_ways_at_once_is_matching_each_way():
    torch.manual_seed(5)
    first, second = torch.nn.functional.normalize(torch.randn(2, 1, 8, 10, 12), dim=2)
    both = best_matches(torch.cat([first, second]), torch.cat([second, first]), paired=True)
    for index, one in enumerate((best_matches(first, second), best_matches(second, first))):
        assert torch.equal(both.flow_b2hw[index], one.flow_b2hw[0])
        assert torch.equal(both.trust_b2hw[index], one.trust_b2hw[0])


def test_flow_is_taken_over_from_where_the_logits_say():
    flow = torch.randn(1, 2, 9, 11)
    offered = [torch.randn(1, 2, 9, 11) for _ in range(OFFERED)]
    logits = torch.full((1, CANDIDATES, 9, 11), -60.0)
    logits[:, OWN] = 0.0
    assert torch.equal(take_over(flow, offered, logits), flow)
    logits[:, OWN, :, 5:], logits[:, CANDIDATES - 1, :, 5:] = -60.0, 0.0
    taken = take_over(flow, offered, logits)
    assert torch.equal(taken[..., 5:], offered[-1][..., 5:])
    assert torch.equal(taken[..., :5], flow[..., :5])


def test_upsampling_keeps_long_flow_exact_in_16_bits():
    flow = torch.tensor([77.3, -41.7]).view(1, 2, 1, 1)
    coarse, nothing = (flow / 4).expand(1, 2, 6, 9), torch.zeros(1, 2, 6, 9)
    features = torch.rand(1, 8, 6, 9)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found, _ = Upsampler(8, 8)(features, features, coarse, nothing, torch.zeros(1, 2, 24, 36))
    torch.testing.assert_close(found, flow.expand(1, 2, 24, 36), atol=1e-4, rtol=0)


def test_an_untrained_network_nearly_returns_the_initial_flow(untrained: Mvflow):
    start = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(2, 2, 64, 96).contiguous()
    first, second = torch.rand(2, 2, 3, 64, 96)
    with torch.inference_mode():
        output = untrained(first, second, start)
    # What is taken over from neighbours is the same; far matches weigh little.
    torch.testing.assert_close(output.flow_b2hw, start, atol=1.5, rtol=0)
    assert (output.flow_b2hw - start).abs().mean() < 0.5


def test_both_ways_at_once_is_each_way(untrained: Mvflow):
    torch.manual_seed(6)
    first, second = torch.rand(2, 1, 3, 64, 96)
    starts = torch.randn(2, 2, 64, 96)
    with torch.inference_mode():
        both = untrained.both_ways(first, second, starts).flow_b2hw
        forward = untrained(first, second, starts[:1]).flow_b2hw
        backward = untrained(second, first, starts[1:]).flow_b2hw
    torch.testing.assert_close(both, torch.cat([forward, backward]), atol=1e-3, rtol=1e-3)


def test_the_middle_of_a_cell_stands_for_it():
    image = torch.arange(64.0).view(1, 1, 8, 8)
    expected = torch.tensor([[13.5, 17.5], [45.5, 49.5]])
    assert torch.equal(at_centres(image, 4)[0, 0], expected)


@pytest.mark.parametrize("size", [(40, 50), (97, 131), SIZE])
def test_the_model_takes_any_size_and_starts_from_dis(untrained: Mvflow, size: tuple[int, int]):
    first = texture(*size, 1)
    second = np.roll(first, 2, axis=1)
    estimate = MvflowFlow(untrained).estimate(first, second)
    start = DisFlow(START_PRESET, START_REFINEMENTS).estimate(first, second)
    for found, near in (
        (estimate.forward_hw2, start.forward_hw2),
        (estimate.backward_hw2, start.backward_hw2),
    ):
        assert found.shape == (*size, 2)
        assert np.median(np.abs(found - near)) < 0.5
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


def test_confidence_falls_where_the_way_back_misses(untrained: Mvflow):
    flow, miss = torch.zeros(1, 2, 64, 64), torch.zeros(1, 2, 64, 64)
    miss[..., 32:] = 4.0
    with torch.inference_mode():
        output = untrained(*torch.rand(2, 1, 3, 64, 64), flow)
    trusted = confidence(output, miss, Calibration(0.0, 1.0, -1.0))[0]
    # Near the border flow may leave the image, which is trusted nowhere.
    inner = trusted[8:-8, 8:-8]
    assert inner[:, 24:].max() < inner[:, :24].min()


def test_foreign_weights_are_an_error(tmp_path: Path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("no weights")
    for name in ("other.pt", "text.pt", "missing.pt"):
        with pytest.raises(UsageError, match="weights of flow"):
            load_mvflow(tmp_path / name)
