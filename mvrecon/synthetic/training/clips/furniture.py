"""Rooms and furniture for posed clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mvrecon.synthetic.noise import fractal_noise
from mvrecon.synthetic.shapes import FloatArray, ellipsoid, height_field, revolved
from mvrecon.synthetic.training.clips.solids import (
    Solid,
    Triangles,
    block,
    material,
    shifted,
    solid,
    uncoloured,
    upright,
)
from mvrecon.synthetic.training.clips.things import clutter, vase


def shell(rng: np.random.Generator, size: tuple[float, float, float]) -> list[Solid]:
    """Walls, ceiling and floor of a room, seen from inside, with skirting and perhaps rugs."""
    width, depth, _ = size
    walls = material(rng, texels_per_m=float(rng.uniform(80, 250)))
    if rng.random() < 0.65:
        walls = replace(walls, contrast=float(rng.uniform(0.0, 0.05)), gloss=0.0)
    floor = material(rng, texels_per_m=float(rng.uniform(100, 350)))
    parts = [solid(block(size, inward=True), walls)]
    parts.append(solid(shifted(block((width, depth, 0.1)), 0, 0, -0.09), floor))
    if rng.random() < 0.5:
        skirting = shifted(block((width - 0.03, depth - 0.03, 0.1), inward=True)[:4], 0, 0, 0.01)
        parts.append(solid(skirting, material(rng)))
    for _ in range(rng.integers(0, 3)):
        rug = shifted(
            block((rng.uniform(0.5, 2), rng.uniform(0.5, 2), 0.02)),
            rng.uniform(-0.3, 0.3) * width,
            rng.uniform(-0.3, 0.3) * depth,
            0.01,
        )
        parts.append(solid(rug, material(rng)))
    return parts


def furniture(
    rng: np.random.Generator, meshes: Sequence[Triangles], standing_free: bool = False
) -> tuple[list[Solid], float]:
    """A piece of furniture and its width; its back is towards +y."""
    kinds = _STANDING_FREE if standing_free else _FURNITURE
    kind = kinds[rng.integers(len(kinds))]
    return kind(rng, meshes)


def _table(rng: np.random.Generator, meshes: Sequence[Triangles]) -> tuple[list[Solid], float]:
    width, depth, height = rng.uniform([0.6, 0.4, 0.4], [1.8, 0.9, 0.95])
    look = material(rng)
    leg = rng.uniform(0.01, 0.04)
    patches = shifted(block((width, depth, rng.uniform(0.015, 0.05))), 0, 0, height)
    for x in (-0.48, 0.48):
        for y in (-0.46, 0.46):
            patches += shifted(block((2 * leg, 2 * leg, height)), x * width, y * depth, 0)
    parts = [solid(patches, look)]
    for _ in range(rng.integers(0, 7)):
        at = rng.uniform(-0.42, 0.42, 2) * [width, depth]
        for part in clutter(rng, meshes):
            parts.append(part.placed((*at, height + 0.03), rng.uniform(0, 360)))
    return parts, width


def _chair(rng: np.random.Generator, _: Sequence[Triangles]) -> tuple[list[Solid], float]:
    size, seat, back = rng.uniform(0.38, 0.5), rng.uniform(0.4, 0.5), rng.uniform(0.8, 1.1)
    leg = rng.uniform(0.012, 0.025)
    patches = shifted(block((size, size, 0.04)), 0, 0, seat)
    for x in (-0.46, 0.46):
        for y in (-0.46, 0.46):
            tall = back if y > 0 else seat
            patches += shifted(block((2 * leg, 2 * leg, tall)), x * size, y * size, 0)
    bars = rng.integers(1, 5)
    for bar in range(bars):
        z = seat + 0.1 + (back - seat - 0.15) * (bar + 0.5) / bars
        patches += shifted(block((size, 0.02, rng.uniform(0.03, 0.14))), 0, 0.46 * size, z)
    return [solid(patches, material(rng))], size


def _shelf(rng: np.random.Generator, meshes: Sequence[Triangles]) -> tuple[list[Solid], float]:
    width, depth, height = rng.uniform([0.5, 0.22, 0.8], [1.6, 0.4, 2.2])
    board = 0.02
    rows = int(rng.integers(2, 6))
    patches = shifted(block((board, depth, height)), -width / 2, 0, 0)
    patches += shifted(block((board, depth, height)), width / 2, 0, 0)
    patches += shifted(block((width, 0.01, height)), 0, depth / 2, 0)
    parts = []
    for row in range(rows + 1):
        z = row * (height - board) / rows
        patches += shifted(block((width, depth, board)), 0, 0, z)
        x = -width / 2 + 0.03
        while row < rows and x < width / 2 - 0.06:
            thick, tall = rng.uniform(0.015, 0.07), rng.uniform(0.4, 0.85) * height / rows
            if rng.random() < 0.75:
                book = block((thick, rng.uniform(0.1, depth), tall))
                parts.append(solid(shifted(book, x + thick / 2, 0, z + board), material(rng)))
            elif rng.random() < 0.3:
                at = (x + 0.1, 0.0, z + board)
                parts += [part.placed(at) for part in clutter(rng, meshes, 0.5)]
                thick = 0.2
            x += thick
    return [solid(patches, material(rng)), *parts], width


def _cabinet(rng: np.random.Generator, meshes: Sequence[Triangles]) -> tuple[list[Solid], float]:
    width, depth, height = rng.uniform([0.4, 0.35, 0.5], [1.8, 0.6, 2.1])
    look, doors = material(rng), material(rng)
    parts = [solid(block((width, depth, height)), look)]
    columns, rows = rng.integers(1, 4), rng.integers(1, 4)
    for column in range(columns):
        for row in range(rows):
            door = block((width / columns - 0.02, 0.02, height / rows - 0.02))
            x = (column + 0.5) * width / columns - width / 2
            at = (x, -depth / 2 - 0.01, row * height / rows + 0.01)
            parts.append(solid(shifted(door, *at), doors))
    if height < 1.3:
        for _ in range(rng.integers(0, 5)):
            at = (*rng.uniform(-0.4, 0.4, 2) * [width, depth], height)
            parts += [p.placed(at, rng.uniform(0, 360)) for p in clutter(rng, meshes)]
    return parts, width


def _seat(rng: np.random.Generator, _: Sequence[Triangles]) -> tuple[list[Solid], float]:
    """A sofa or a bed, softly rounded."""
    width, depth = rng.uniform([0.7, 0.7], [2.2, 1.6])
    cloth = material(rng)
    swell = rng.uniform(0.02, 0.12)
    seed = int(rng.integers(1 << 30))

    def cushion(x: FloatArray, y: FloatArray) -> FloatArray:
        rim = np.clip((1 - (2 * x / width) ** 8) * (1 - (2 * y / depth) ** 8), 0, 1)
        points_n3 = np.stack([4 * x.ravel(), 4 * y.ravel(), 0 * x.ravel()], 1)
        folds = fractal_noise(points_n3.astype(np.float32), 3, seed).reshape(x.shape)
        return np.asarray(rim * (swell + 0.04 * folds))

    high = rng.uniform(0.3, 0.5)
    parts = [solid(block((width, depth, high)), cloth)]
    top = height_field((width, depth), cushion, uncoloured, 0, 0.06)
    parts.append(solid(shifted(top, 0, 0, high + 0.002), cloth))
    back = shifted(block((width, 0.18, rng.uniform(0.6, 1.0))), 0, depth / 2, 0)
    parts.append(solid(back, material(rng) if rng.random() < 0.3 else cloth))
    for _pillow in range(rng.integers(0, 4)):
        pillow = ellipsoid((0.22, 0.07, 0.2), uncoloured, 12)
        at = (rng.uniform(-0.4, 0.4) * width, 0.3 * depth, high)
        parts.append(solid(pillow, material(rng)).placed(at, rng.normal(0, 15), -15))
    return parts, width


def _lamp(rng: np.random.Generator, _: Sequence[Triangles]) -> tuple[list[Solid], float]:
    height, top = rng.uniform(0.8, 1.8), rng.uniform(0.06, 0.18)
    shade = revolved(np.array([[1.6 * top, height], [top, height + 0.3]]), uncoloured)
    inner = revolved(np.array([[top, height + 0.3], [1.59 * top, height]]), uncoloured)
    pole = upright(rng.uniform(0.006, 0.02), height + 0.1) + upright(0.14, 0.02)
    return [solid(pole, material(rng)), solid(shade + inner, material(rng))], 0.4


def _curtain(rng: np.random.Generator, _: Sequence[Triangles]) -> tuple[list[Solid], float]:
    width, height = rng.uniform(0.5, 2.0), rng.uniform(1.4, 2.4)
    waves, depth = rng.uniform(4, 14), rng.uniform(0.01, 0.07)

    def folds(x: FloatArray, y: FloatArray) -> FloatArray:
        return np.asarray(depth * np.sin(2 * np.pi * waves * x / width + 0.6 * np.sin(3 * y)))

    cloth = height_field((width, height), folds, uncoloured, 0, 0.03)
    upright = solid(cloth, material(rng)).placed((0, 0, 0), 0, 90)
    return [upright.placed((0, 0, height / 2 + 0.02))], width


def _plant(rng: np.random.Generator, _: Sequence[Triangles]) -> tuple[list[Solid], float]:
    size = rng.uniform(0.3, 1.3)
    pot = solid(vase(rng, 0.12, 0.2), material(rng))
    leaf_look = replace(material(rng), colour=(0.15, float(rng.uniform(0.25, 0.6)), 0.12))
    parts = [pot]
    for _leaf in range(rng.integers(6, 22)):
        length, width = rng.uniform(0.2, 0.6) * size, rng.uniform(0.02, 0.14) * size

        def bend(
            x: FloatArray, y: FloatArray, length: float = length, width: float = width
        ) -> FloatArray:
            return np.asarray(-0.5 * y * y / length + 0.5 * x * x / width)

        leaf = height_field((width, length), bend, uncoloured, 0, length / 8)
        leaf = shifted(leaf, 0, length / 2, 0)
        turn_deg, lean_deg = rng.uniform(0, 360), rng.uniform(10, 80)
        at = (0.0, 0.0, 0.18 + rng.uniform(0, 0.5) * size)
        parts.append(solid(leaf, leaf_look).placed(at, turn_deg, lean_deg))
    stem = solid(upright(0.008, 0.2 + 0.5 * size), leaf_look)
    return [*parts, stem], 0.5


_FURNITURE = (
    _table,
    _table,
    _chair,
    _shelf,
    _shelf,
    _cabinet,
    _cabinet,
    _seat,
    _lamp,
    _curtain,
    _plant,
)
_STANDING_FREE = (_table, _chair, _seat, _lamp)
