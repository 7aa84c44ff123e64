import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mvrecon.datasets.middlebury import MIDDLEBURY
from mvrecon.evaluation.metrics.flow import end_point_error
from mvrecon.formats.images import read_rgb
from stages.flow.models.raft.correlation import CorrelationPyramid
from stages.flow.models.raft.model import RaftFlow, load_raft
from stages.flow.models.raft.network import (
    RAFT_LARGE,
    RAFT_SMALL,
    Raft,
    RaftSettings,
    upsample_convex,
)
from stages.flow.models.raft.update import ConvGru
from tests.stages.flow.scenes import texture


def test_lookup_equals_sampling_of_the_pooled_volume():
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 16, 16, 24, generator=generator)
    target_n2 = torch.rand(16 * 24, 2, generator=generator) * 40 - 8
    found_nc = CorrelationPyramid(first, second).lookup(target_n2, radius=3)
    volume = torch.einsum("cn,chw->nhw", first.flatten(1), second)[:, None] / 4
    expected = []
    for level in range(4):
        size = torch.tensor([volume.shape[3] - 1, volume.shape[2] - 1])
        steps = torch.arange(-3.0, 4.0)
        window = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1)
        grid = 2 * (target_n2[:, None, None] / 2**level + window) / size - 1
        expected.append(F.grid_sample(volume, grid, align_corners=True).flatten(1))
        volume = F.avg_pool2d(volume, 2)
    torch.testing.assert_close(found_nc, torch.cat(expected, dim=1), atol=1e-4, rtol=1e-4)


def gru_equations(gru: ConvGru, suffix: str, hidden, context, motion) -> torch.Tensor:
    z, r, q = (gru.get_submodule(f"conv{gate}{suffix}") for gate in "zrq")
    inputs = torch.cat([hidden, context, motion], dim=1)
    update, reset = torch.sigmoid(z(inputs)), torch.sigmoid(r(inputs))
    candidate = torch.tanh(q(torch.cat([reset * hidden, context, motion], dim=1)))
    return (1 - update) * hidden + update * candidate


@pytest.mark.parametrize(("settings", "suffixes"), [(RAFT_SMALL, [""]), (RAFT_LARGE, ["1", "2"])])
def test_gru_with_its_context_prepared_equals_the_plain_equations(
    settings: RaftSettings, suffixes: list[str]
):
    torch.manual_seed(0)
    sizes = settings.update
    gru = ConvGru(sizes)
    hidden, context, motion = (
        torch.randn(1, channels, 9, 11) for channels in (sizes.hidden, sizes.context, sizes.motion)
    )
    with torch.no_grad():
        found = expected = hidden
        for gru_pass, suffix in zip(gru.prepare(context), suffixes, strict=True):
            found = gru_pass.step(found, motion)
            expected = gru_equations(gru, suffix, expected, context, motion)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_convex_upsampling_takes_the_neighbour_that_is_chosen():
    flow = torch.arange(2 * 3 * 4.0).view(1, 2, 3, 4)
    logits = torch.zeros(1, 9, 8, 8, 3, 4)
    logits[:, 4] = 60.0  # the pixel itself …
    logits[:, 4, 5, 2] = 0.0
    logits[:, 1, 5, 2] = 60.0  # … but in row 5, column 2 of each block the one above
    full = upsample_convex(flow, logits.view(1, -1, 3, 4))
    assert full.shape == (1, 2, 24, 32)
    expected = 8.0 * flow.repeat_interleave(8, 2).repeat_interleave(8, 3)
    expected[:, :, 5::8, 2::8] = 8.0 * torch.cat([torch.zeros(1, 2, 1, 4), flow[:, :, :-1]], 2)
    torch.testing.assert_close(full, expected)


@pytest.mark.parametrize("settings", [RAFT_SMALL, RAFT_LARGE], ids=["small", "large"])
@pytest.mark.parametrize("size", [(65, 71), (20, 130)])
def test_any_size_gives_flow_of_that_size_and_remembering_changes_nothing(settings, size):
    torch.manual_seed(0)
    model = RaftFlow(Raft(settings), updates=2)
    first, second = texture(*size, seed=1), texture(*size, seed=2)
    once, again = model.estimate(first, second), model.estimate(first, second)
    swapped = model.estimate(second.copy(), first.copy())
    assert once.forward_hw2.shape == (*size, 2)
    assert np.isfinite(once.forward_hw2).all()
    np.testing.assert_array_equal(once.forward_hw2, again.forward_hw2)
    np.testing.assert_array_equal(once.forward_hw2, swapped.backward_hw2)


def test_large_images_are_worked_on_at_a_bounded_size_in_their_own_pixels():
    torch.manual_seed(0)
    network = Raft(RAFT_SMALL)
    small = texture(60, 160, seed=1), texture(60, 160, seed=2)
    large = [np.kron(image, np.ones((3, 3, 1), np.uint8)) for image in small]
    at_small = RaftFlow(network, updates=2).estimate(*small).forward_hw2
    at_large = RaftFlow(network, updates=2, largest_side_px=160).estimate(*large).forward_hw2
    assert at_large.shape == (180, 480, 2)
    np.testing.assert_allclose(at_large[1::3, 1::3], 3.0 * at_small, atol=1e-3)


def test_bf16_is_near_fp32_but_not_the_same():
    torch.manual_seed(0)
    network, images = Raft(RAFT_SMALL), (texture(64, 96, seed=1), texture(64, 96, seed=2))
    full, half = (RaftFlow(network, 3, p).estimate(*images).forward_hw2 for p in ("fp32", "bf16"))
    assert 0.0 < np.abs(full - half).max() < 0.05 * np.abs(full).max()


def test_public_checkpoint_is_right_to_a_fraction_of_a_pixel(shared_data):
    weights = shared_data.parent / "weights" / "raft-small.pth"
    if not weights.is_file():
        pytest.skip(f"no checkpoint at {weights}")
    pairs = MIDDLEBURY.parts(shared_data / "flow/middlebury")["Middlebury"]
    sample = next(pair for pair in pairs if pair.name == "Venus")
    truth_hw2, valid_hw = sample.read_truth()
    model = RaftFlow(load_raft(weights, RAFT_SMALL), updates=12)
    estimate = model.estimate(read_rgb(sample.first), read_rgb(sample.second))
    assert end_point_error(estimate.forward_hw2, truth_hw2)[valid_hw].mean() < 0.45
