from __future__ import annotations

from pathlib import Path

import pytest

from mvrecon.config import build_configs
from mvrecon.errors import UsageError
from stages.fusion.config import FusionConfig
from stages.fusion.stage import shipped_files


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "some.pt"
    path.write_bytes(b"weights")
    return path


def test_only_what_is_used_is_in_the_key(weights: Path) -> None:
    plain = FusionConfig()
    assert set(plain.key_options()) == {"model", "neighbors", "tolerance"}
    idle = FusionConfig(recurrent={"weights": weights}, completion={"weights": weights})
    assert idle.key_options() == plain.key_options()
    assert idle.content_files() == {}
    both = FusionConfig(model="both", completion={"method": "prior"})
    assert both.key_options()["completion"] == {"method": "prior"}
    assert both.key_options()["recurrent"]["precision"] in ("fp32", "bf16")
    inpainted = FusionConfig(completion={"method": "inpainting", "weights": weights})
    assert inpainted.content_files() == {}
    assert inpainted.key_options() != plain.key_options()


def test_given_weights_count_in_the_place_of_the_shipped_ones(weights: Path) -> None:
    shipped = FusionConfig(model="forward", completion={"method": "prior"})
    assert set(shipped_files(shipped)) == {"fusion", "completion"}
    assert shipped.content_files() == {}
    given = FusionConfig(
        model="forward",
        recurrent={"weights": weights},
        completion={"method": "prior", "weights": weights},
    )
    assert shipped_files(given) == {}
    assert given.content_files() == {"recurrent.weights": weights, "completion.weights": weights}


@pytest.mark.parametrize("old", FusionConfig.renamed)
def test_an_old_name_leads_to_the_new_one(old: str) -> None:
    with pytest.raises(UsageError, match=FusionConfig.renamed[old]):
        build_configs({"fusion": FusionConfig}, [{"fusion": {old: "none"}}])


def test_another_number_format_is_another_result() -> None:
    options = [
        FusionConfig(model="both", recurrent={"precision": precision}).key_options()
        for precision in ("fp32", "bf16")
    ]
    assert options[0] != options[1]
    assert "recurrent" not in FusionConfig(model="geometric").key_options()
