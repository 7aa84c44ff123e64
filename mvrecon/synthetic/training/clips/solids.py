"""Solids that the scenes of posed clips are made of: triangles with a look."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.synthetic.shapes import FloatArray, Patch, box, leant_and_turned, revolved

MESH_SUFFIXES = {".obj", ".off", ".ply", ".glb", ".stl"}
LARGEST_MESH = 60_000


def uncoloured(coordinates_n3: NDArray[np.float32]) -> NDArray[np.float32]:
    """The texture of patches that get their colour as solids."""
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
        rotation = leant_and_turned(turn_deg, lean_deg)
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
    return box(size, uncoloured, 0, inward)


def shifted(patches: list[Patch], x: float, y: float, z: float) -> list[Patch]:
    """The patches moved."""
    shift = np.array([x, y, z])
    return [replace(patch, positions_rc3=patch.positions_rc3 + shift) for patch in patches]


def upright(radius: float, height: float) -> list[Patch]:
    """A thin cylinder that stands on z = 0."""
    profile = np.array([[radius, 0.0], [radius, height], [0.0, height]])
    # A seam of its own keeps the lid's normals from bending the side's.
    return revolved(profile[:2], uncoloured, segments=10) + revolved(
        profile[1:], uncoloured, segments=10
    )


def load_meshes(folder: Path) -> list[Triangles]:
    """Meshes of a folder and its subfolders (ShapeNet, ModelNet, scans), each made 1 m large.

    OBJ, OFF, PLY, GLB and STL; y is taken for up. Unreadable ones are left out.
    """
    import open3d as o3d

    meshes = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in MESH_SUFFIXES):
        mesh = o3d.io.read_triangle_mesh(path)
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
