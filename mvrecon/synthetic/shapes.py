"""Surfaces made of patches: curved grids with a texture each.

World units are metres, z is up. A patch's rows × columns of vertices run so that the
cross product of the column and the row direction points outwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mvrecon.synthetic.textures import Texture

FloatArray = NDArray[np.float64]

FACE_AXES = ((0, 1, 2), (1, 2, 0), (2, 0, 1))


@dataclass(frozen=True)
class Patch:
    """A textured grid.

    Attributes:
        positions_rc3: vertices, metres.
        normals_rc3: unit shading normals.
        coordinates_rc3: texture coordinates of the vertices, metres.
        texture: evaluated on interpolated coordinates.
    """

    positions_rc3: FloatArray
    normals_rc3: FloatArray
    coordinates_rc3: FloatArray
    texture: Texture


def leant_and_turned(turn_deg: float, lean_deg: float) -> FloatArray:
    """Rotation (3, 3): leant about x, then turned about z."""
    turn, lean = np.deg2rad([turn_deg, lean_deg])
    about_z = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]]
    )
    return np.asarray(about_z @ about_x)


def placed(
    patches: list[Patch],
    at: tuple[float, float, float],
    turn_deg: float = 0.0,
    lean_deg: float = 0.0,
) -> list[Patch]:
    """The patches leant about x, turned about z, and moved; textures stick to them."""
    rotation = leant_and_turned(turn_deg, lean_deg)
    return [
        replace(
            patch,
            positions_rc3=patch.positions_rc3 @ rotation.T + at,
            normals_rc3=patch.normals_rc3 @ rotation.T,
        )
        for patch in patches
    ]


def quad(
    corner: FloatArray, along_column: FloatArray, along_row: FloatArray, texture: Texture, page: int
) -> Patch:
    """A parallelogram; `page` makes its print differ from that of other quads."""
    steps_r11, steps_1c1 = np.array([0.0, 1.0])[:, None, None], np.array([0.0, 1.0])[None, :, None]
    positions = corner + steps_1c1 * along_column + steps_r11 * along_row
    normal = np.cross(along_column, along_row)
    coordinates = np.zeros((2, 2, 3))
    coordinates[..., 0] = steps_1c1[..., 0] * np.linalg.norm(along_column)
    coordinates[..., 1] = steps_r11[..., 0] * np.linalg.norm(along_row)
    coordinates[..., 2] = page + 0.5
    return Patch(
        positions, np.broadcast_to(normal / np.linalg.norm(normal), (2, 2, 3)), coordinates, texture
    )


def box(
    size: tuple[float, float, float], texture: Texture, page: int, inward: bool = False
) -> list[Patch]:
    """An axis-aligned box centred on z's axis that stands on z = 0; `inward` makes a room."""
    low = np.array([-size[0] / 2, -size[1] / 2, 0.0])
    edges = np.diag(size)
    faces = []
    for number, (normal, first, second) in enumerate(FACE_AXES):
        column, row = (second, first) if inward else (first, second)
        far = low + edges[normal]
        faces.append(quad(low, edges[row], edges[column], texture, page + 2 * number))
        faces.append(quad(far, edges[column], edges[row], texture, page + 2 * number + 1))
    return faces


def _grid_normals(positions_rc3: FloatArray) -> FloatArray:
    """Unit normals by central differences; degenerate ones point up."""
    along_row, along_column = np.gradient(positions_rc3, axis=(0, 1))
    normals = np.cross(along_column, along_row)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.where(length > 1e-12, normals / np.maximum(length, 1e-12), [0.0, 0.0, 1.0])


def revolved(profile_m2: FloatArray, texture: Texture, segments: int = 64) -> list[Patch]:
    """A profile of (radius, height) turned about z, from the bottom outside upwards.

    Args:
        profile_m2: radius and height of the profile's points, metres.
        texture: evaluated on positions.
        segments: round the axis.
    """
    angle_c = np.linspace(0, 2 * np.pi, segments + 1)
    radius_r1, height_r1 = profile_m2[:, :1], profile_m2[:, 1:]
    positions = np.stack(
        [radius_r1 * np.cos(angle_c), radius_r1 * np.sin(angle_c), height_r1 + 0 * angle_c], -1
    )
    slopes = np.gradient(profile_m2, axis=0)
    slopes /= np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-12)
    normals = np.stack(
        [
            slopes[:, 1:] * np.cos(angle_c),
            slopes[:, 1:] * np.sin(angle_c),
            -slopes[:, :1] + 0 * angle_c,
        ],
        -1,
    )
    return [Patch(positions, normals, positions, texture)]


def ellipsoid(radii: tuple[float, float, float], texture: Texture, rings: int = 28) -> list[Patch]:
    """An ellipsoid that stands on z = 0."""
    polar = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)
    sphere = revolved(np.stack([np.cos(polar), np.sin(polar)], 1), texture, segments=2 * rings)[0]
    positions = sphere.positions_rc3 * radii
    normals = sphere.positions_rc3 / radii
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    lifted = positions + np.array([0.0, 0.0, radii[2]])
    return [Patch(lifted, normals, lifted, texture)]


def torus(ring_m: float, tube_m: float, texture: Texture, segments: int = 36) -> list[Patch]:
    """A ring in the x–z plane round the origin."""
    round_c = np.linspace(0, 2 * np.pi, segments + 1)
    tube_r = np.linspace(0, 2 * np.pi, segments // 2 + 1)[:, None]
    outward = np.stack(
        [
            np.cos(tube_r) * np.cos(round_c),
            np.sin(tube_r) + 0 * round_c,
            np.cos(tube_r) * np.sin(round_c),
        ],
        -1,
    )
    centre = np.stack([np.cos(round_c), 0 * round_c, np.sin(round_c)], -1)[None] * ring_m
    positions = centre + tube_m * outward
    return [Patch(positions[::-1], outward[::-1], positions[::-1], texture)]


def height_field(
    size: tuple[float, float],
    height: Callable[[FloatArray, FloatArray], FloatArray],
    texture: Texture,
    page: int,
    step_m: float = 0.01,
) -> list[Patch]:
    """A surface z = height(x, y) over a rectangle centred on the origin; seen from above."""
    columns, rows = (max(2, round(side / step_m) + 1) for side in size)
    x, y = np.meshgrid(
        np.linspace(-size[0] / 2, size[0] / 2, columns),
        np.linspace(-size[1] / 2, size[1] / 2, rows),
    )
    positions = np.stack([x, y, height(x, y)], -1)
    coordinates = np.stack([x + size[0] / 2, size[1] / 2 - y, np.full_like(x, page + 0.5)], -1)
    return [Patch(positions, _grid_normals(positions), coordinates, texture)]


def displaced(patches: list[Patch], offset: Callable[[FloatArray], FloatArray]) -> list[Patch]:
    """Closed surfaces (ellipsoids) moved along their normals by `offset(positions_n3)` metres."""
    moved = []
    for patch in patches:
        offsets = offset(patch.positions_rc3.reshape(-1, 3)).reshape(patch.positions_rc3.shape[:2])
        positions = patch.positions_rc3 + offsets[..., None] * patch.normals_rc3
        normals = _grid_normals(positions)
        normals[[0, -1]] = patch.normals_rc3[[0, -1]]
        seam = normals[:, 0] + normals[:, -1]
        normals[:, 0] = normals[:, -1] = seam / np.linalg.norm(seam, axis=-1, keepdims=True)
        moved.append(Patch(positions, normals, positions, patch.texture))
    return moved
