"""Deterministic value noise and cell hashes: what procedural textures are made of."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

LATTICE_SIZE = 64
OCTAVE_RATIO = 1.93  # not 2, so that the lattice periods of two octaves never coincide
OCTAVE_SHIFT = 17.37


@cache
def _lattice(seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    return rng.random(LATTICE_SIZE**3, dtype=np.float32)


def value_noise(points_n3: FloatArray, seed: int) -> FloatArray:
    """Smoothly interpolated random lattice with cells of unit size.

    Args:
        points_n3: positions in cells.
        seed: of the lattice.

    Returns:
        (n,) values in 0…1.
    """
    lattice = _lattice(seed)
    floor_n3 = np.floor(points_n3)
    fraction_n3 = (points_n3 - floor_n3).astype(np.float32)
    weight_n3 = fraction_n3 * fraction_n3 * (3 - 2 * fraction_n3)
    low_n3 = floor_n3.astype(np.int64) % LATTICE_SIZE
    high_n3 = (low_n3 + 1) % LATTICE_SIZE
    value_n = np.zeros(len(points_n3), np.float32)
    for corner in range(8):
        bits = [(corner >> axis) & 1 for axis in range(3)]
        index_n = np.zeros(len(points_n3), np.int64)
        share_n = np.ones(len(points_n3), np.float32)
        for axis, bit in enumerate(bits):
            index_n = index_n * LATTICE_SIZE + (high_n3 if bit else low_n3)[:, axis]
            share_n *= weight_n3[:, axis] if bit else 1 - weight_n3[:, axis]
        value_n += share_n * lattice[index_n]
    return value_n


def fractal_noise(points_n3: FloatArray, octaves: int, seed: int, gain: float = 0.5) -> FloatArray:
    """Sum of octaves of value noise, each finer and `gain` times as strong.

    Args:
        points_n3: positions in cells of the coarsest octave.
        octaves: number of octaves.
        seed: of the lattice.
        gain: ratio of the amplitudes of two octaves.

    Returns:
        (n,) values in 0…1 with mean 0.5.
    """
    total_n = np.zeros(len(points_n3), np.float32)
    amplitude, amplitude_sum = 1.0, 0.0
    for octave in range(octaves):
        shifted_n3 = points_n3 * np.float32(OCTAVE_RATIO**octave) + np.float32(
            OCTAVE_SHIFT * octave
        )
        total_n += np.float32(amplitude) * value_noise(shifted_n3, seed)
        amplitude_sum += amplitude
        amplitude *= gain
    return total_n / np.float32(amplitude_sum)


def cell_hash(cells_nk: NDArray[np.int64], seed: int) -> FloatArray:
    """A uniform random number for each integer cell.

    Args:
        cells_nk: integer coordinates.
        seed: another seed gives independent numbers.

    Returns:
        (n,) values in 0…1.
    """
    state_n = np.full(len(cells_nk), seed * 0x9E3779B1 + 0x85EBCA6B & 0xFFFFFFFF, np.uint64)
    for column in range(cells_nk.shape[1]):
        state_n ^= cells_nk[:, column].astype(np.uint64) & np.uint64(0xFFFFFFFF)
        state_n = state_n * np.uint64(0xBF58476D1CE4E5B9)
        state_n ^= state_n >> np.uint64(29)
        state_n = state_n * np.uint64(0x94D049BB133111EB)
        state_n ^= state_n >> np.uint64(32)
    return (state_n >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
