from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mvrecon.learning.weights import export_weights
from stages.clip_pipeline import depths_by_stage
from stages.depth.config import DepthConfig
from stages.fusion.recurrent.network import (
    FusionNetwork,
)
from stages.fusion.training.data import read_frames
from tests.stages.fusion.clips import write_clips


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights that let the recurrent state count."""
    torch.manual_seed(0)
    network = FusionNetwork()
    path = tmp_path_factory.mktemp("weights") / "fusion.pt"
    export_weights(network, network.settings, path)
    return path


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder, 1)
    return read_frames(folder / "000000.npz", depths_by_stage(DepthConfig()), folder / "cues")
