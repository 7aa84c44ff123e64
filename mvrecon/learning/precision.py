"""The number format that a network computes in, and what `auto` means on this processor."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "fp32", "bf16"]
UsedPrecision = Literal["fp32", "bf16"]
PROCESSOR_FACTS = Path("/proc/cpuinfo")
# Matrix units, and vector units: 0.6 of the time of 32 bits.
BF16_UNITS = frozenset({"amx_bf16", "avx512_bf16"})


def used_precision(asked: Precision, offered: Sequence[UsedPrecision]) -> UsedPrecision:
    """The precision that `asked` stands for here, of those that a model offers.

    `auto` takes 16 bits only where the processor computes with them; elsewhere they would be
    slower than 32. It differs between machines, so results are kept apart by what
    this returns, not by what was asked.
    """
    if asked != "auto":
        return asked
    return "bf16" if "bf16" in offered and has_bf16_units() else "fp32"


@lru_cache(maxsize=1)
def has_bf16_units() -> bool:
    """Whether this processor multiplies 16-bit numbers in hardware (told by Linux)."""
    try:
        return not BF16_UNITS.isdisjoint(PROCESSOR_FACTS.read_text().split())
    except OSError:
        return False


def autocast(precision: UsedPrecision) -> torch.autocast:
    """Convolutions and matrix products in this precision, what adds up stays in 32 bits."""
    import torch

    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")


def full_precision(device: torch.device) -> AbstractContextManager[None]:
    """Matrix products in the format of what they are given, also under `autocast`."""
    import torch

    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
