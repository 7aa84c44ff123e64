"""What the scenes of posed clips are furnished with: solids made of patches or of meshes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from mvrecon.synthetic.noise import fractal_noise
from mvrecon.synthetic.shapes import (
    FloatArray,
    Patch,
    box,
    displaced,
    ellipsoid,
    height_field,
    revolved,
    torus,
)

MESH_SUFFIXES = {".obj", ".off", ".ply", ".glb", ".stl"}
LARGEST_MESH = 60_000


def _uncoloured(coordinates_n3: NDArray[np.float32]) -> NDArray[np.float32]:
    return coordinates_n3


@dataclass(frozen=True)
class Material:
    """How a surface looks.

    Attributes:
        texture: which one, as a share of their number in 0…1.
        texels_per_m: of the texture.
        contrast: how much of the texture is left over its colour; 0 is a bare surface.
        colour: RGB in 0…1.
        gloss: strength of highlights.
    """

    texture: float
    texels_per_m: float
    contrast: float
    colour: tuple[float, float, float]
    gloss: float


@dataclass(frozen=True)
class Triangles:
    """A mesh with normals for shading.

    Attributes:
        vertices_n3, normals_n3: metres, unit length.
        faces_m3: indices of vertices.
    """

    vertices_n3: FloatArray
    normals_n3: FloatArray
    faces_m3: NDArray[np.int64]


@dataclass(frozen=True)
class Solid:
    """Triangles of one material, standing on z = 0."""

    triangles: Triangles
    material: Material

    def placed(
        self, at: tuple[float, float, float], turn_deg: float = 0.0, lean_deg: float = 0.0
    ) -> Solid:
        """Leant about x, turned about z, and shifted."""
        turn, lean = np.deg2rad([turn_deg, lean_deg])
        about_z = np.array(
            [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
        )
        about_x = np.array(
            [[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]]
        )
        rotation = about_z @ about_x
        old = self.triangles
        new = Triangles(
            old.vertices_n3 @ rotation.T + at, old.normals_n3 @ rotation.T, old.faces_m3
        )
        return replace(self, triangles=new)


def solid(patches: list[Patch], material: Material) -> Solid:
    """One solid of several patches."""
    vertices, normals, faces, first = [], [], [], 0
    for patch in patches:
        rows, columns = patch.positions_rc3.shape[:2]
        corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel() + first
        halves = [[corner, corner + 1, corner + columns + 1]]
        halves.append([corner, corner + columns + 1, corner + columns])
        faces.append(np.concatenate([np.stack(half, 1) for half in halves]))
        vertices.append(patch.positions_rc3.reshape(-1, 3))
        normals.append(np.broadcast_to(patch.normals_rc3, patch.positions_rc3.shape).reshape(-1, 3))
        first += rows * columns
    return Solid(
        Triangles(np.concatenate(vertices), np.concatenate(normals), np.concatenate(faces)),
        material,
    )


def material(rng: np.random.Generator, texels_per_m: float | None = None) -> Material:
    """A random look; a third of the surfaces have next to no texture."""
    contrast = float(rng.choice([rng.uniform(0.0, 0.06), rng.uniform(0.1, 1.0), 1.0]))
    shade = rng.uniform(0.1, 0.95)
    colour = np.clip(shade + rng.normal(0, 0.12, 3), 0.03, 0.98)
    gloss = float(rng.uniform(0.2, 0.9)) if rng.random() < 0.2 else 0.0
    density = texels_per_m or float(np.exp(rng.uniform(np.log(120), np.log(900))))
    return Material(float(rng.random()), density, contrast, tuple(colour), gloss)


def block(size: tuple[float, float, float], inward: bool = False) -> list[Patch]:
    """A box that stands on z = 0."""
    return box(size, _uncoloured, 0, inward)


def _shifted(patches: list[Patch], x: float, y: float, z: float) -> list[Patch]:
    shift = np.array([x, y, z])
    return [replace(patch, positions_rc3=patch.positions_rc3 + shift) for patch in patches]


def _pole(radius: float, height: float) -> list[Patch]:
    profile = np.array([[radius, 0.0], [radius, height], [0.0, height]])
    # A seam of its own keeps the lid's normals from bending the side's.
    return revolved(profile[:2], _uncoloured, segments=10) + revolved(
        profile[1:], _uncoloured, segments=10
    )


def shell(rng: np.random.Generator, size: tuple[float, float, float]) -> list[Solid]:
    """Walls, ceiling and floor of a room, seen from inside, with skirting and perhaps rugs."""
    width, depth, _ = size
    walls = material(rng, texels_per_m=float(rng.uniform(80, 250)))
    if rng.random() < 0.65:
        walls = replace(walls, contrast=float(rng.uniform(0.0, 0.05)), gloss=0.0)
    floor = material(rng, texels_per_m=float(rng.uniform(100, 350)))
    parts = [solid(block(size, inward=True), walls)]
    parts.append(solid(_shifted(block((width, depth, 0.1)), 0, 0, -0.09), floor))
    if rng.random() < 0.5:
        skirting = _shifted(block((width - 0.03, depth - 0.03, 0.1), inward=True)[:4], 0, 0, 0.01)
        parts.append(solid(skirting, material(rng)))
    for _ in range(rng.integers(0, 3)):
        rug = _shifted(
            block((rng.uniform(0.5, 2), rng.uniform(0.5, 2), 0.02)),
            *rng.uniform(-0.3, 0.3, 2) * [width, depth],
            0.01,
        )
        parts.append(solid(rug, material(rng)))
    return parts


def picture(rng: np.random.Generator) -> Solid:
    """A thin framed thing, its back at y = 0 towards +y."""
    size = (rng.uniform(0.2, 1.4), rng.uniform(0.01, 0.06), rng.uniform(0.2, 1.1))
    return solid(block(size), material(rng))


def furniture(
    rng: np.random.Generator, meshes: Sequence[Triangles], standing_free: bool = False
) -> tuple[list[Solid], float]:
    """A piece of furniture and its width; its back is towards +y."""
    kinds = [_table, _chair, _seat, _lamp] if standing_free else [*_FURNITURE]
    kind = kinds[rng.integers(len(kinds))]
    return kind(rng, meshes)


def _table(rng: np.random.Generator, meshes: Sequence[Triangles]) -> tuple[list[Solid], float]:
    width, depth, height = rng.uniform([0.6, 0.4, 0.4], [1.8, 0.9, 0.95])
    look = material(rng)
    leg = rng.uniform(0.01, 0.04)
    patches = _shifted(block((width, depth, rng.uniform(0.015, 0.05))), 0, 0, height)
    for x in (-0.48, 0.48):
        for y in (-0.46, 0.46):
            patches += _shifted(block((2 * leg, 2 * leg, height)), x * width, y * depth, 0)
    parts = [solid(patches, look)]
    for _ in range(rng.integers(0, 7)):
        at = rng.uniform(-0.42, 0.42, 2) * [width, depth]
        for part in clutter(rng, meshes):
            parts.append(part.placed((*at, height + 0.03), rng.uniform(0, 360)))
    return parts, width


def _chair(rng: np.random.Generator, _: Sequence[Triangles]) -> tuple[list[Solid], float]:
    size, seat, back = rng.uniform(0.38, 0.5), rng.uniform(0.4, 0.5), rng.uniform(0.8, 1.1)
    leg = rng.uniform(0.012, 0.025)
    patches = _shifted(block((size, size, 0.04)), 0, 0, seat)
    for x in (-0.46, 0.46):
        for y in (-0.46, 0.46):
            tall = back if y > 0 else seat
            patches += _shifted(block((2 * leg, 2 * leg, tall)), x * size, y * size, 0)
    bars = rng.integers(1, 5)
    for bar in range(bars):
        z = seat + 0.1 + (back - seat - 0.15) * (bar + 0.5) / bars
        patches += _shifted(block((size, 0.02, rng.uniform(0.03, 0.14))), 0, 0.46 * size, z)
    return [solid(patches, material(rng))], size


def _shelf(rng: np.random.Generator, meshes: Sequence[Triangles]) -> tuple[list[Solid], float]:
    width, depth, height = rng.uniform([0.5, 0.22, 0.8], [1.6, 0.4, 2.2])
    board = 0.02
    rows = int(rng.integers(2, 6))
    patches = _shifted(block((board, depth, height)), -width / 2, 0, 0)
    patches += _shifted(block((board, depth, height)), width / 2, 0, 0)
    patches += _shifted(block((width, 0.01, height)), 0, depth / 2, 0)
    parts = []
    for row in range(rows + 1):
        z = row * (height - board) / rows
        patches += _shifted(block((width, depth, board)), 0, 0, z)
        x = -width / 2 + 0.03
        while row < rows and x < width / 2 - 0.06:
            thick, tall = rng.uniform(0.015, 0.07), rng.uniform(0.4, 0.85) * height / rows
            if rng.random() < 0.75:
                book = block((thick, rng.uniform(0.1, depth), tall))
                parts.append(solid(_shifted(book, x + thick / 2, 0, z + board), material(rng)))
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
            parts.append(solid(_shifted(door, *at), doors))
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
    top = height_field((width, depth), cushion, _uncoloured, 0, 0.06)
    parts.append(solid(_shifted(top, 0, 0, high + 0.002), cloth))
    back = _shifted(block((width, 0.18, rng.uniform(0.6, 1.0))), 0, depth / 2, 0)
    parts.append(solid(back, material(rng) if rng.random() < 0.3 else cloth))
    for _ in range(rng.integers(0, 4)):
        pillow = ellipsoid((0.22, 0.07, 0.2), _uncoloured, 12)
        at = (rng.uniform(-0.4, 0.4) * width, 0.3 * depth, high)
        parts.append(solid(pillow, material(rng)).placed(at, rng.normal(0, 15), -15))
    return parts, width


def _lamp(rng: np.random.Generator, _: Sequence[Triangles]) -> tuple[list[Solid], float]:
    height, top = rng.uniform(0.8, 1.8), rng.uniform(0.06, 0.18)
    shade = revolved(np.array([[1.6 * top, height], [top, height + 0.3]]), _uncoloured)
    inner = revolved(np.array([[top, height + 0.3], [1.59 * top, height]]), _uncoloured)
    pole = _pole(rng.uniform(0.006, 0.02), height + 0.1) + _pole(0.14, 0.02)
    return [solid(pole, material(rng)), solid(shade + inner, material(rng))], 0.4


def _curtain(rng: np.random.Generator, _: Sequence[Triangles]) -> tuple[list[Solid], float]:
    width, height = rng.uniform(0.5, 2.0), rng.uniform(1.4, 2.4)
    waves, depth = rng.uniform(4, 14), rng.uniform(0.01, 0.07)

    def folds(x: FloatArray, y: FloatArray) -> FloatArray:
        return np.asarray(depth * np.sin(2 * np.pi * waves * x / width + 0.6 * np.sin(3 * y)))

    cloth = height_field((width, height), folds, _uncoloured, 0, 0.03)
    upright = solid(cloth, material(rng)).placed((0, 0, 0), 0, 90)
    return [upright.placed((0, 0, height / 2 + 0.02))], width


def _plant(rng: np.random.Generator, _: Sequence[Triangles]) -> tuple[list[Solid], float]:
    size = rng.uniform(0.3, 1.3)
    pot = solid(_vase_profile(rng, 0.12, 0.2), material(rng))
    leaf_look = replace(material(rng), colour=(0.15, float(rng.uniform(0.25, 0.6)), 0.12))
    parts = [pot]
    for _ in range(rng.integers(6, 22)):
        length, width = rng.uniform(0.2, 0.6) * size, rng.uniform(0.02, 0.14) * size

        def bend(
            x: FloatArray, y: FloatArray, length: float = length, width: float = width
        ) -> FloatArray:
            return np.asarray(-0.5 * y * y / length + 0.5 * x * x / width)

        leaf = height_field((width, length), bend, _uncoloured, 0, length / 8)
        leaf = _shifted(leaf, 0, length / 2, 0)
        turn_deg, lean_deg = rng.uniform(0, 360), rng.uniform(10, 80)
        at = (0.0, 0.0, 0.18 + rng.uniform(0, 0.5) * size)
        parts.append(solid(leaf, leaf_look).placed(at, turn_deg, lean_deg))
    stem = solid(_pole(0.008, 0.2 + 0.5 * size), leaf_look)
    return [*parts, stem], 0.5


_FURNITURE = (_table, _table, _chair, _shelf, _shelf, _cabinet, _cabinet, _seat, _lamp)
_FURNITURE = (*_FURNITURE, _curtain, _plant)


def _vase_profile(rng: np.random.Generator, radius: float, height: float) -> list[Patch]:
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
        for patch in revolved(profile, _uncoloured, segments=28)
    ]


def clutter(
    rng: np.random.Generator, meshes: Sequence[Triangles], scale: float = 1.0
) -> list[Solid]:
    """A small thing for a table: books, boxes, mugs, balls, screens, bars, scans."""
    kind = rng.integers(8 if meshes else 7)
    look = material(rng)
    if kind in (0, 1):
        size = tuple(scale * rng.uniform([0.04, 0.04, 0.01], [0.3, 0.25, 0.3]))
        return [solid(block(size), look)]
    if kind == 2:
        height = scale * rng.uniform(0.06, 0.32)
        return [solid(_vase_profile(rng, height * rng.uniform(0.2, 0.6), height), look)]
    if kind == 3:
        radii = tuple(scale * rng.uniform(0.02, 0.1, 3))
        return [solid(ellipsoid(radii, _uncoloured, 16), look)]
    if kind == 4:
        height, width = scale * rng.uniform(0.2, 0.4), scale * rng.uniform(0.3, 0.65)
        screen = _shifted(block((width, 0.03, height)), 0, 0, 0.1)
        foot = block((0.04, 0.03, 0.12)) + block((0.2, 0.14, 0.01))
        return [solid(screen, look), solid(foot, material(rng))]
    if kind == 5:
        ring = scale * rng.uniform(0.03, 0.08)
        return [solid(torus(ring, 0.2 * ring, _uncoloured, 20), look).placed((0, 0, 1.2 * ring))]
    if kind == 6:
        pole = solid(_pole(rng.uniform(0.003, 0.012), scale * rng.uniform(0.15, 0.5)), look)
        return [pole.placed((0, 0, 0), rng.uniform(0, 360), rng.uniform(-25, 25))]
    return [_scan(rng, meshes, scale * rng.uniform(0.12, 0.3), look)]


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

    body = displaced(ellipsoid(tuple(radii), _uncoloured, 40), relief)
    return [solid(body, look)]


def _scan(
    rng: np.random.Generator, meshes: Sequence[Triangles], size: float, look: Material
) -> Solid:
    mesh = meshes[rng.integers(len(meshes))]
    return Solid(replace(mesh, vertices_n3=mesh.vertices_n3 * size), look)


def building(rng: np.random.Generator, width: float, height: float) -> list[Solid]:
    """A front at y = 0 facing −y with rows of windows, ledges and columns."""
    wall = material(rng, texels_per_m=float(rng.uniform(30, 120)))
    frame, glass = material(rng, texels_per_m=80), material(rng, texels_per_m=50)
    patches = _shifted(block((width, 4.0, height)), 0, 2.0 + 0.3, 0)
    columns, rows = int(rng.integers(3, 9)), int(rng.integers(2, 5))
    pitch, storey = width / columns, height / rows
    open_w, open_h = rng.uniform(0.3, 0.6) * pitch, rng.uniform(0.35, 0.65) * storey
    sill = 0.3 * (storey - open_h)
    front: list[Patch] = []
    for column in range(columns + 1):
        x = -width / 2 + column * pitch
        front += _shifted(block((pitch - open_w, 0.3, height)), x, 0.15, 0)
    for row in range(rows + 1):
        z = row * storey + sill - (storey - open_h)
        front += _shifted(block((width, 0.3, storey - open_h)), 0, 0.152, z)
    ledges: list[Patch] = []
    for row in range(1, rows + 1):
        if rng.random() < 0.6:
            deep, thick = rng.uniform(0.05, 0.5), rng.uniform(0.05, 0.3)
            ledges += _shifted(block((width, deep, thick)), 0, -deep / 2, row * storey - thick)
    for column in range(columns):
        if rng.random() < 0.4:
            x = -width / 2 + (column + rng.integers(0, 2) * 0.5) * pitch
            ledges += _shifted(_pole(rng.uniform(0.05, 0.25), height), x, -0.1, 0)
        x = -width / 2 + (column + 0.5) * pitch
        for row in range(rows):
            bar = block((0.06, 0.06, open_h))
            ledges += _shifted(bar, x, 0.25, row * storey + sill)
    parts = [solid(patches, glass), solid(front, wall)]
    return [*parts, solid(ledges, frame)] if ledges else parts


def street(rng: np.random.Generator) -> list[Solid]:
    """A tree, a post, a fence, a step or a bench."""
    kind = rng.integers(4)
    look = material(rng, texels_per_m=120)
    if kind == 0:
        height = rng.uniform(2, 5)
        trunk = solid(_pole(rng.uniform(0.06, 0.2), height), look)
        seed = int(rng.integers(1 << 30))
        size = rng.uniform(0.7, 1.6)

        def leaves(points_n3: FloatArray) -> FloatArray:
            noise_n = fractal_noise((points_n3 * 4).astype(np.float32), 4, seed)
            return np.asarray(1.2 * size * (noise_n - 0.5), np.float64)

        crown = displaced(ellipsoid((size, size, size), _uncoloured, 32), leaves)
        return [trunk, solid(crown, material(rng, 150)).placed((0, 0, height - 0.7))]
    if kind == 1:
        return [solid(_pole(rng.uniform(0.03, 0.08), rng.uniform(1, 5)), look)]
    if kind == 2:
        bars: list[Patch] = []
        for bar in range(12):
            bars += _shifted(block((0.03, 0.03, 1.1)), 0.15 * bar - 0.9, 0, 0)
        bars += _shifted(block((1.9, 0.04, 0.05)), 0, 0, 1.0)
        return [solid(bars, look)]
    return [solid(block(tuple(rng.uniform([0.5, 0.4, 0.3], [2.5, 1.0, 1.0]))), look)]


def load_meshes(folder: Path) -> list[Triangles]:
    """Meshes of a folder and its subfolders (ShapeNet, ModelNet, scans), each made 1 m large.

    OBJ, OFF, PLY, GLB and STL; y is taken for up. Unreadable ones are left out.
    """
    meshes = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in MESH_SUFFIXES):
        mesh = o3d.io.read_triangle_mesh(str(path))
        if len(mesh.triangles) == 0:
            continue
        if len(mesh.triangles) > LARGEST_MESH:
            mesh = mesh.simplify_quadric_decimation(LARGEST_MESH)
        mesh.compute_vertex_normals()
        axes = [0, 2, 1]
        vertices_n3 = np.asarray(mesh.vertices)[:, axes] * [1, -1, 1]
        low_3, high_3 = vertices_n3.min(0), vertices_n3.max(0)
        middle_3 = np.array([*(low_3 + high_3)[:2] / 2, low_3[2]])
        meshes.append(
            Triangles(
                (vertices_n3 - middle_3) / max(float((high_3 - low_3).max()), 1e-9),
                np.asarray(mesh.vertex_normals)[:, axes] * [1, -1, 1],
                np.asarray(mesh.triangles).astype(np.int64),
            )
        )
    return meshes
