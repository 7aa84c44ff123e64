from __future__ import annotations

from pathlib import Path

import pytest

from mvrecon.config import build_configs, upgraded_options
from mvrecon.engine.hashing import FileHashes
from mvrecon.engine.keys import make_key
from mvrecon.errors import UsageError
from stages.flow.config import FlowConfig
from stages.flow.stage import STAGE


def built(**given: object) -> FlowConfig:
    config = build_configs({"flow": FlowConfig}, [{"flow": given}])["flow"]
    assert isinstance(config, FlowConfig)
    return config


def key(config: FlowConfig, tmp_path: Path) -> str:
    hashes = FileHashes(tmp_path / "hashes.json")
    return make_key(STAGE, config, {"frames": "0"}, None, hashes).name


def test_only_the_chosen_model_s_options_are_in_the_key():
    for model, group, other in [("dis", "dis", "raft"), ("raft-large", "raft", "mvflow")]:
        options = FlowConfig(model=model).key_options()
        assert group in options
        assert other not in options
    plain = FlowConfig(model="raft-small").key_options()
    assert FlowConfig(model="raft-small", dis={"preset": "fast"}).key_options() == plain
    assert FlowConfig(model="raft-small", raft={"updates": 3}).key_options() != plain
    assert FlowConfig(model="raft-small", pairs={"partners": 5}).key_options() != plain


@pytest.mark.parametrize(
    ("old", "now"),
    [
        ("updates", "raft.updates"),
        ("dis_preset", "dis.preset"),
        ("offsets", "pairs.offsets"),
        ("partners", "pairs.partners"),
        ("weights", "raft.weights"),
        ("precision", "mvflow.precision"),
    ],
)
def test_an_old_name_is_told_the_new_one(old: str, now: str):
    with pytest.raises(UsageError, match=f"it is now '{now}'"):
        built(**{old: "1"})


@pytest.mark.parametrize(
    ("model", "group"), [("raft-large", "raft"), ("mvflow", "mvflow"), (None, "mvflow")]
)
def test_a_recorded_option_becomes_that_of_the_recorded_model(
    tmp_path: Path, model: str | None, group: str
):
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"some")
    recorded = {"weights": str(weights), "precision": "bf16", "partners": 3}
    if model:
        recorded["model"] = model
    config = built(**upgraded_options({"flow": FlowConfig}, {"flow": recorded})["flow"])
    assert config.given_weights == weights
    assert config.used_precision == "bf16"
    assert config.pairs.partners == 3
    assert config.group == group


def test_weights_are_known_by_their_content_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "w.pth").write_bytes(b"some")
    monkeypatch.chdir(tmp_path)
    config = built(**{"model": "raft-small", "raft.weights": "w.pth"})
    before = key(config, tmp_path)
    recorded = config.model_dump(mode="json")
    monkeypatch.chdir(tmp_path / "elsewhere")
    resumed = built(**recorded)
    assert resumed.given_weights == tmp_path / "w.pth"
    assert key(resumed, tmp_path) == before
    (tmp_path / "copy.pth").write_bytes(b"some")
    assert key(built(**{"model": "raft-small", "raft.weights": "../copy.pth"}), tmp_path) == before
    (tmp_path / "w.pth").write_bytes(b"other")
    assert key(resumed, tmp_path) != before
