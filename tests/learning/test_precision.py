"""Which number format is used, and what the key says of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mvrecon.learning import precision
from mvrecon.learning.options import LearnedOptions
from mvrecon.learning.precision import (
    autocast,
    full_precision,
    has_bf16_units,
    used_precision,
)


@pytest.fixture(params=[True, False], ids=["with units", "without"])
def units(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[bool]:
    """Whether the processor has matrix units for 16 bits."""
    facts = tmp_path / "cpuinfo"
    facts.write_text("flags : fpu amx_bf16 sse" if request.param else "flags : fpu amx_bf16x sse")
    monkeypatch.setattr(precision, "PROCESSOR_FACTS", facts)
    has_bf16_units.cache_clear()
    yield request.param
    has_bf16_units.cache_clear()


def test_auto_takes_16_bits_where_processor_and_model_offer_them(units: bool) -> None:
    assert used_precision("auto", ("fp32", "bf16")) == ("bf16" if units else "fp32")
    assert used_precision("auto", ("fp32",)) == "fp32"


def test_what_is_asked_for_is_used(units: bool) -> None:
    assert used_precision("fp32", ("fp32", "bf16")) == "fp32"
    assert used_precision("bf16", ("fp32", "bf16")) == "bf16"


def test_a_system_that_tells_nothing_has_no_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "PROCESSOR_FACTS", tmp_path / "missing")
    has_bf16_units.cache_clear()
    assert not has_bf16_units()
    has_bf16_units.cache_clear()


def test_the_key_holds_the_precision_that_is_used(units: bool) -> None:
    used = "bf16" if units else "fp32"
    assert LearnedOptions().key_options() == {"precision": used}
    assert LearnedOptions(precision=used).key_options() == LearnedOptions().key_options()


def test_products_have_the_chosen_format() -> None:
    x = torch.ones(4, 4)
    with autocast("bf16"):
        assert (x @ x).dtype == torch.bfloat16
        with full_precision(torch.device("cpu")):
            assert (x @ x).dtype == torch.float32
    with autocast("fp32"):
        assert (x @ x).dtype == torch.float32
