"""Checkpoints, generated in both public layouts from the published descriptions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mvrecon.errors import UsageError
from stages.flow.models.raft.model import load_raft, torchvision_name
from stages.flow.models.raft.network import RAFT_LARGE, RAFT_SMALL, Raft, RaftSettings

Shapes = dict[str, tuple[int, ...]]
LAYERS = {"small": (32, 64, 96), "large": (64, 96, 128)}
SETTINGS = {"small": RAFT_SMALL, "large": RAFT_LARGE}


def convolution(name: str, outputs: int, inputs: int, height: int, width: int = 0) -> Shapes:
    return {
        f"{name}.weight": (outputs, inputs, height, width or height),
        f"{name}.bias": (outputs,),
    }


def batch_norm(name: str, channels: int) -> Shapes:
    fields = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{field}": (channels,) for field in fields} | {
        f"{name}.num_batches_tracked": ()
    }


def encoder(variant: str, prefix: str, outputs: int, normed: bool) -> Shapes:
    """The authors' names."""
    widths = LAYERS[variant]
    shapes = convolution(f"{prefix}.conv1", widths[0], 3, 7)
    if normed:
        shapes |= batch_norm(f"{prefix}.norm1", widths[0])
    before = widths[0]
    for level, width in enumerate(widths, 1):
        for block in (0, 1):
            name = f"{prefix}.layer{level}.{block}"
            inner = [width // 4, width // 4, width] if variant == "small" else [width, width]
            kernels = [1, 3, 1] if variant == "small" else [3, 3]
            inputs = before
            for index, (outs, kernel) in enumerate(zip(inner, kernels, strict=True), 1):
                shapes |= convolution(f"{name}.conv{index}", outs, inputs, kernel)
                if normed:
                    shapes |= batch_norm(f"{name}.norm{index}", outs)
                inputs = outs
            if level > 1 and block == 0:
                shapes |= convolution(f"{name}.downsample.0", width, before, 1)
                if normed:
                    shapes |= batch_norm(f"{name}.norm3", width)
                    shapes |= batch_norm(f"{name}.downsample.1", width)
            before = width
    return shapes | convolution(f"{prefix}.conv2", outputs, widths[-1], 1)


def authors_shapes(variant: str) -> Shapes:
    if variant == "small":
        shapes = encoder(variant, "fnet", 128, False) | encoder(variant, "cnet", 160, False)
        motion = [("convc1", 96, 196, 1), ("convf1", 64, 2, 7), ("convf2", 32, 64, 3)]
        motion += [("conv", 80, 128, 3)]
        grus = [(f"conv{gate}", 96, 242, 3, 3) for gate in "zrq"]
        head = [("conv1", 128, 96, 3), ("conv2", 2, 128, 3)]
    else:
        shapes = encoder(variant, "fnet", 256, False) | encoder(variant, "cnet", 256, True)
        motion = [("convc1", 256, 324, 1), ("convc2", 192, 256, 3), ("convf1", 128, 2, 7)]
        motion += [("convf2", 64, 128, 3), ("conv", 126, 256, 3)]
        grus = [(f"conv{gate}1", 128, 384, 1, 5) for gate in "zrq"]
        grus += [(f"conv{gate}2", 128, 384, 5, 1) for gate in "zrq"]
        head = [("conv1", 256, 128, 3), ("conv2", 2, 256, 3)]
        shapes |= convolution("update_block.mask.0", 256, 128, 3)
        shapes |= convolution("update_block.mask.2", 576, 256, 1)
    for part, layers in (("encoder", motion), ("gru", grus), ("flow_head", head)):
        for name, *sizes in layers:
            shapes |= convolution(f"update_block.{part}.{name}", *sizes)
    return shapes


# Some of torchvision's names with the authors' names of the same layers.
TORCHVISION_NAMES = {
    "feature_encoder.convnormrelu.0.weight": "fnet.conv1.weight",
    "feature_encoder.conv.bias": "fnet.conv2.bias",
    "context_encoder.convnormrelu.1.running_var": "cnet.norm1.running_var",
    "context_encoder.layer1.1.convnormrelu2.0.weight": "cnet.layer1.1.conv2.weight",
    "context_encoder.layer2.0.convnormrelu1.1.weight": "cnet.layer2.0.norm1.weight",
    "context_encoder.layer3.0.downsample.0.bias": "cnet.layer3.0.downsample.0.bias",
    "context_encoder.layer3.0.downsample.1.bias": "cnet.layer3.0.norm3.bias",
    "update_block.motion_encoder.convcorr2.0.weight": "update_block.encoder.convc2.weight",
    "update_block.motion_encoder.convflow1.0.bias": "update_block.encoder.convf1.bias",
    "update_block.motion_encoder.conv.0.weight": "update_block.encoder.conv.weight",
    "update_block.recurrent_block.convgru1.convz.weight": "update_block.gru.convz1.weight",
    "update_block.recurrent_block.convgru2.convq.bias": "update_block.gru.convq2.bias",
    "update_block.flow_head.conv2.weight": "update_block.flow_head.conv2.weight",
    "mask_predictor.convrelu.0.weight": "update_block.mask.0.weight",
    "mask_predictor.conv.bias": "update_block.mask.2.bias",
}


def filled(shapes: Shapes) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    state = {name: torch.rand(size) if size else torch.tensor(7) for name, size in shapes.items()}
    # The authors' checkpoints hold the normalization of a block's skip twice.
    return {name: state.get(name.replace("norm3", "downsample.1"), state[name]) for name in state}


def torchvision_layout(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {torchvision_name(name): value for name, value in state.items()}


@pytest.mark.parametrize(("variant", "count"), [("small", 990_162), ("large", 5_257_536)])
def test_names_shapes_and_count_are_the_published_ones(variant: str, count: int):
    network = Raft(SETTINGS[variant])
    assert {k: tuple(v.shape) for k, v in network.state_dict().items()} == authors_shapes(variant)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_torchvision_s_names_are_those_of_its_layers():
    for theirs, ours in TORCHVISION_NAMES.items():
        assert torchvision_name(ours) == theirs
    assert torchvision_name("update_block.gru.convz.weight") == (
        "update_block.recurrent_block.convgru1.convz.weight"
    )
    # torchvision's raft_large() and raft_small() have so many entries.
    assert len({torchvision_name(name) for name in authors_shapes("large")}) == 169
    assert len({torchvision_name(name) for name in authors_shapes("small")}) == 106


@pytest.mark.parametrize("variant", ["small", "large"])
@pytest.mark.parametrize("layout", ["authors", "DataParallel", "torchvision"])
def test_every_layout_gives_the_same_network(tmp_path: Path, variant: str, layout: str):
    state = filled(authors_shapes(variant))
    stored = {
        "authors": state,
        "DataParallel": {f"module.{name}": value for name, value in state.items()},
        "torchvision": torchvision_layout(state),
    }[layout]
    torch.save(stored, tmp_path / "weights.pth")
    loaded = load_raft(tmp_path / "weights.pth", SETTINGS[variant]).state_dict()
    for name, value in state.items():
        torch.testing.assert_close(loaded[name], value)


def refused(tmp_path: Path, state: object, settings: RaftSettings, what: str) -> None:
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(UsageError, match=what):
        load_raft(tmp_path / "weights.pth", settings)


def test_another_shape_is_named(tmp_path: Path):
    state = filled(authors_shapes("small"))
    state["cnet.conv1.weight"] = torch.zeros(64, 3, 7, 7)
    refused(tmp_path, state, RAFT_SMALL, r"cnet\.conv1\.weight is \(64, 3, 7, 7\)")


def test_missing_and_surplus_names_are_named(tmp_path: Path):
    state = filled(authors_shapes("large"))
    refused(tmp_path, {**state, "surplus.weight": torch.zeros(3)}, RAFT_LARGE, r"surplus\.weight")
    del state["update_block.mask.2.bias"]
    refused(tmp_path, state, RAFT_LARGE, r"update_block\.mask\.2\.bias is missing")


def test_a_mismatch_has_the_name_that_stands_in_the_file(tmp_path: Path):
    state = torchvision_layout(filled(authors_shapes("large")))
    state["mask_predictor.conv.bias"] = torch.zeros(64)
    refused(tmp_path, state, RAFT_LARGE, r"mask_predictor\.conv\.bias is \(64,\)")


@pytest.mark.parametrize("layout", ["authors", "torchvision"])
def test_the_other_variant_is_refused_at_its_first_layer(tmp_path: Path, layout: str):
    state = filled(authors_shapes("small"))
    first = "fnet.conv1.weight"
    if layout == "torchvision":
        state, first = torchvision_layout(state), torchvision_name(first)
    refused(tmp_path, state, RAFT_LARGE, rf"{first} is \(32, 3, 7, 7\)")


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path):
    (tmp_path / "text.pth").write_bytes(b"not weights")
    with pytest.raises(UsageError, match="cannot read flow weights"):
        load_raft(tmp_path / "text.pth", RAFT_SMALL)
    refused(tmp_path, [1, 2], RAFT_SMALL, "no state dict")
