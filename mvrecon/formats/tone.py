"""High dynamic range as a phone shows it: PQ and HLG pictures in BT.2020 become sRGB.

Transfer functions: ITU-R BT.2100-2, tables 4 and 5. Diffuse white of 203 nits (BT.2408) becomes
white but for room for highlights, which a smooth knee brings below it; hues stay.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Transfer = Literal["pq", "hlg"]
# FFmpeg's numbers (ISO/IEC 23091-2).
TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}

WHITE_NITS = 203.0
HLG_PEAK_NITS = 1000.0
HLG_GAMMA = 1.2
# Of white, linear: what is darker stays as it is.
KNEE = 0.5
LEVEL_BITS = 12  # of the tables

RGB709_FROM_RGB2020 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)


def to_srgb(rgb16_hw3: NDArray[np.uint16], transfer: Transfer) -> NDArray[np.uint8]:
    """8-bit sRGB (h, w, 3) of a 16-bit picture (h, w, 3) in BT.2020 with PQ or HLG."""
    light_hw3 = _linear_of(transfer)[rgb16_hw3 >> (16 - LEVEL_BITS)]
    if transfer == "hlg":
        # The display's part of the transfer: brighter scenes get more contrast.
        luminance_hw1 = (light_hw3 @ LUMINANCE_2020)[..., None]
        light_hw3 *= (HLG_PEAK_NITS / WHITE_NITS) * luminance_hw1 ** np.float32(HLG_GAMMA - 1.0)
    narrow_hw3 = np.maximum(light_hw3 @ RGB709_FROM_RGB2020.T, 0.0)
    brightest_hw1 = narrow_hw3.max(axis=2, keepdims=True)
    narrow_hw3 *= _below_white(brightest_hw1) / np.maximum(brightest_hw1, 1e-6)
    levels = (1 << LEVEL_BITS) - 1
    index_hw3 = (narrow_hw3 * levels + 0.5).astype(np.uint16).clip(0, levels)
    return np.asarray(_srgb_levels()[index_hw3])


def _below_white(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is above the knee is brought below 1, smoothly."""
    above = np.maximum(light - KNEE, 0.0) / (1.0 - KNEE)
    return np.where(light > KNEE, KNEE + (1.0 - KNEE) * above / (1.0 + above), light)


@cache
def _linear_of(transfer: Transfer) -> NDArray[np.float32]:
    """Light for each level: in units of white for PQ, of the scene (0…1) for HLG."""
    signal = np.linspace(0.0, 1.0, 1 << LEVEL_BITS)
    if transfer == "pq":
        root = signal ** (1 / 78.84375)
        light = np.maximum(root - 0.8359375, 0.0) / (18.8515625 - 18.6875 * root)
        return (10_000.0 / WHITE_NITS * light ** (1 / 0.1593017578125)).astype(np.float32)
    dark = signal**2 / 3
    bright = (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return np.where(signal <= 0.5, dark, bright).astype(np.float32)


@cache
def _srgb_levels() -> NDArray[np.uint8]:
    """Level in sRGB for each of linear light (IEC 61966-2-1)."""
    light = np.linspace(0.0, 1.0, 1 << LEVEL_BITS)
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * signal).astype(np.uint8)
