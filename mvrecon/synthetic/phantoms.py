"""Volumes of solids whose volume, area and surface are known exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Samples along each edge of a voxel: its value is the mean over it, as a scanner's is.
SAMPLES = 5


@dataclass(frozen=True)
class Phantom:
    """A solid, in millimetres.

    Attributes:
        name: of it.
        density: value at points (…, 3).
        distance: of points (n, 3) from its surface.
        volume_mm3, area_mm2: of it, the walls of its cavities included.
        threshold: half-way between the values inside and outside.
    """

    name: str
    density: Callable[[Array], Array]
    distance: Callable[[Array], Array]
    volume_mm3: float
    area_mm2: float
    threshold: float


def sphere(radius: float, inside: float = 1000.0, outside: float = 0.0) -> Phantom:
    """A ball about the origin."""
    return Phantom(
        "sphere",
        lambda x: np.where(np.linalg.norm(x, axis=-1) < radius, inside, outside),
        lambda x: np.asarray(np.abs(np.linalg.norm(x, axis=-1) - radius)),
        4 / 3 * math.pi * radius**3,
        4 * math.pi * radius**2,
        (inside + outside) / 2,
    )


def shell(outer: float, inner: float, inside: float = 1000.0) -> Phantom:
    """A hollow ball."""

    def density(x: Array) -> Array:
        r = np.linalg.norm(x, axis=-1)
        return np.where((r < outer) & (r > inner), inside, 0.0)

    def distance(x: Array) -> Array:
        r = np.linalg.norm(x, axis=-1)
        return np.asarray(np.minimum(np.abs(r - outer), np.abs(r - inner)))

    return Phantom(
        "shell",
        density,
        distance,
        4 / 3 * math.pi * (outer**3 - inner**3),
        4 * math.pi * (outer**2 + inner**2),
        inside / 2,
    )


def torus(ring: float, tube: float, inside: float = 1000.0) -> Phantom:
    """A ring about the third axis, of the radius `ring`, its tube of the radius `tube`."""

    def off(x: Array) -> Array:
        around = np.linalg.norm(x[..., :2], axis=-1) - ring
        return np.asarray(np.hypot(around, x[..., 2]) - tube)

    return Phantom(
        "torus",
        lambda x: np.where(off(x) < 0, inside, 0.0),
        lambda x: np.abs(off(x)),
        2 * math.pi**2 * ring * tube**2,
        4 * math.pi**2 * ring * tube,
        inside / 2,
    )


@dataclass(frozen=True)
class Ellipsoid:
    """One of a head phantom's: what it adds, half axes, centre, and a turn about the third axis."""

    adds: float
    axes_3: tuple[float, float, float]
    center_3: tuple[float, float, float]
    turn_deg: float

    def contains(self, x: Array) -> NDArray[np.bool_]:
        """Whether points (…, 3) lie in it."""
        turn = math.radians(self.turn_deg)
        cos, sin = math.cos(turn), math.sin(turn)
        rotation_33 = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        local = (x - np.array(self.center_3)) @ rotation_33.T / np.array(self.axes_3)
        return np.asarray(np.sum(local**2, axis=-1) < 1)

    @property
    def volume(self) -> float:
        """Of all of it."""
        return 4 / 3 * math.pi * math.prod(self.axes_3)


# The head phantom of Shepp and Logan in three dimensions, with the contrasts of Toft (1996), as
# Schabel's for MATLAB has it: skull, brain, ventricles, tumours. In half widths of the volume.
SHEPP_LOGAN = (
    Ellipsoid(1.0, (0.69, 0.92, 0.81), (0.0, 0.0, 0.0), 0),
    Ellipsoid(-0.8, (0.6624, 0.874, 0.78), (0.0, -0.0184, 0.0), 0),
    Ellipsoid(-0.2, (0.11, 0.31, 0.22), (0.22, 0.0, 0.0), -18),
    Ellipsoid(-0.2, (0.16, 0.41, 0.28), (-0.22, 0.0, 0.0), 18),
    Ellipsoid(0.1, (0.21, 0.25, 0.41), (0.0, 0.35, -0.15), 0),
    Ellipsoid(0.1, (0.046, 0.046, 0.05), (0.0, 0.1, 0.25), 0),
    Ellipsoid(0.1, (0.046, 0.046, 0.05), (0.0, -0.1, 0.25), 0),
    Ellipsoid(0.1, (0.046, 0.023, 0.05), (-0.08, -0.605, 0.0), 0),
    Ellipsoid(0.1, (0.023, 0.023, 0.02), (0.0, -0.606, 0.0), 0),
    Ellipsoid(0.1, (0.023, 0.046, 0.02), (0.06, -0.605, 0.0), 0),
)


def shepp_logan(half_width: float) -> Callable[[Array], Array]:
    """The head phantom's density at points (…, 3), in a cube of this half width."""

    def density(x: Array) -> Array:
        values = np.zeros(x.shape[:-1])
        for one in SHEPP_LOGAN:
            values += one.adds * one.contains(x / half_width)
        return values

    return density


def sampled(
    density: Callable[[Array], Array],
    shape_kji: tuple[int, int, int],
    mm_from_ijk_44: Array,
    samples: int = SAMPLES,
) -> NDArray[np.float32]:
    """The mean density over each voxel (k, j, i).

    Args:
        density: at points (…, 3), millimetres.
        shape_kji: slices, rows, columns.
        mm_from_ijk_44: from (column, row, slice, 1), voxel centres at integers.
        samples: along each edge of a voxel; 1 takes its centre only.
    """
    slices, rows, columns = shape_kji
    offsets = (np.arange(samples) + 0.5) / samples - 0.5
    volume = np.zeros(shape_kji, np.float32)
    j, i = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    for k in range(slices):
        total = np.zeros((rows, columns))
        for dk in offsets:
            for dj in offsets:
                for di in offsets:
                    ijk = np.stack([i + di, j + dj, np.full(i.shape, k + dk)], axis=-1)
                    total += density(ijk @ mm_from_ijk_44[:3, :3].T + mm_from_ijk_44[:3, 3])
        volume[k] = total / samples**3
    return volume


def centered(shape_kji: tuple[int, int, int], spacing_3: tuple[float, float, float]) -> Array:
    """`mm_from_ijk_44` of a grid about the origin."""
    mm_from_ijk_44 = np.diag([*spacing_3, 1.0])
    mm_from_ijk_44[:3, 3] = -0.5 * (np.array(shape_kji[::-1]) - 1) * spacing_3
    return mm_from_ijk_44
