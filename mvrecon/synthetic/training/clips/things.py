"""Small things for the scenes of posed clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mvrecon.synthetic.noise import fractal_noise
from mvrecon.synthetic.shapes import FloatArray, Patch, displaced, ellipsoid, revolved, torus
from mvrecon.synthetic.training.clips.solids import (
    Material,
    Solid,
    Triangles,
    block,
    material,
    shifted,
    solid,
    uncoloured,
    upright,
)

SCAN_SHARE = 0.125


def picture(rng: np.random.Generator) -> Solid:
    """A thin framed thing, its back at y = 0 towards +y."""
    size = (rng.uniform(0.2, 1.4), rng.uniform(0.01, 0.06), rng.uniform(0.2, 1.1))
    return solid(block(size), material(rng))


def clutter(
    rng: np.random.Generator, meshes: Sequence[Triangles], scale: float = 1.0
) -> list[Solid]:
    """A small thing for a table: books, boxes, mugs, balls, screens, bars, scans."""
    look = material(rng)
    if meshes and rng.random() < SCAN_SHARE:
        return [_scan(rng, meshes, scale * rng.uniform(0.12, 0.3), look)]
    kind = rng.integers(7)
    if kind <= 1:
        size = tuple(scale * rng.uniform([0.04, 0.04, 0.01], [0.3, 0.25, 0.3]))
        parts = [solid(block(size), look)]
    elif kind == 2:
        height = scale * rng.uniform(0.06, 0.32)
        parts = [solid(vase(rng, height * rng.uniform(0.2, 0.6), height), look)]
    elif kind == 3:
        radii = tuple(scale * rng.uniform(0.02, 0.1, 3))
        parts = [solid(ellipsoid(radii, uncoloured, 16), look)]
    elif kind == 4:
        height, width = scale * rng.uniform(0.2, 0.4), scale * rng.uniform(0.3, 0.65)
        screen = shifted(block((width, 0.03, height)), 0, 0, 0.1)
        foot = block((0.04, 0.03, 0.12)) + block((0.2, 0.14, 0.01))
        parts = [solid(screen, look), solid(foot, material(rng))]
    elif kind == 5:
        ring = scale * rng.uniform(0.03, 0.08)
        hoop = solid(torus(ring, 0.2 * ring, uncoloured, 20), look)
        parts = [hoop.placed((0, 0, 1.2 * ring))]
    else:
        pole = solid(upright(rng.uniform(0.003, 0.012), scale * rng.uniform(0.15, 0.5)), look)
        parts = [pole.placed((0, 0, 0), rng.uniform(0, 360), rng.uniform(-25, 25))]
    return parts


def sculpture(rng: np.random.Generator, meshes: Sequence[Triangles]) -> list[Solid]:
    """Something of a detailed shape, 10 to 40 cm large."""
    look = replace(material(rng), texels_per_m=float(rng.uniform(300, 1200)))
    if meshes and rng.random() < 0.5:
        return [_scan(rng, meshes, rng.uniform(0.15, 0.4), look)]
    if rng.random() < 0.4:
        return clutter(rng, meshes, 1.5)
    radii = rng.uniform(0.07, 0.2, 3)
    rough, seed = rng.uniform(0.1, 0.7), int(rng.integers(1 << 30))
    cells = rng.uniform(4, 14)

    def relief(points_n3: FloatArray) -> FloatArray:
        noise_n = fractal_noise((points_n3 * cells).astype(np.float32), 4, seed)
        return np.asarray(rough * radii.min() * (noise_n - 0.4), np.float64)

    body = displaced(ellipsoid(tuple(radii), uncoloured, 40), relief)
    return [solid(body, look)]


def _scan(
    rng: np.random.Generator, meshes: Sequence[Triangles], size: float, look: Material
) -> Solid:
    mesh = meshes[int(rng.integers(len(meshes)))]
    return Solid(replace(mesh, vertices_n3=mesh.vertices_n3 * size), look)


def vase(rng: np.random.Generator, radius: float, height: float) -> list[Patch]:
    """A hollow body of revolution."""
    steps = np.linspace(0, 1, 14)
    waves = rng.normal(0, 0.25, 3)
    swing = sum(wave * np.sin((k + 1) * np.pi * steps) for k, wave in enumerate(waves))
    around = np.clip(0.75 + swing, 0.15, 1.4) * radius
    outside = np.stack([around, steps * height], 1)
    top = np.array([[around[-1], height], [0.8 * around[-1], height - 0.03 * height]])
    hole = np.array([top[1], [0.0, height * rng.uniform(0.2, 0.95)]])
    return [
        patch
        for profile in (outside, top, hole)
        for patch in revolved(profile, uncoloured, segments=28)
    ]
