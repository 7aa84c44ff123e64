from __future__ import annotations

import torch

from mvrecon.synthetic.training.batch import Draws
from mvrecon.synthetic.training.pairs.solids import (
    FIRST_FIELD,
    FIRST_MESH,
    SOLIDS,
    draw_meshes,
    draw_waves,
    faces,
    height,
    hits,
)

CPU = torch.device("cpu")
FAR = 4.0


def looking_in(seed: int, along: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rays from a point outside the unit cube to its neighbourhood."""
    draws = Draws(seed, 0, CPU)
    origin = 0.3 * draws.normal(3)
    origin[along] = -FAR
    targets = draws.uniform(-0.9, 0.9, 2000, 3)
    origins = origin.view(1, 1, 3, 1).expand(1, SOLIDS, 3, 1)
    return origins, (targets - origin).T.expand(1, SOLIDS, 3, 2000)


def test_height_fields_are_hit_where_they_are():
    origins, directions = looking_in(1, along=1)
    waves, meshes = draw_waves(Draws(2, 0, CPU), 1), draw_meshes(Draws(2, 1, CPU), 1)
    depth = hits(origins, directions, waves, meshes)[0, FIRST_FIELD]
    found = depth.isfinite()
    assert found.float().mean() > 0.6
    x, y, z = origins[0, FIRST_FIELD] + depth[found] * directions[0, FIRST_FIELD][:, found]
    wave = waves[0, 0].expand(len(x), -1, -1)
    assert (y - height(wave, x, z)).abs().max() < 0.01


def test_meshes_are_hit_on_their_triangles_and_from_outside():
    origins, directions = looking_in(3, along=2)
    waves, meshes = draw_waves(Draws(4, 0, CPU), 1), draw_meshes(Draws(4, 1, CPU), 1)
    depth = hits(origins, directions, waves, meshes)[0, FIRST_MESH]
    found = depth.isfinite()
    assert 0.2 < found.float().mean() < 1.0
    points = (origins[0, FIRST_MESH] + depth[found] * directions[0, FIRST_MESH][:, found]).T
    corners = meshes[0, 0][faces()]
    normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = torch.nn.functional.normalize(normals, dim=1)
    to_planes = ((points[:, None] - corners[:, 0]) * normals).sum(-1).abs().amin(1)
    assert to_planes.max() < 1e-3
    # A star-shaped mesh encloses the origin: a ray to it is stopped before.
    straight = hits(origins, -origins.expand(1, SOLIDS, 3, 1), waves, meshes)[0, FIRST_MESH, 0]
    assert 0.5 < straight < 1.0


def test_a_mesh_is_closed():
    edges = torch.cat([faces()[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]).sort(1).values
    _, counts = edges.unique(dim=0, return_counts=True)
    assert len(faces()) == 80
    assert (counts == 2).all()
