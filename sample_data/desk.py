"""The scene of the sample clip: things on a desk in the corner of a room."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera
from mvrecon.synthetic.lighting import Light
from mvrecon.synthetic.noise import fractal_noise
from mvrecon.synthetic.paths import HandArc
from mvrecon.synthetic.scene import BakedScene
from mvrecon.synthetic.shapes import (
    Patch,
    box,
    displaced,
    ellipsoid,
    height_field,
    placed,
    quad,
    revolved,
    torus,
)
from mvrecon.synthetic.textures import clouds, speckle
from sample_data.materials import bricks, marble, painted, printed, weave, wood

FloatArray = NDArray[np.float64]

DESK_CAMERA = Camera(width=640, height=480, fx=560.0, fy=560.0, cx=319.5, cy=239.5)

DESK_PATH = HandArc(
    target_m=(-0.06, -0.06, 0.09),
    radius_m=1.06,
    height_m=(0.40, 0.54),
    from_deg=64.0,
    to_deg=27.0,
)

DESK_LIGHT = Light(position_m=(1.75, 0.35, 1.55), radius_m=0.14)

WALL_M = -0.62
DESK_M = (1.9, 1.9)
DESK_TEXELS_PER_M = 640.0


def desk_scene(texels_per_m: float = DESK_TEXELS_PER_M) -> BakedScene:
    """Books, a vase, a mug, a box, fruit, a stone and a magazine before two walls; metres."""
    return BakedScene(_surroundings() + _furnishings() + _things(), DESK_LIGHT, texels_per_m)


def _surroundings() -> list[Patch]:
    """The desk top and the two walls behind it."""
    corner = np.array([WALL_M, WALL_M, 0.0])
    along_x, along_y = np.array([DESK_M[0], 0.0, 0.0]), np.array([0.0, DESK_M[1], 0.0])
    up = np.array([0.0, 0.0, 1.1])
    desk_top = wood((0.80, 0.60, 0.40), (0.36, 0.21, 0.11), 0.145, 11)
    brick_wall = bricks(
        [(0.45, 0.20, 0.15), (0.70, 0.36, 0.25), (0.84, 0.58, 0.44), (0.56, 0.42, 0.38)],
        (0.74, 0.71, 0.66),
        (0.2, 0.068),
        21,
    )
    plaster = clouds(
        [(0.30, 0.38, 0.36), (0.50, 0.58, 0.50), (0.70, 0.72, 0.60), (0.88, 0.85, 0.72)],
        0.17,
        31,
        9,
    )
    return [
        quad(corner, along_x, along_y, desk_top, 0),
        quad(corner, along_y, up, brick_wall, 1),
        quad(corner + along_x, -along_x, up, plaster, 2),
    ]


def _furnishings() -> list[Patch]:
    """What hangs on the walls and lies flat."""
    picture = painted(
        [
            (0.10, 0.20, 0.42),
            (0.16, 0.46, 0.60),
            (0.93, 0.83, 0.55),
            (0.86, 0.44, 0.22),
            (0.5, 0.13, 0.2),
        ],
        0.16,
        41,
    )
    frame = wood((0.42, 0.27, 0.16), (0.16, 0.09, 0.05), 0.04, 42)
    poster = printed((0.93, 0.90, 0.82), (0.13, 0.12, 0.18), 0.016, 43)
    cloth = weave([(0.62, 0.14, 0.16), (0.90, 0.80, 0.64), (0.16, 0.28, 0.46)], 0.0032, 44)
    return [
        *placed(box((0.44, 0.024, 0.32), frame, 3), (0.06, WALL_M + 0.012, 0.27)),
        *placed(box((0.38, 0.030, 0.26), picture, 9), (0.06, WALL_M + 0.015, 0.30)),
        *placed(box((0.006, 0.3, 0.4), poster, 15), (WALL_M + 0.003, 0.26, 0.24)),
        *placed(height_field((0.5, 0.34), _wrinkles, cloth, 21), (0.0, 0.02, 0.0), 38.0),
    ]


def _wrinkles(x: FloatArray, y: FloatArray) -> FloatArray:
    """A cloth of 0.5 × 0.34 m that lies flat at its rim and has folds within."""
    points_n3 = np.stack([x.ravel() * 7, y.ravel() * 11, np.zeros(x.size)], 1).astype(np.float32)
    folds = np.abs(fractal_noise(points_n3, 2, 45).reshape(x.shape) - 0.5) * 2
    rim = np.clip((0.25 - np.abs(x)) / 0.06, 0, 1) * np.clip((0.17 - np.abs(y)) / 0.06, 0, 1)
    return np.asarray(0.002 + 0.03 * rim * (1 - folds) ** 2)


def _pages(x: FloatArray, y: FloatArray) -> FloatArray:
    """An open magazine with its spine at x = 0."""
    away = np.abs(x) / 0.15
    return np.asarray(0.003 + 0.022 * np.sqrt(away) * (1 - away) * 2 + 0.002 * np.sin(9 * y))


def _lumps(points_n3: FloatArray) -> FloatArray:
    """Radial relief of the stone, metres."""
    noise_n = fractal_noise((points_n3 * 14).astype(np.float32), 4, 51)
    return np.asarray(0.06 * (noise_n - 0.5), np.float64)


def _things() -> list[Patch]:
    """What stands on the desk."""
    return [*_books(), *_pottery(), *_fruit(), *_paper()]


def _books() -> list[Patch]:
    covers = [
        printed((0.16, 0.25, 0.45), (0.90, 0.80, 0.45), 0.020, 61),
        painted([(0.10, 0.30, 0.24), (0.30, 0.52, 0.36), (0.84, 0.80, 0.62)], 0.05, 62),
        printed((0.62, 0.16, 0.15), (0.95, 0.90, 0.82), 0.014, 63),
    ]
    sizes = [(0.26, 0.19, 0.038), (0.23, 0.17, 0.030), (0.20, 0.145, 0.042)]
    turns_deg = [58.0, 41.0, 66.0]
    patches, height = [], 0.0
    for number, (cover, size, turn_deg) in enumerate(zip(covers, sizes, turns_deg, strict=True)):
        patches += placed(box(size, cover, 30 + 6 * number), (-0.36, 0.12, height), turn_deg)
        height += size[2]
    globe = marble((0.90, 0.86, 0.78), (0.20, 0.24, 0.36), 0.09, 64)
    return patches + placed(ellipsoid((0.066, 0.066, 0.066), globe), (-0.36, 0.12, height))


def _pottery() -> list[Patch]:
    height = np.linspace(0, 1, 26)
    belly = 0.050 + 0.048 * np.sin(np.pi * height**0.85) ** 2 - 0.018 * height**4
    outside = np.stack([belly, 0.30 * height], 1)
    inside = np.stack([np.linspace(belly[-1] - 0.006, 0.0, 12), np.full(12, 0.296)], 1)
    glaze = speckle(
        (0.20, 0.42, 0.46),
        [(0.95, 0.92, 0.84), (0.92, 0.66, 0.24), (0.08, 0.14, 0.22), (0.72, 0.28, 0.20)],
        0.034,
        0.75,
        71,
    )
    vase = revolved(np.concatenate([outside, inside]), glaze, segments=48)
    enamel = painted([(0.94, 0.92, 0.86), (0.26, 0.46, 0.66), (0.90, 0.74, 0.36)], 0.035, 72)
    mug_profile = [
        (0.0, 0.001),
        (0.040, 0.0),
        (0.042, 0.098),
        (0.038, 0.098),
        (0.037, 0.02),
        (0.0, 0.02),
    ]
    mug = [patch for piece in pairwise(mug_profile) for patch in revolved(np.array(piece), enamel)]
    mug += placed(torus(0.030, 0.007, enamel), (0.046, 0.0, 0.05))
    return placed(vase, (-0.30, -0.28, 0.0)) + placed(mug, (0.20, -0.12, 0.0), 100.0)


def _fruit() -> list[Patch]:
    peel = speckle(
        (0.88, 0.50, 0.14),
        [(0.96, 0.72, 0.30), (0.70, 0.30, 0.08), (0.98, 0.86, 0.5)],
        0.012,
        0.8,
        81,
    )
    skin = clouds([(0.72, 0.12, 0.12), (0.86, 0.30, 0.18), (0.88, 0.74, 0.34)], 0.03, 82)
    stone = clouds(
        [(0.24, 0.24, 0.23), (0.48, 0.47, 0.42), (0.72, 0.70, 0.62), (0.34, 0.40, 0.28)], 0.05, 83
    )
    rock = displaced(ellipsoid((0.085, 0.065, 0.055), stone, rings=36), _lumps)
    return [
        *placed(ellipsoid((0.040, 0.040, 0.038), peel), (-0.05, 0.20, 0.006), 20.0),
        *placed(ellipsoid((0.039, 0.039, 0.036), skin), (0.02, 0.135, 0.012), 70.0),
        *placed(rock, (0.02, -0.36, -0.006), 30.0),
    ]


def _paper() -> list[Patch]:
    carton = printed((0.92, 0.72, 0.26), (0.36, 0.10, 0.12), 0.017, 91)
    pages = printed((0.94, 0.93, 0.90), (0.12, 0.13, 0.20), 0.011, 92)
    return [
        *placed(box((0.15, 0.075, 0.215), carton, 60), (-0.06, -0.14, 0.0), 62.0),
        *placed(height_field((0.30, 0.21), _pages, pages, 70, 0.006), (0.30, 0.24, 0.0), 128.0),
    ]
