"""Made-up volumes, thin slices and the thick ones that a scanner would make of them.

Solids bounded by waves, tori, boxes and trees of tubes, some of them hollow; textures, blur, noise.
Nothing here is an ellipsoid: those are for tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]
Places = tuple[Array, Array, Array]  # z, y, x in voxels, of shapes that broadcast to a volume's

FACTORS = (2, 3, 4, 5, 6)
# Of the noise mask of Immerkær (1996), which passes white noise of one deviation as six.
NOISE_MASK = np.outer([1, -2, 1], [1, -2, 1]).astype(np.float32)
MASK_GAIN = 6.0


class ThickVolume(NamedTuple):
    """A volume with thick slices, and what was between them.

    Attributes:
        thick_khw: what a scanner gives.
        thin_khw: the means over thin slices, without noise.
        noise: deviation of the noise, as one measures it.
        factor: thin slices to a thick one.
    """

    thick_khw: Array
    thin_khw: Array
    noise: float
    factor: int


def thick_volume(
    slices: int, size_hw: tuple[int, int], factor: int, random: np.random.Generator
) -> ThickVolume:
    """A random volume; contrasts in it are of the order of one."""
    shape = (slices * factor, *size_hw)
    thin_khw = scene(shape, stretch=float(random.uniform(0.85, 1.15)), random=random)
    # Mostly slices that touch; else with gaps, or overlapping.
    thickness = 1.0 if random.random() < 0.6 else float(random.uniform(0.6, 1.3))
    thick_khw = np.tensordot(averaging(slices, factor, thickness), thin_khw, 1)
    noise_khw = noise_like(thick_khw, random)
    masked = ndimage.convolve(noise_khw, NOISE_MASK[None])
    return ThickVolume(thick_khw + noise_khw, thin_khw, float(masked.std()) / MASK_GAIN, factor)


def averaging(slices: int, factor: int, thickness: float) -> Array:
    """What thin slices (columns) count in each thick one (rows), its thickness in its spacing."""
    middles = (np.arange(slices) + 0.5)[:, None] * factor
    edges = np.arange(slices * factor)[None]
    low = np.maximum(middles - thickness * factor / 2, edges)
    high = np.minimum(middles + thickness * factor / 2, edges + 1)
    overlap = np.maximum(high - low, 0)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), np.float32)


def noise_like(volume_khw: Array, random: np.random.Generator) -> Array:
    """None for a third; else white, or blurred within slices as reconstructed images have it."""
    if random.random() < 0.33:
        return np.zeros_like(volume_khw)
    noise_khw = random.standard_normal(volume_khw.shape, np.float32)
    if random.random() < 0.4:
        blur = float(random.uniform(0.3, 0.8))
        noise_khw = ndimage.gaussian_filter(noise_khw, (0, blur, blur))
        noise_khw /= noise_khw.std()
    return np.asarray(noise_khw * np.float32(0.2 * random.uniform(0.1, 1) ** 2), np.float32)


def scene(shape: tuple[int, int, int], stretch: float, random: np.random.Generator) -> Array:
    """Solids of random values, each before the ones before it.

    Args:
        shape: slices, rows, columns.
        stretch: distance of slices, in that of rows.
        random: of everything.
    """
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    places = tuple(np.asarray(axis, np.float32) for axis in (z * stretch, y, x))
    extent_3 = np.array([shape[0] * stretch, shape[1], shape[2]])
    background = random.uniform(-1, 1)
    volume = np.full(shape, background, np.float32)
    for _ in range(int(random.integers(4, 11))):
        kind = SOLIDS[int(random.integers(len(SOLIDS)))]
        distance = kind((places[0], places[1], places[2]), extent_3, random)
        cover = covered(distance)
        if random.random() < 0.3:
            wall = 0.7 + 4 * random.random() ** 2
            inner = covered(distance + np.float32(wall))
            if random.random() < 0.7:
                cover = cover - inner  # hollow: what was there shows in it
        value = random.uniform(-1, 1)
        volume += (np.float32(value) - volume) * cover
    if random.random() < 0.5:
        grain = ndimage.gaussian_filter(
            random.standard_normal(shape, np.float32), random.uniform(0.8, 3)
        )
        volume += grain * np.float32(random.uniform(0.01, 0.08) / grain.std())
    return np.asarray(ndimage.gaussian_filter(volume, random.uniform(0.0, 0.7)), np.float32)


def covered(distance: Array) -> Array:
    """The share of voxels inside, for a surface that is flat at their scale."""
    return np.asarray(np.clip(np.float32(0.5) - distance, 0, 1), np.float32)


def waves(places: Places, extent_3: NDArray[np.float64], random: np.random.Generator) -> Array:
    """Where a sum of plane waves is high."""
    value: Array = np.zeros((1, 1, 1), np.float32)
    slopes: list[Array] = [value] * 3
    for _ in range(5):
        direction = random.standard_normal(3)
        length = math.exp(random.uniform(math.log(9), math.log(50)))
        along_3 = (2 * math.pi / length * direction / np.linalg.norm(direction)).astype(np.float32)
        phase = sum(a * p for a, p in zip(along_3, places, strict=True))
        phase = phase + np.float32(random.uniform(0, 2 * math.pi))
        weight = np.float32(length**0.5)
        value = value + weight * np.cos(phase)
        sine = weight * np.sin(phase)
        slopes = [slope + a * sine for slope, a in zip(slopes, along_3, strict=True)]
    steepness = np.sqrt(sum(slope**2 for slope in slopes))
    level = np.quantile(value[::3, ::3, ::3], random.uniform(0.5, 0.95))
    return np.asarray((level - value) / np.maximum(steepness, 1e-3), np.float32)


def torus(places: Places, extent_3: NDArray[np.float64], random: np.random.Generator) -> Array:
    """A ring."""
    a, b, c = turned(places, extent_3, random)
    ring, tube = random.uniform(5, 18), random.uniform(1.0, 5)
    off = np.hypot(np.hypot(a, b) - np.float32(ring), c) - np.float32(tube)
    return np.asarray(off, np.float32)


def box(places: Places, extent_3: NDArray[np.float64], random: np.random.Generator) -> Array:
    """A box with round edges."""
    round_ = np.float32(random.uniform(0, 3))
    sides = [
        np.abs(axis) - np.float32(random.uniform(1, 14))
        for axis in turned(places, extent_3, random)
    ]
    outside = np.sqrt(sum(np.maximum(side, 0) ** 2 for side in sides))
    inside = np.minimum(np.maximum(np.maximum(sides[0], sides[1]), sides[2]), 0)
    return np.asarray(outside + inside - round_, np.float32)


def tubes(places: Places, extent_3: NDArray[np.float64], random: np.random.Generator) -> Array:
    """A tree of tubes that get thinner."""
    whole = np.float32(np.inf)
    start_3, heading_3 = extent_3 * random.uniform(0, 1, 3), random.standard_normal(3)
    ends = [(start_3, heading_3 / np.linalg.norm(heading_3), random.uniform(1.2, 5))]
    for _ in range(int(random.integers(2, 8))):
        start_3, heading_3, radius = ends[int(random.integers(len(ends)))]
        heading_3 = heading_3 + 0.6 * random.standard_normal(3)
        heading_3 /= np.linalg.norm(heading_3)
        reach = random.uniform(6, 22)
        off = [(p - np.float32(s)) for p, s in zip(places, start_3, strict=True)]
        along = sum(o * np.float32(h) for o, h in zip(off, heading_3, strict=True))
        along = np.clip(along, 0, np.float32(reach))
        gaps = (o - along * np.float32(h) for o, h in zip(off, heading_3, strict=True))
        thin = radius * random.uniform(0.65, 0.95)
        width = np.float32(radius) + along * np.float32((thin - radius) / reach)
        whole = np.minimum(whole, np.sqrt(sum(gap**2 for gap in gaps)) - width)
        ends.append((start_3 + reach * heading_3, heading_3, max(thin, 0.7)))
    return np.asarray(whole, np.float32)


def turned(
    places: Places, extent_3: NDArray[np.float64], random: np.random.Generator
) -> list[Array]:
    """Places in axes that are turned, about a random place."""
    axes_33 = np.linalg.qr(random.standard_normal((3, 3)))[0].astype(np.float32)
    middle_3 = (extent_3 * random.uniform(0, 1, 3)).astype(np.float32)
    off = [place - middle for place, middle in zip(places, middle_3, strict=True)]
    return [
        np.asarray(sum(a * o for a, o in zip(axis_3, off, strict=True)), np.float32)
        for axis_3 in axes_33
    ]


Solid = Callable[[Places, NDArray[np.float64], np.random.Generator], Array]
SOLIDS: tuple[Solid, ...] = (waves, torus, box, tubes, tubes)
