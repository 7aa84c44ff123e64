"""Where rays hit solids: analytic primitives, height fields and small meshes.

Each is given in axes of its own and scaled to fit the cube of side 2 about the origin.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from mvrecon.synthetic.training.batch import Draws

BOXES, ELLIPSOIDS, CYLINDERS, FIELDS, MESHES = 6, 3, 3, 1, 2
# The first is the room.
SOLIDS = 1 + BOXES + ELLIPSOIDS + CYLINDERS + FIELDS + MESHES
FIRST_CURVED = 1 + BOXES
FIRST_FIELD = FIRST_CURVED + ELLIPSOIDS + CYLINDERS
FIRST_MESH = FIRST_FIELD + FIELDS
NEAREST = 0.2
WAVES = 4
MARCH_STEPS = 20
REFINE_STEPS = 4
GOLDEN = (1.0 + math.sqrt(5.0)) / 2.0


def hits(origins: Tensor, directions: Tensor, waves: Tensor, vertices: Tensor) -> Tensor:
    """Depth (b, p, n) at which each solid is hit, in lengths of the direction; else infinite.

    Args:
        origins: (b, p, 3, 1) of the rays, in each solid's axes.
        directions: (b, p, 3, n) of the rays, in each solid's axes.
        waves: (b, FIELDS, WAVES, 4) of the height fields, see `height`.
        vertices: (b, MESHES, 42, 3) of the meshes, see `faces`.
    """
    enter, leave = _slabs(origins[:, :FIRST_CURVED], directions[:, :FIRST_CURVED])
    boxes = torch.where(leave > enter, enter, math.inf)
    # The room is seen from inside, so what counts is where the ray leaves it.
    boxes = torch.cat([leave[:, :1], boxes[:, 1:]], 1)
    cylinder = FIRST_CURVED + ELLIPSOIDS
    part = slice(FIRST_CURVED, cylinder)
    enter, leave = _round(origins[:, part], directions[:, part])
    balls = torch.where(leave > enter, enter, math.inf)
    origin, direction = origins[:, cylinder:FIRST_FIELD], directions[:, cylinder:FIRST_FIELD]
    around = origins.new_tensor([1.0, 0.0, 1.0])[:, None]
    enter, leave = _round(origin * around, direction * around)
    bottom, top = _slabs(origin[:, :, 1:2], direction[:, :, 1:2])
    enter, leave = torch.maximum(enter, bottom), torch.minimum(leave, top)
    cylinders = torch.where(leave > enter, enter, math.inf)
    part = slice(FIRST_FIELD, FIRST_MESH)
    fields = _field_hits(origins[:, part], directions[:, part], waves)
    meshes = _mesh_hits(origins[:, FIRST_MESH:], directions[:, FIRST_MESH:], vertices)
    depths = torch.cat([boxes, balls, cylinders, fields, meshes], 1)
    return torch.where(depths > NEAREST, depths, math.inf)


def draw_waves(draws: Draws, count: int) -> Tensor:
    """Random height fields (count, FIELDS, WAVES, 4); the waves never leave the cube."""
    amplitude = draws.uniform(0.05, 0.9 / WAVES, count, FIELDS, WAVES, 1)
    frequency = 2.5 * draws.normal(count, FIELDS, WAVES, 2)
    return torch.cat(
        [amplitude, frequency, draws.uniform(0, 2 * math.pi, count, FIELDS, WAVES, 1)], -1
    )


def height(waves_nk4: Tensor, x_n: Tensor, z_n: Tensor) -> Tensor:
    """Height y of the fields: a sum of waves given by amplitude, frequencies and phase."""
    total = torch.zeros_like(x_n)
    for amplitude, along_x, along_z, phase in (wave.unbind(-1) for wave in waves_nk4.unbind(1)):
        total = total + amplitude * torch.sin(along_x * x_n + along_z * z_n + phase)
    return total


def draw_meshes(draws: Draws, count: int) -> Tensor:
    """Random star-shaped meshes (count, MESHES, 42, 3) with the `faces` of a sphere."""
    vertices_v3, _ = _sphere()
    radius = draws.uniform(0.45, 1.0, count, MESHES, len(vertices_v3), 1)
    return radius * vertices_v3.to(draws.device)


def faces() -> Tensor:
    """Triangles (80, 3) of all meshes, as indices of vertices."""
    return _sphere()[1]


def _sphere() -> tuple[Tensor, Tensor]:
    """An icosahedron divided once: vertices (42, 3) of length one, and faces (80, 3)."""
    signs = [(a, b * GOLDEN) for a in (-1.0, 1.0) for b in (-1.0, 1.0)]
    corners = torch.tensor(
        [(0.0, a, b) for a, b in signs]
        + [(a, b, 0.0) for a, b in signs]
        + [(b, 0.0, a) for a, b in signs]
    )
    corners = corners / corners.norm(dim=1, keepdim=True)
    near = torch.cdist(corners, corners) < 1.1
    triples = torch.combinations(torch.arange(12), 3)
    a, b, c = triples.unbind(1)
    triples = triples[near[a, b] & near[b, c] & near[a, c]]
    points = [tuple(point) for point in corners.tolist()]
    middles: dict[tuple[int, int], int] = {}
    small: list[list[int]] = []
    for triple in triples.tolist():
        ring = []
        for edge in pairwise([*triple, triple[0]]):
            key = (min(edge), max(edge))
            if key not in middles:
                middle = corners[list(edge)].mean(0)
                middles[key] = len(points)
                points.append(tuple((middle / middle.norm()).tolist()))
            ring.append(middles[key])
        one, two, three = triple
        small += [[one, ring[0], ring[2]], [two, ring[1], ring[0]], [three, ring[2], ring[1]], ring]
    return torch.tensor(points), torch.tensor(small)


def _field_hits(origins: Tensor, directions: Tensor, waves: Tensor) -> Tensor:
    """March through the cube to the first change of side, then halve that step."""
    enter, leave = _slabs(origins, directions)
    enter = enter.clamp(min=NEAREST)
    depths = torch.full_like(enter, math.inf)
    scene, solid, ray = torch.nonzero(leave > enter, as_tuple=True)
    origin = origins[scene, solid, :, 0]
    direction = directions.transpose(2, 3)[scene, solid, ray]
    wave = waves[scene, solid]

    def above(depth_n: Tensor) -> Tensor:
        x, y, z = (origin + depth_n[:, None] * direction).unbind(1)
        return y > height(wave, x, z)

    low = enter[scene, solid, ray]
    step = (leave[scene, solid, ray] - low) / MARCH_STEPS
    side = above(low)
    found = torch.zeros_like(side)
    for _ in range(MARCH_STEPS):
        found = found | (above(low + step) != side)
        low = torch.where(found, low, low + step)
    for _ in range(REFINE_STEPS + MARCH_STEPS // 4):
        step = 0.5 * step
        low = torch.where(above(low + step) == side, low + step, low)
    depths[scene, solid, ray] = torch.where(found, low + 0.5 * step, math.inf)
    return depths


def _mesh_hits(origins: Tensor, directions: Tensor, vertices: Tensor) -> Tensor:
    """Signed volumes tell which triangles a ray passes; only rays near the mesh are tried."""
    enter, leave = _round(origins, directions)
    depths = torch.full_like(enter, math.inf)
    triangles = faces().to(vertices.device)
    for scene in range(vertices.shape[0]):
        for mesh in range(vertices.shape[1]):
            near = (leave[scene, mesh] > enter[scene, mesh]).nonzero()[:, 0]
            ray_n3 = directions[scene, mesh][:, near].T
            a, b, c = (vertices[scene, mesh] - origins[scene, mesh, :, 0])[triangles].unbind(1)
            sides = torch.stack(
                [ray_n3 @ torch.linalg.cross(p, q).T for p, q in ((a, b), (b, c), (c, a))]
            )
            inside = (sides > 0).all(0) | (sides < 0).all(0)
            normal = torch.linalg.cross(b - a, c - a)
            depth = (a * normal).sum(1) / (ray_n3 @ normal.T)
            depth = torch.where(inside & (depth > NEAREST), depth, math.inf)
            depths[scene, mesh, near] = depth.amin(1)
    return depths


def _slabs(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    inverse = 1.0 / torch.where(directions.abs() < 1e-9, 1e-9, directions)
    one, other = (-1.0 - origins) * inverse, (1.0 - origins) * inverse
    return torch.minimum(one, other).amax(2), torch.maximum(one, other).amin(2)


def _round(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    a = directions.square().sum(2).clamp(min=1e-12)
    half_b = (origins * directions).sum(2)
    c = origins.square().sum(2) - 1.0
    root = (half_b * half_b - a * c).clamp(min=0.0).sqrt()
    return (-half_b - root) / a, (-half_b + root) / a
