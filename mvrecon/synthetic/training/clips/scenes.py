"""Random scenes for posed clips: rooms, desk tops, facades and single objects; metres, z up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.synthetic.shapes import FloatArray
from mvrecon.synthetic.training.clips.furniture import furniture, shell
from mvrecon.synthetic.training.clips.solids import Solid, Triangles, block, material, solid
from mvrecon.synthetic.training.clips.street import building, street
from mvrecon.synthetic.training.clips.things import clutter, picture, sculpture

ROOM_HEIGHT_M = (2.3, 3.2)


@dataclass(frozen=True)
class ClipScene:
    """Solids, and where a camera may go.

    Attributes:
        kind: name of the kind of scene.
        solids: what is there.
        targets_n3: points worth looking at.
        place: draws a camera position for a target.
        parallax_deg: angle between the first and the last frame seen from the target, from the
            least to the largest.
        lamp_m: where the main light is.
    """

    kind: str
    solids: list[Solid]
    targets_n3: FloatArray
    place: Callable[[FloatArray, np.random.Generator], FloatArray]
    parallax_deg: tuple[float, float]
    lamp_m: FloatArray


def room(rng: np.random.Generator, meshes: Sequence[Triangles]) -> ClipScene:
    """A furnished room seen from inside."""
    width, depth = rng.uniform(2.8, 7.5, 2)
    height = rng.uniform(*ROOM_HEIGHT_M)
    solids = shell(rng, (width, depth, height))
    targets: list[NDArray[np.float64]] = []
    for side in range(4):
        half, along = (depth / 2, width) if side % 2 == 0 else (width / 2, depth)
        position = -along / 2 + rng.uniform(0, 0.6)
        while position < along / 2 - 0.4:
            piece, size = furniture(rng, meshes)
            reach = min(size, along / 2 - position)
            if rng.random() < 0.92:
                away = half - rng.uniform(0.25, 0.6)
                turn_deg = 90.0 * side + rng.normal(0, 4)
                middle = position + reach / 2
                at = _on_side(side, middle, away)
                solids += [part.placed((*at, 0.0), turn_deg) for part in piece]
                targets.append(np.array([*at, rng.uniform(0.3, 1.5)]))
            position += reach + rng.uniform(0.05, 0.6)
        for _ in range(rng.integers(0, 4)):
            middle, up = rng.uniform(-along / 2 + 0.4, along / 2 - 0.4), rng.uniform(0.9, height)
            at = _on_side(side, middle, half)
            solids.append(picture(rng).placed((*at, up - 0.4), 90.0 * side))
            targets.append(np.array([*at, up]))
    for _ in range(rng.integers(1, 5)):
        spot = rng.uniform([-width / 4, -depth / 4], [width / 4, depth / 4])
        piece, _ = furniture(rng, meshes, standing_free=True)
        solids += [part.placed((*spot, 0.0), rng.uniform(0, 360)) for part in piece]
        targets.append(np.array([*spot, 0.5]))
    for _ in range(rng.integers(0, 8)):
        spot = rng.uniform([-width / 2.3, -depth / 2.3], [width / 2.3, depth / 2.3])
        solids += [
            part.placed((*spot, 0.0), rng.uniform(0, 360)) for part in clutter(rng, meshes, 1.4)
        ]

    def place(target: FloatArray, rng: np.random.Generator) -> FloatArray:
        low = np.array([-width / 2 + 0.3, -depth / 2 + 0.3, 0.7])
        return rng.uniform(low, [width / 2 - 0.3, depth / 2 - 0.3, min(height - 0.4, 1.9)])

    lamp = np.array([*rng.uniform(-0.3, 0.3, 2) * [width, depth], height - 0.15])
    return ClipScene("room", solids, np.array(targets), place, (2.0, 28.0), lamp)


def _on_side(side: int, along: float, away: float) -> tuple[float, float]:
    """A point in front of one of four walls."""
    angle = np.deg2rad(90.0 * side)
    x, y = along, away
    return float(np.cos(angle) * x - np.sin(angle) * y), float(
        np.sin(angle) * x + np.cos(angle) * y
    )


def _from_aside(target: FloatArray, azimuth: float, up: float, away_m: float) -> FloatArray:
    """The place at a distance from a target, seen from it at these angles [radians]."""
    flat = away_m * np.cos(up)
    offset = [flat * np.cos(azimuth), flat * np.sin(azimuth), away_m * np.sin(up)]
    return np.asarray(target + offset)


def desk(rng: np.random.Generator, meshes: Sequence[Triangles]) -> ClipScene:
    """Clutter on a table top before walls."""
    size = rng.uniform([0.9, 0.6], [2.0, 1.2])
    solids = [solid(block((*size, 0.04)), material(rng)).placed((0, 0, -0.04))]
    walls = rng.uniform(2.0, 5.0, 2)
    around = shell(rng, (*walls, 2.6))
    back = np.array([rng.uniform(-0.2, 0.2), walls[1] / 2 - size[1] / 2 - rng.uniform(0.0, 0.8)])
    solids += [part.placed((*-back * [1, -1], -0.75)) for part in around]
    targets = []
    for _ in range(rng.integers(5, 26)):
        at = rng.uniform(-0.5, 0.5, 2) * (size - 0.1)
        piece = clutter(rng, meshes)
        solids += [part.placed((*at, 0.0), rng.uniform(0, 360)) for part in piece]
        targets.append(np.array([*at, rng.uniform(0, 0.15)]))

    def place(target: FloatArray, rng: np.random.Generator) -> FloatArray:
        azimuth, up = np.deg2rad(rng.uniform(-160, -20)), np.deg2rad(rng.uniform(12, 60))
        return _from_aside(target, azimuth, up, rng.uniform(0.45, 1.4))

    lamp = np.array([*rng.uniform(-1.2, 1.2, 2), rng.uniform(0.9, 1.7)])
    return ClipScene("desk", solids, np.array(targets), place, (4.0, 45.0), lamp)


def facade(rng: np.random.Generator, meshes: Sequence[Triangles]) -> ClipScene:
    """The front of a building with what stands before it, under open sky or not."""
    del meshes
    width, height = rng.uniform(10, 22), rng.uniform(6, 14)
    ground = solid(block((80.0, 80.0, 0.2)), material(rng, texels_per_m=40))
    solids = [ground.placed((0, 0, -0.2)), *building(rng, width, height)]
    for _ in range(rng.integers(0, 3)):
        at = (rng.choice([-1, 1]) * rng.uniform(width / 2, width), rng.uniform(1, 12))
        solids += [
            part.placed((*at, 0.0), rng.uniform(-60, 60))
            for part in building(rng, rng.uniform(6, 15), rng.uniform(5, 16))
        ]
    for _ in range(rng.integers(1, 7)):
        at = (rng.uniform(-width / 2, width / 2), -rng.uniform(0.8, 5.0))
        solids += [part.placed((*at, 0.0), rng.uniform(0, 360)) for part in street(rng)]
    targets = rng.uniform([-width / 3, -0.5, 0.8], [width / 3, 0.0, height * 0.6], (6, 3))

    def place(target: FloatArray, rng: np.random.Generator) -> FloatArray:
        low = [target[0] - 4.0, -16.0, 1.2]
        return rng.uniform(low, [target[0] + 4.0, -6.0, 2.4])

    lamp = np.array([rng.uniform(-30, 30), -rng.uniform(10, 40), rng.uniform(20, 50)])
    return ClipScene("facade", solids, targets, place, (3.0, 35.0), lamp)


def objects(rng: np.random.Generator, meshes: Sequence[Triangles]) -> ClipScene:
    """A few things on the ground, seen from around, with little behind them."""
    texels = rng.uniform(200, 900)
    ground = material(rng, texels_per_m=texels)
    solids = [solid(block((6.0, 6.0, 0.1)), ground).placed((0, 0, -0.1))]
    if rng.random() < 0.5:
        solids += shell(rng, (rng.uniform(1.5, 5), rng.uniform(1.5, 5), 2.5))
    targets = []
    for _ in range(rng.integers(1, 6)):
        at = rng.normal(0, 0.16, 2)
        piece = sculpture(rng, meshes)
        solids += [part.placed((*at, 0.0), rng.uniform(0, 360)) for part in piece]
        targets.append(np.array([*at, rng.uniform(0.05, 0.25)]))

    def place(target: FloatArray, rng: np.random.Generator) -> FloatArray:
        azimuth, up = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(8, 55))
        return _from_aside(target, azimuth, up, rng.uniform(0.45, 1.1))

    lamp = np.array([*rng.uniform(-1.5, 1.5, 2), rng.uniform(0.9, 2.3)])
    return ClipScene("objects", solids, np.array(targets), place, (8.0, 70.0), lamp)


KINDS: dict[str, Callable[[np.random.Generator, Sequence[Triangles]], ClipScene]] = {
    "room": room,
    "desk": desk,
    "facade": facade,
    "objects": objects,
}
# Rooms are what is filmed most.
SHARES = {"room": 0.5, "desk": 0.2, "facade": 0.15, "objects": 0.15}


def draw_scene(
    rng: np.random.Generator, kind: str | None = None, meshes: Sequence[Triangles] = ()
) -> ClipScene:
    """A random scene, of a random kind if none is given."""
    kind = kind or str(rng.choice(list(SHARES), p=list(SHARES.values())))
    return KINDS[kind](rng, meshes)
