"""Which values are inside: by name, by number, or from the histogram."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import NotEnoughDataError, UsageError
from mvrecon.formats.slabs import SlabFile

BINS = 4096


@dataclass(frozen=True)
class Band:
    """Values that are inside.

    Attributes:
        name: of the model's part.
        low, high: ends of the range, infinite where it has none.
        region: `all`; `filled`: with what it encloses in a slice; `enclosed`: without what
            reaches the edge of a slice, as the air around a body does.
    """

    name: str
    low: float
    high: float
    region: Literal["all", "filled", "enclosed"] = "all"


# Hounsfield units. Skin lies half-way between air (−1000) and soft tissue (about 0), the wall of a
# lung half-way between lung (−850) and soft tissue: there a voxel is half the one, half the other.
# Bone starts at the customary 226, where its spongy parts are not lost yet.
NAMED = {
    "bone": Band("bone", 226.0, math.inf),
    "skin": Band("skin", -500.0, math.inf, "filled"),
    "lung": Band("lung", -math.inf, -400.0, "enclosed"),
}


def parse_threshold(text: str, values: str) -> Band | None:
    """The band that an option asks for; None for `auto`.

    Raises:
        UsageError: it is not understood, or names tissue where the values are not Hounsfield units.
    """
    word = text.strip().lower()
    if word == "auto":
        return None
    if word in NAMED:
        if values != "hounsfield":
            raise UsageError(
                f"--segment.threshold {word} needs Hounsfield units, and the input does not say "
                "that its values are these",
                "Give a value, or --load.values hounsfield if it is a CT",
            )
        return NAMED[word]
    try:
        ends = [float(part) for part in word.replace("..", ",").split(",")]
    except ValueError:
        ends = []
    if len(ends) == 1 and math.isfinite(ends[0]):
        return Band("model", ends[0], math.inf)
    if len(ends) == 2 and ends[0] < ends[1]:
        return Band("model", ends[0], ends[1])
    raise UsageError(
        f"--segment.threshold {text!r} is not understood",
        f"Give {', '.join(NAMED)}, a value, LOW,HIGH, or auto",
    )


def automatic_band(volume: SlabFile, minimum: float, maximum: float) -> Band:
    """All above the middle of the two kinds of value into which a volume falls apart best.

    The two are parted where the variance between them is largest (Otsu 1979); the surface is put
    half-way between their medians, where a voxel is half the one and half the other.

    Raises:
        NotEnoughDataError: all values are equal.
    """
    if not maximum > minimum:
        raise NotEnoughDataError(
            f"every voxel has the same value, {minimum:g}", "Give a volume with something in it"
        )
    counts = np.zeros(BINS)
    for _, values in volume.slabs():
        counts += np.histogram(values, BINS, (minimum, maximum))[0]
    edges = np.linspace(minimum, maximum, BINS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    split = _otsu(counts, middles)
    low, high = (
        _median(counts[part], middles[part]) for part in (slice(0, split), slice(split, None))
    )
    return Band("model", (low + high) / 2, math.inf)


def _otsu(counts: NDArray[np.float64], middles: NDArray[np.float64]) -> int:
    """The first bin of the upper class."""
    below, above = np.cumsum(counts)[:-1], np.cumsum(counts[::-1])[::-1][1:]
    sums = counts * middles
    mean_below = np.cumsum(sums)[:-1] / np.maximum(below, 1)
    mean_above = np.cumsum(sums[::-1])[::-1][1:] / np.maximum(above, 1)
    return int(np.argmax(below * above * (mean_below - mean_above) ** 2)) + 1


def _median(counts: NDArray[np.float64], middles: NDArray[np.float64]) -> float:
    return float(middles[np.searchsorted(np.cumsum(counts), counts.sum() / 2)])
