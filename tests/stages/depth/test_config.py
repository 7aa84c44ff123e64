from __future__ import annotations

import pytest

from mvrecon.config import build_configs
from mvrecon.errors import UsageError
from stages.depth.config import DepthConfig


def test_both_models_depend_on_the_sweep() -> None:
    for model in ("sweep", "learned"):
        keys = [
            DepthConfig(model=model, sweep={"use_flow": used}).key_options()
            for used in (True, False)
        ]
        assert keys[0] != keys[1]
    assert "learned" not in DepthConfig(model="sweep").key_options()


@pytest.mark.parametrize("old", DepthConfig.renamed)
def test_an_old_name_leads_to_the_new_one(old: str) -> None:
    with pytest.raises(UsageError, match=DepthConfig.renamed[old]):
        build_configs({"depth": DepthConfig}, [{"depth": {old: "auto"}}])
