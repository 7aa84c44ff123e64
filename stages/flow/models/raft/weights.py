"""RAFT checkpoints, in the authors' or in torchvision's layout of names."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from mvrecon.errors import UsageError
from stages.flow.models.raft.network import Raft, RaftSettings

WEIGHTS_REMEDY = (
    "Give a checkpoint of this model in the authors' or in torchvision's layout, "
    "or a state dict with the same names and shapes"
)

# The authors' name → torchvision's, rule after rule.
_TORCHVISION_RULES = (
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"^(\w+_encoder)\.conv1\.", r"\1.convnormrelu.0."),
    (r"^(\w+_encoder)\.norm1\.", r"\1.convnormrelu.1."),
    (r"^(\w+_encoder)\.conv2\.", r"\1.conv."),
    # The normalization of a block's skip has two names in the authors' checkpoints.
    (r"^(\w+_encoder\.layer[23]\.0)\.norm3\.", r"\1.downsample.1."),
    (r"^(\w+_encoder\.layer\d\.\d)\.conv(\d)\.", r"\1.convnormrelu\2.0."),
    (r"^(\w+_encoder\.layer\d\.\d)\.norm(\d)\.", r"\1.convnormrelu\2.1."),
    (r"^update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"^update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])\.", r"update_block.recurrent_block.convgru1.conv\1."),
    (
        r"^update_block\.gru\.conv([zrq])(\d)\.",
        r"update_block.recurrent_block.convgru\2.conv\1.",
    ),
    (r"^update_block\.mask\.0\.", "mask_predictor.convrelu.0."),
    (r"^update_block\.mask\.2\.", "mask_predictor.conv."),
)


def torchvision_name(name: str) -> str:
    """The name that a parameter of our network has in torchvision's checkpoints."""
    for pattern, replacement in _TORCHVISION_RULES:
        name = re.sub(pattern, replacement, name)
    return name


def load_raft(path: Path, settings: RaftSettings) -> Raft:
    """The network with the weights of a checkpoint.

    Raises:
        UsageError: the file is no state dict, or its names or shapes differ.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UsageError(f"cannot read flow weights {path}", WEIGHTS_REMEDY) from error
    network = Raft(settings)
    network.load_state_dict(matching_state(network, state, path))
    return network.eval()


def matching_state(network: Raft, state: object, path: Path) -> dict[str, Tensor]:
    """The state dict under our names, without the prefix that nn.DataParallel adds.

    Raises:
        UsageError: the first name or shape that does not match the network's, in the names of
            the file's own layout.
    """
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise UsageError(f"flow weights {path} hold no state dict", WEIGHTS_REMEDY)
    found = {key.removeprefix("module."): value for key, value in state.items()}
    is_torchvision = any(key.startswith("feature_encoder.") for key in found)
    name_in_file: Callable[[str], str] = torchvision_name if is_torchvision else str
    expected = {name_in_file(key): value for key, value in network.state_dict().items()}
    for key in [*expected, *found]:
        wanted, got = (_shape(entries.get(key)) for entries in (expected, found))
        if wanted != got:
            what = f"flow weights {path} do not fit: {key} is {got}, the network has {wanted}"
            raise UsageError(what, WEIGHTS_REMEDY)
    return {key: found[name_in_file(key)] for key in network.state_dict()}


def _shape(value: object) -> str:
    if value is None:
        return "missing"
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__
