from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvrecon.config import build_configs
from mvrecon.engine.hashing import FileHashes
from mvrecon.engine.keys import make_key
from mvrecon.errors import UsageError
from mvrecon.learning import precision
from stages.flow.config import FlowConfig
from stages.flow.models.registry import load_flow_model
from stages.flow.stage import STAGE
from tests.stages.flow.scenes import shifted_pair


def processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str | None) -> None:
    """Let this machine have a processor with these flags; None where the system tells none."""
    facts = tmp_path / "cpuinfo"
    if flags is not None:
        facts.write_text(f"model name\t: some\nflags\t\t: fpu {flags} sse\n")
    monkeypatch.setattr(precision, "PROCESSOR_FACTS", facts)
    precision.has_bf16_units.cache_clear()


@pytest.fixture(autouse=True)
def forget():
    yield
    precision.has_bf16_units.cache_clear()


def key(tmp_path: Path, **options: object) -> str:
    hashes = FileHashes(tmp_path / "hashes.json")
    return make_key(STAGE, FlowConfig(**options), {"frames": "0"}, None, hashes).name


@pytest.mark.parametrize(
    ("flags", "used"),
    [("amx_bf16", "bf16"), ("avx512_bf16", "bf16"), ("avx512f", "fp32"), (None, "fp32")],
)
def test_auto_takes_bf16_where_the_processor_has_units_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str | None, used: str
):
    processor(monkeypatch, tmp_path, flags)
    assert FlowConfig(model="mvflow").used_precision == used
    assert load_flow_model(FlowConfig(model="mvflow")).precision == used
    assert FlowConfig(model="dis").used_precision == "fp32"


def test_a_result_is_told_apart_by_the_precision_that_made_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    keys = {}
    for flags in ("amx_bf16", "avx2"):
        processor(monkeypatch, tmp_path, flags)
        keys[flags] = {p: key(tmp_path, mvflow={"precision": p}) for p in precision_names()}
        keys[flags]["dis"] = key(tmp_path, model="dis")
    with_units, without = keys["amx_bf16"], keys["avx2"]
    assert with_units["auto"] == with_units["bf16"] == without["bf16"]
    assert without["auto"] == without["fp32"] == with_units["fp32"]
    assert with_units["bf16"] != with_units["fp32"]
    assert with_units["dis"] == without["dis"]


def precision_names() -> tuple[str, ...]:
    return ("auto", "fp32", "bf16")


def test_bf16_differs_from_fp32_by_little():
    images = shifted_pair(dx=4, dy=0)
    full, half = (
        load_flow_model(FlowConfig(mvflow={"precision": name})).estimate(*images).forward_hw2
        for name in ("fp32", "bf16")
    )
    assert 0.0 < np.abs(full - half).mean() < 0.05


def test_a_model_that_offers_no_choice_refuses_one():
    with pytest.raises(UsageError, match=r"no option --flow\.dis\.precision"):
        build_configs({"flow": FlowConfig}, [{"flow": {"model": "dis", "dis.precision": "bf16"}}])
