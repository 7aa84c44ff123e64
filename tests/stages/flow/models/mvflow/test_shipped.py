from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mvrecon.engine.hashing import FileHashes
from mvrecon.engine.keys import make_key
from mvrecon.learning.options import LearnedOptions
from mvrecon.synthetic.training.textures import procedural_textures
from stages.flow.config import FlowConfig
from stages.flow.models.mvflow.card import MVFLOW_WEIGHTS
from stages.flow.models.mvflow.model import MvflowFlow, load_mvflow
from stages.flow.models.mvflow.network import Mvflow
from stages.flow.models.refine import RefinedFlow
from stages.flow.models.registry import BUILT_IN, load_flow_model
from stages.flow.stage import STAGE
from stages.flow.training.validation import validate, validation_pairs
from tests.stages.flow.scenes import SIZE, occluding_pair

LARGEST_FILE_BYTES = 6_000_000
LARGEST_NETWORK = 2_000_000


@pytest.fixture(scope="module")
def shipped() -> MvflowFlow:
    model = load_flow_model(FlowConfig(model="mvflow"))
    assert isinstance(model, MvflowFlow)
    return model


def test_the_shipped_network_is_small(shipped: MvflowFlow):
    assert MVFLOW_WEIGHTS.stat().st_size < LARGEST_FILE_BYTES
    assert sum(p.numel() for p in shipped.network.parameters()) < LARGEST_NETWORK


def test_shipped_weights_are_better_than_their_start(shipped: MvflowFlow, tmp_path: Path):
    pairs = validation_pairs(procedural_textures(4, seed=5), 4, (160, 224))
    numbers = validate(shipped.network, pairs, tmp_path / "picture.png")
    assert numbers["validation_epe_px"] < 0.95 * numbers["validation_start_epe_px"]
    assert numbers["validation_kept_epe_px"] < 0.6 * numbers["validation_epe_px"]


def test_confidence_is_low_where_the_background_is_covered(shipped: MvflowFlow):
    first, second, _, hidden = occluding_pair()
    confidence = shipped.estimate(first, second).forward_confidence_hw
    assert confidence is not None
    assert confidence.shape == SIZE
    assert np.median(confidence[hidden]) < 0.5 * np.median(confidence[~hidden])


def test_an_image_is_encoded_once_for_both_ways_and_across_pairs():
    network, calibration = load_mvflow(MVFLOW_WEIGHTS)
    calls: list[tuple[int, ...]] = []
    encode = Mvflow.encode

    def counting(self: Mvflow, image_b3hw: torch.Tensor) -> object:
        calls.append(tuple(image_b3hw.shape))
        return encode(self, image_b3hw)

    network.encode = counting.__get__(network)  # type: ignore[method-assign]
    model = MvflowFlow(network, calibration)
    first, second, _, _ = occluding_pair()
    third = np.ascontiguousarray(second[:, ::-1])
    model.estimate(first, second)
    model.estimate(second, third)
    assert len(calls) == 3


def test_shipped_weights_are_part_of_the_key_only_where_they_are_used():
    assert STAGE.files(FlowConfig(model="mvflow")) == {"mvflow": MVFLOW_WEIGHTS}
    assert STAGE.files(FlowConfig(model="dis")) == {}
    assert STAGE.files(FlowConfig(mvflow=LearnedOptions(weights="mine.pt"))) == {}


def test_new_shipped_weights_make_new_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    weights = tmp_path / "mvflow.pt"
    monkeypatch.setitem(BUILT_IN, "mvflow", replace(BUILT_IN["mvflow"], shipped=weights))

    def key(content: bytes, model: str) -> str:
        weights.write_bytes(content)
        config, hashes = FlowConfig(model=model), FileHashes(tmp_path / "hashes.json")
        return make_key(STAGE, config, {"frames": "same"}, None, hashes).name

    assert key(b"first", "mvflow") == key(b"first", "mvflow") != key(b"other", "mvflow")
    assert key(b"first", "dis") == key(b"other", "dis")


def test_refinement_is_asked_for_by_configuration():
    assert isinstance(load_flow_model(FlowConfig(model="dis", refine=3)), RefinedFlow)
