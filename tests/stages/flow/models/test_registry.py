"""The model zoo, and a model of somebody else's that is offered through an entry point."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mvrecon.artifacts.flow import FlowPair
from mvrecon.cli import main
from mvrecon.config import build_configs
from mvrecon.errors import UsageError
from mvrecon.learning.options import LearnedOptions
from stages.flow.config import GROUPS, FlowConfig, RaftOptions, model_names
from stages.flow.models.graph import network_cost
from stages.flow.models.raft.network import RAFT_LARGE, RAFT_SMALL, Raft
from stages.flow.models.registry import BUILT_IN, find_card, load_flow_model
from stages.flow.stage import STAGE
from tests.servers import serving
from tests.stages.flow.test_run import run_stage, sliding, write_frames

PLUGIN = """
import numpy as np
from mvrecon.downloads import RemoteFile
from stages.flow.models.base import FlowEstimate, ModelCard

class Constant:
    def __init__(self, shift_px):
        self.shift_px = shift_px

    def estimate(self, first_rgb_hw3, second_rgb_hw3):
        flow_hw2 = np.full((*first_rgb_hw3.shape[:2], 2), self.shift_px, np.float32)
        return FlowEstimate(flow_hw2, -flow_hw2)

def load(card, config):
    return Constant(float(card.require_weights(config).read_text()))

CARD = ModelCard("the same everywhere", "MIT", load, checkpoint=RemoteFile({url!r}, {sha256!r}))
NO_CARD = 3
"""
ENTRY_POINTS = """[mvrecon.flow_models]
constant = their_flow:CARD
broken = their_flow_that_is_not_there:CARD
no-card = their_flow:NO_CARD
"""
WEIGHTS = b"-4.0"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package with three models, whose weights a local server has."""
    monkeypatch.setenv("MVRECON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site = tmp_path / "site"
    metadata = site / "their_flow-1.2.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-flow\nVersion: 1.2\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    with serving(WEIGHTS) as server:
        sha256 = hashlib.sha256(WEIGHTS).hexdigest()
        (site / "their_flow.py").write_text(PLUGIN.format(url=server.url, sha256=sha256))
        monkeypatch.syspath_prepend(str(site))
        yield site
    sys.modules.pop("their_flow", None)


def test_somebody_else_s_model_is_fetched_and_runs_in_the_pipeline(plugin: Path, tmp_path: Path):
    frames = write_frames(tmp_path / "frames", sliding(3), "sequence")
    with pytest.raises(UsageError, match="mvrecon models get constant"):
        run_stage(tmp_path, frames, model="constant", pairs={"offsets": (1,)})
    assert STAGE.files(FlowConfig(model="constant")) == {}
    assert main(["models", "get", "constant"]) == 0
    summary, folder = run_stage(tmp_path, frames, model="constant", pairs={"offsets": (1,)})
    flow = FlowPair.load(folder / "flow" / "000000_000001.npz")
    np.testing.assert_array_equal(flow.forward_hw2, np.full((128, 160, 2), -4.0))
    assert summary.numbers["precision"] == "fp32"


def test_its_weights_and_its_version_are_part_of_the_key(plugin: Path):
    config = FlowConfig(model="constant")
    main(["models", "get", "constant"])
    assert STAGE.files(config)["constant"].read_bytes() == WEIGHTS
    before = config.key_options()
    (plugin / "their_flow-1.2.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: their-flow\nVersion: 1.3\n"
    )
    assert config.key_options() != before


def test_precision_of_somebody_else_s_model_is_one_that_it_offers(plugin: Path):
    """`auto` never takes one that the model does not heed; another is refused."""
    assert FlowConfig(model="constant").key_options()["plugin"] == {"precision": "fp32"}
    given = {"model": "constant", "plugin.precision": "bf16"}
    with pytest.raises(UsageError, match=r"--flow\.plugin .*auto or fp32 with constant"):
        build_configs({"flow": FlowConfig}, [{"flow": given}])


@pytest.mark.parametrize("name", ["broken", "no-card"])
def test_a_broken_model_is_named_only_where_it_is_used(
    plugin: Path, name: str, capsys: pytest.CaptureFixture[str]
):
    assert {"constant", "broken", "no-card"} <= set(model_names())
    with pytest.raises(UsageError, match=f"flow model {name}"):
        load_flow_model(FlowConfig(model=name))
    assert isinstance(load_flow_model(FlowConfig(model="dis")), object)


def test_the_list_names_every_model_with_its_size(plugin: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["models"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert set(model_names()) <= set(lines)
    assert "5,257,536" in lines["raft-large"]
    assert "not here" in lines["raft-large"]
    assert "shipped" in lines["mvflow"]
    assert "MIT" in lines["constant"]
    assert "their_flow_that_is_not_there" in lines["broken"]


def test_nothing_to_fetch(capsys: pytest.CaptureFixture[str]):
    assert main(["models", "get", "dis"]) == 2
    assert main(["models", "get", "nonsense"]) == 2
    assert "raft-large" in capsys.readouterr().err


def test_a_name_that_is_not_in_the_zoo():
    with pytest.raises(UsageError, match=r"raft-tiny.*'raft-small'"):
        build_configs({"flow": FlowConfig}, [{"flow": {"model": "raft-tiny"}}])


def test_every_built_in_model_has_a_card_and_options():
    assert list(BUILT_IN) == list(GROUPS)
    for name, card in BUILT_IN.items():
        options = getattr(FlowConfig(), GROUPS[name])
        offered = options.offered if isinstance(options, LearnedOptions) else ("fp32",)
        assert card.precisions == offered


def test_public_checkpoints_are_https_and_their_hash_is_known_in_part():
    for card in BUILT_IN.values():
        if card.checkpoint is not None:
            assert card.checkpoint.url.startswith("https://")
            assert f"-{card.checkpoint.sha256}.pth" in card.checkpoint.url


@pytest.mark.parametrize(
    ("name", "settings"), [("raft-small", RAFT_SMALL), ("raft-large-v2", RAFT_LARGE)]
)
def test_raft_s_weights_are_found_by_path(tmp_path: Path, name: str, settings):
    torch.manual_seed(0)
    network = Raft(settings)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    raft = RaftOptions(weights=tmp_path / "w.pth", precision="fp32")
    model = load_flow_model(FlowConfig(model=name, raft=raft))
    value = model.network.state_dict()["fnet.conv1.weight"]
    torch.testing.assert_close(value, network.state_dict()["fnet.conv1.weight"])


def test_work_is_counted_by_hand_too():
    card = find_card("raft-small")
    graph = card.graph(card, FlowConfig(model="raft-small", raft=RaftOptions(updates=3)))
    more = card.graph(card, FlowConfig(model="raft-small", raft=RaftOptions(updates=4)))
    # One update at 8×8: motion encoder, recurrent unit without the context, and flow head.
    products = 196 * 96 + 2 * 64 * 49 + 64 * 32 * 9 + 128 * 80 * 9
    products += 3 * (96 + 82) * 96 * 9 + 96 * 128 * 9 + 128 * 2 * 9
    added = network_cost(more, 64, 64).flop - network_cost(graph, 64, 64).flop
    assert added == 2 * 8 * 8 * products
