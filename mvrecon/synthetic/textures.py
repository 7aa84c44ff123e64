"""Procedural textures: functions from surface coordinates in metres to colour.

Every texture is rich at all scales and repeats nowhere within a scene. Patterns that are
printed or laid in a plane use the first two coordinates and take the third as a seed;
the others are solid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mvrecon.synthetic.noise import FloatArray, cell_hash, fractal_noise

Texture = Callable[[FloatArray], FloatArray]
"""(n, 3) surface coordinates in metres → (n, 3) sRGB colours in 0…1."""

Colour = tuple[float, float, float]


def ramp(values_n: FloatArray, colours: Sequence[Colour]) -> FloatArray:
    """Colours (n, 3) linearly interpolated between `colours` at values in 0…1."""
    stops = np.linspace(0, 1, len(colours))
    channels = np.asarray(colours, np.float32).T
    return np.stack([np.interp(values_n, stops, channel) for channel in channels], 1).astype(
        np.float32
    )


def vector(values: Sequence[float]) -> FloatArray:
    """In single precision, as everything here."""
    return np.asarray(values, np.float32)


def contrast(values_n: FloatArray, strength: float) -> FloatArray:
    """Values in 0…1 spread from the middle."""
    return np.asarray(np.clip((values_n - 0.5) * np.float32(strength) + 0.5, 0, 1))


def grain(points_n3: FloatArray, size_m: float, amount: float, seed: int) -> FloatArray:
    """(n, 1) factor round 1 that roughens a colour."""
    noise_n = fractal_noise(points_n3 / np.float32(size_m), 3, seed, gain=0.7)
    return np.asarray((1 + np.float32(amount) * (noise_n - 0.5))[:, None], np.float32)


def clouds(colours: Sequence[Colour], size_m: float, seed: int, octaves: int = 7) -> Texture:
    """Fractal noise through a colour ramp."""

    def texture(points_n3: FloatArray) -> FloatArray:
        noise_n = fractal_noise(points_n3 / np.float32(size_m), octaves, seed, gain=0.66)
        return ramp(contrast(noise_n, 2.6), colours)

    return texture


def speckle(
    ground: Colour, colours: Sequence[Colour], size_m: float, share: float, seed: int
) -> Texture:
    """Spots of random size, place and colour on a ground (terrazzo, glaze, confetti)."""

    def texture(points_n3: FloatArray) -> FloatArray:
        colour_n3 = vector(ground) * grain(points_n3, size_m * 0.4, 0.5, seed)
        warp_n = fractal_noise(points_n3 / np.float32(size_m * 0.5), 2, seed + 9)
        for layer, scale in enumerate((1.0, 0.55, 0.3)):
            layer_seed = seed + 20 * (layer + 1)
            cells_n3 = points_n3 / np.float32(size_m * scale) + np.float32(layer * 11.3)
            id_n3 = np.floor(cells_n3).astype(np.int64)
            offset_n3 = np.stack([cell_hash(id_n3, layer_seed + axis) for axis in range(3)], 1)
            distance_n = np.linalg.norm(cells_n3 - id_n3 - 0.35 - 0.3 * offset_n3, axis=1)
            radius_n = 0.16 + 0.19 * cell_hash(id_n3, layer_seed + 3) + 0.12 * (warp_n - 0.5)
            chosen_n = cell_hash(id_n3, layer_seed + 4) < share
            pick_n = (cell_hash(id_n3, layer_seed + 5) * len(colours)).astype(np.int64)
            inside_n = chosen_n & (distance_n < radius_n)
            spot_n3 = np.asarray(colours, np.float32)[pick_n]
            colour_n3 = np.where(inside_n[:, None], spot_n3, colour_n3)
        return colour_n3 * grain(points_n3, size_m * 0.2, 0.3, seed + 7)

    return texture
