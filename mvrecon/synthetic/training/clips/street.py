"""Buildings and what stands before them, for posed clips."""

from __future__ import annotations

import numpy as np

from mvrecon.synthetic.noise import fractal_noise
from mvrecon.synthetic.shapes import FloatArray, Patch, displaced, ellipsoid
from mvrecon.synthetic.training.clips.solids import (
    Solid,
    block,
    material,
    shifted,
    solid,
    uncoloured,
    upright,
)


def building(rng: np.random.Generator, width: float, height: float) -> list[Solid]:
    """A front at y = 0 facing −y with rows of windows, ledges and columns."""
    wall = material(rng, texels_per_m=float(rng.uniform(30, 120)))
    frame, glass = material(rng, texels_per_m=80), material(rng, texels_per_m=50)
    patches = shifted(block((width, 4.0, height)), 0, 2.0 + 0.3, 0)
    columns, rows = int(rng.integers(3, 9)), int(rng.integers(2, 5))
    pitch, storey = width / columns, height / rows
    open_w, open_h = rng.uniform(0.3, 0.6) * pitch, rng.uniform(0.35, 0.65) * storey
    sill = 0.3 * (storey - open_h)
    front: list[Patch] = []
    for column in range(columns + 1):
        x = -width / 2 + column * pitch
        front += shifted(block((pitch - open_w, 0.3, height)), x, 0.15, 0)
    for row in range(rows + 1):
        z = row * storey + sill - (storey - open_h)
        front += shifted(block((width, 0.3, storey - open_h)), 0, 0.152, z)
    ledges: list[Patch] = []
    for row in range(1, rows + 1):
        if rng.random() < 0.6:
            deep, thick = rng.uniform(0.05, 0.5), rng.uniform(0.05, 0.3)
            ledges += shifted(block((width, deep, thick)), 0, -deep / 2, row * storey - thick)
    for column in range(columns):
        if rng.random() < 0.4:
            x = -width / 2 + (column + rng.integers(0, 2) * 0.5) * pitch
            ledges += shifted(upright(rng.uniform(0.05, 0.25), height), x, -0.1, 0)
        x = -width / 2 + (column + 0.5) * pitch
        for row in range(rows):
            bar = block((0.06, 0.06, open_h))
            ledges += shifted(bar, x, 0.25, row * storey + sill)
    parts = [solid(patches, glass), solid(front, wall)]
    return [*parts, solid(ledges, frame)] if ledges else parts


def street(rng: np.random.Generator) -> list[Solid]:
    """A tree, a post, a fence, a step or a bench."""
    kind = rng.integers(4)
    look = material(rng, texels_per_m=120)
    if kind == 0:
        height = rng.uniform(2, 5)
        trunk = solid(upright(rng.uniform(0.06, 0.2), height), look)
        seed = int(rng.integers(1 << 30))
        size = rng.uniform(0.7, 1.6)

        def leaves(points_n3: FloatArray) -> FloatArray:
            noise_n = fractal_noise((points_n3 * 4).astype(np.float32), 4, seed)
            return np.asarray(1.2 * size * (noise_n - 0.5), np.float64)

        crown = displaced(ellipsoid((size, size, size), uncoloured, 32), leaves)
        return [trunk, solid(crown, material(rng, 150)).placed((0, 0, height - 0.7))]
    if kind == 1:
        return [solid(upright(rng.uniform(0.03, 0.08), rng.uniform(1, 5)), look)]
    if kind == 2:
        bars: list[Patch] = []
        for bar in range(12):
            bars += shifted(block((0.03, 0.03, 1.1)), 0.15 * bar - 0.9, 0, 0)
        bars += shifted(block((1.9, 0.04, 0.05)), 0, 0, 1.0)
        return [solid(bars, look)]
    return [solid(block(tuple(rng.uniform([0.5, 0.4, 0.3], [2.5, 1.0, 1.0]))), look)]
