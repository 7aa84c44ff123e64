from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mvrecon.datasets.middlebury import MIDDLEBURY
from mvrecon.errors import UsageError
from mvrecon.formats.images import read_rgb
from mvrecon.metrics.flow import end_point_error
from stages.flow.raft import RaftFlow, RaftSmall, load_raft_small
from stages.flow.raft_correlation import CorrelationPyramid
from stages.flow.raft_update import CONTEXT_CHANNELS, HIDDEN_CHANNELS, MOTION_CHANNELS, ConvGru
from tests.stages.flow.scenes import texture


def saved_network(path: Path, prefix: str = "module.") -> RaftSmall:
    torch.manual_seed(0)
    network = RaftSmall()
    state = {prefix + name: value for name, value in network.state_dict().items()}
    torch.save(state, path)
    return network


def test_parameters_are_those_of_the_published_network():
    network = RaftSmall()
    assert sum(parameter.numel() for parameter in network.parameters()) == 990_162
    names = set(network.state_dict())
    assert len(names) == 106
    assert {
        "fnet.layer3.0.downsample.0.weight",
        "cnet.conv2.bias",
        "update_block.encoder.convc1.weight",
        "update_block.gru.convq.bias",
        "update_block.flow_head.conv2.weight",
    } <= names


@pytest.mark.parametrize("prefix", ["module.", ""])
def test_checkpoint_round_trip(tmp_path, prefix):
    network = saved_network(tmp_path / "weights.pth", prefix)
    loaded = load_raft_small(tmp_path / "weights.pth")
    for name, value in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value)


def test_wrong_shape_is_named(tmp_path):
    state = saved_network(tmp_path / "weights.pth").state_dict()
    state["cnet.conv1.weight"] = torch.zeros(64, 3, 7, 7)
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(UsageError, match=r"cnet\.conv1\.weight is \(64, 3, 7, 7\)"):
        load_raft_small(tmp_path / "weights.pth")


def test_missing_and_surplus_names_are_named(tmp_path):
    state = saved_network(tmp_path / "weights.pth").state_dict()
    torch.save({**state, "surplus.weight": torch.zeros(3)}, tmp_path / "more.pth")
    with pytest.raises(UsageError, match=r"surplus\.weight"):
        load_raft_small(tmp_path / "more.pth")
    del state["fnet.conv2.bias"]
    torch.save(state, tmp_path / "less.pth")
    with pytest.raises(UsageError, match=r"fnet\.conv2\.bias is missing"):
        load_raft_small(tmp_path / "less.pth")


def test_a_file_that_holds_no_weights_is_refused(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"not weights")
    with pytest.raises(UsageError, match="cannot read flow weights"):
        load_raft_small(tmp_path / "weights.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(UsageError, match="no state dict"):
        load_raft_small(tmp_path / "list.pth")


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


def test_gru_with_its_context_prepared_equals_the_plain_equations():
    torch.manual_seed(0)
    gru = ConvGru()
    hidden, context, motion = (
        torch.randn(1, channels, 9, 11)
        for channels in (HIDDEN_CHANNELS, CONTEXT_CHANNELS, MOTION_CHANNELS)
    )
    with torch.no_grad():
        found = gru(hidden, motion, gru.prepare(context))
        inputs = torch.cat([hidden, context, motion], dim=1)
        update, reset = torch.sigmoid(gru.convz(inputs)), torch.sigmoid(gru.convr(inputs))
        candidate = torch.tanh(gru.convq(torch.cat([reset * hidden, context, motion], dim=1)))
        expected = (1 - update) * hidden + update * candidate
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(64, 96), (65, 71), (20, 130)])
def test_any_size_gives_flow_of_that_size_and_remembering_changes_nothing(tmp_path, size):
    saved_network(tmp_path / "weights.pth")
    first, second = texture(*size, seed=1), texture(*size, seed=2)
    model = RaftFlow(load_raft_small(tmp_path / "weights.pth"), updates=2)
    once, again = model.estimate(first, second), model.estimate(first, second)
    swapped = model.estimate(second.copy(), first.copy())
    assert once.forward_hw2.shape == (*size, 2)
    assert np.isfinite(once.forward_hw2).all()
    np.testing.assert_array_equal(once.forward_hw2, again.forward_hw2)
    np.testing.assert_array_equal(once.forward_hw2, swapped.backward_hw2)


def test_public_checkpoint_is_right_to_a_fraction_of_a_pixel(shared_data):
    weights = shared_data.parent / "weights" / "raft-small.pth"
    if not weights.is_file():
        pytest.skip(f"no checkpoint at {weights}")
    pairs = MIDDLEBURY.parts(shared_data / "flow/middlebury")["Middlebury"]
    sample = next(pair for pair in pairs if pair.name == "Venus")
    truth_hw2, valid_hw = sample.read_truth()
    model = RaftFlow(load_raft_small(weights), updates=12)
    estimate = model.estimate(read_rgb(sample.first), read_rgb(sample.second))
    assert end_point_error(estimate.forward_hw2, truth_hw2)[valid_hw].mean() < 0.45
