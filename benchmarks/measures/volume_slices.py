"""Slices put between thick ones: errors of volume and surface on solids of kinds not trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.measures.volumes import SEED, STAGES, pieces_of, run
from benchmarks.piece import Column, Piece, Place, Row, Table
from mvrecon.formats.mesh import read_mesh_ply
from mvrecon.synthetic.phantoms import SHEPP_LOGAN, Ellipsoid, centered, sampled

SPACINGS_MM = (2, 3, 5)
NOISES = (0.0, 0.1)
METHODS = ("none", "cubic", "learned")
SIDE = 60  # voxels of 1 mm; every spacing divides it
FAR_PERCENTILE = 95

Array = NDArray[np.float64]
# Apart from each other, in millimetres: an organ's lobe, plates and rods, turned in their slices.
CLUSTER = (
    Ellipsoid(1.0, (9, 7, 13), (-14, -12, -8), 25),
    Ellipsoid(1.0, (6, 10, 5), (13, -14, 10), 0),
    Ellipsoid(1.0, (12, 5, 6), (10, 12, -12), 40),
    Ellipsoid(1.0, (4, 4, 9), (-15, 14, 6), 0),
    Ellipsoid(1.0, (3, 8, 3), (14, 10, 16), -30),
)


@dataclass(frozen=True)
class Solid:
    """What is measured.

    Attributes:
        name: of it.
        density: at points, 0…1.
        bounds: ellipsoids that bound it, in millimetres.
        volume_mm3: of it.
        threshold: between it and what is around, of a thousand.
    """

    name: str
    density: Callable[[Array], Array]
    bounds: tuple[Ellipsoid, ...]
    volume_mm3: float
    threshold: int


def cluster() -> Solid:
    """Ellipsoids of one value."""
    density = _sum_of(CLUSTER)
    return Solid("ellipsoids", density, CLUSTER, sum(one.volume for one in CLUSTER), 500)


def skull() -> Solid:
    """That of Shepp and Logan's head, 0.8 to 1.9 mm thick, with what it encloses."""
    half = SIDE / 2
    scaled = tuple(
        Ellipsoid(
            one.adds,
            (one.axes_3[0] * half, one.axes_3[1] * half, one.axes_3[2] * half),
            (one.center_3[0] * half, one.center_3[1] * half, one.center_3[2] * half),
            one.turn_deg,
        )
        for one in SHEPP_LOGAN
    )
    outer, inner = scaled[:2]
    # Half-way to nothing outside (500) and to the brain inside (600), taken together.
    return Solid("skull", _sum_of(scaled), (outer, inner), outer.volume - inner.volume, 550)


def _sum_of(ellipsoids: tuple[Ellipsoid, ...]) -> Callable[[Array], Array]:
    def density(x: Array) -> Array:
        return np.asarray(sum(one.adds * one.contains(x) for one in ellipsoids))

    return density


def distance_mm(ellipsoid: Ellipsoid, x_n3: Array) -> Array:
    """Of points from an ellipsoid's surface, to first order."""
    turn = math.radians(ellipsoid.turn_deg)
    rotation_33 = np.array(
        [[math.cos(turn), math.sin(turn), 0], [-math.sin(turn), math.cos(turn), 0], [0, 0, 1]]
    )
    local_n3 = (x_n3 - ellipsoid.center_3) @ rotation_33.T / ellipsoid.axes_3
    radius_n = np.linalg.norm(local_n3, axis=1)
    slope_n = np.linalg.norm(local_n3 / ellipsoid.axes_3, axis=1) / np.maximum(radius_n, 1e-9)
    return np.asarray(np.abs(radius_n - 1) / np.maximum(slope_n, 1e-9))


def rows(solid: Solid, place: Place) -> Iterator[Row]:
    """A row for each spacing and noise."""
    thin = centered((SIDE,) * 3, (1.0, 1.0, 1.0))
    thin[:3, 3] += 0.3  # no symmetry helps
    values = 1000 * sampled(solid.density, (SIDE,) * 3, thin, samples=4)
    for spacing in SPACINGS_MM:
        thick = values.reshape(-1, spacing, SIDE, SIDE).mean(axis=1)
        grid = thin @ np.diag([1.0, 1.0, spacing, 1.0])
        grid[:3, 3] += thin[:3, 2] * (spacing - 1) / 2
        for noise in NOISES:
            noisy = thick + np.random.default_rng(SEED).normal(0, 1000 * noise + 1e-9, thick.shape)
            row: dict[str, object] = {"solid": solid.name, "spacing": spacing, "noise": noise}
            for method in METHODS:
                folder = place.runs / "volumes" / "slices"
                options = ["--denoise.slices.method", method, "--threshold", str(solid.threshold)]
                run_dir = run(noisy.round().astype(np.int16), grid, folder, options)
                mesh = read_mesh_ply(run_dir / "mesh.ply")
                off = [distance_mm(one, mesh.points.xyz_n3) for one in solid.bounds]
                nearest = np.min(off, axis=0)
                volume = sum(piece["volume_mm3"] for piece in pieces_of(run_dir))
                row |= {
                    f"{method}_volume": volume / solid.volume_mm3 - 1,
                    f"{method}_mean": float(nearest.mean()),
                    f"{method}_far": float(np.percentile(nearest, FAR_PERCENTILE)),
                }
            yield row


def _piece(name: str, solid: Callable[[], Solid]) -> Piece:
    return Piece(
        f"volumes-learned/{name}",
        lambda place: list(rows(solid(), place)),
        STAGES,
        weights=("volume/slicenet.pt",),
    )


def _columns() -> Iterator[Column]:
    names = {"none": "as it is", "cubic": "cubic", "learned": "learned"}
    for key, heading, form in (
        ("volume", "volume error", "+.1%"),
        ("mean", "surface, mean [mm]", ".2f"),
        ("far", "surface, 95 % [mm]", ".2f"),
    ):
        for method in METHODS:
            yield Column(f"{method}_{key}", f"{heading}: {names[method]}", form)


TABLE = Table(
    "volumes-learned",
    "Volumes: slices put between thick ones",
    """
Voxels of 1 mm within slices that are thicker; `--denoise.slices.method`: *as it is* (none: linear
between slices), *cubic*, *learned*. Solids of kinds that the network was not trained on. Noise is a
share of the contrast, in thick slices; without the network diffusion smooths it. Vertices of the
mesh against the exact surface. Not for diagnosis.
""",
    (
        Column("solid", "solid"),
        Column("spacing", "slices [mm]"),
        Column("noise", "noise", ".0%"),
        *_columns(),
    ),
    (_piece("ellipsoids", cluster), _piece("skull", skull)),
)
