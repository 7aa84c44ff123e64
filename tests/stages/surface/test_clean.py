import numpy as np
import open3d as o3d

from stages.surface.clean import (
    component_labels,
    drop_unused,
    fill_small_holes,
    large_pieces,
    reduce_inside,
    simplify,
    triangle_areas,
    vertex_normals,
    weld,
)


def sphere(resolution=12):
    mesh = o3d.geometry.TriangleMesh.create_sphere(1.0, resolution)
    return np.asarray(mesh.vertices, np.float32), np.asarray(mesh.triangles, np.int32)


def edge_counts(faces):
    """Number of faces at each edge."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)[1]


def test_labels_agree_with_connectivity_in_any_numbering():
    rng = np.random.default_rng(0)
    vertices, faces = sphere()
    count = len(vertices)
    number = rng.permutation(3 * count)
    three = number[np.concatenate([faces + k * count for k in range(3)])].astype(np.int32)
    labels = component_labels(rng.permutation(three), 3 * count)
    for k in range(3):
        own = number[k * count : (k + 1) * count]
        assert np.all(labels[own] == own.min())


def test_large_pieces_are_kept_by_area_and_counted():
    vertices, faces = sphere()
    count = len(vertices)
    both = np.concatenate([vertices, 0.2 * vertices + 5])
    keep, kept, removed = large_pieces(both, np.concatenate([faces, faces + count]), 0.1)
    assert (kept, removed) == (1, 1)
    assert keep.tolist() == [True] * len(faces) + [False] * len(faces)
    assert large_pieces(both, np.concatenate([faces, faces + count]), 0.03)[1:] == (2, 0)


def test_areas_and_normals_of_a_sphere():
    vertices, faces = sphere(40)
    assert np.isclose(triangle_areas(vertices, faces).sum(), 4 * np.pi, rtol=0.01)
    assert np.sum(vertex_normals(vertices, faces) * vertices, axis=1).min() > 0.99


def test_small_holes_are_filled_and_large_ones_left():
    vertices, faces = sphere(20)
    at = np.arange(len(faces)) != 100
    assert len(fill_small_holes(vertices, faces[at], 1.0)) == len(faces)
    half = faces[np.all(vertices[faces][..., 2] > 0, axis=1)]
    assert len(fill_small_holes(vertices, half, 1.0)) == len(half)


def test_vertices_without_a_face_are_dropped_and_the_rest_keep_their_order():
    used, faces = drop_unused(6, np.int32([[5, 1, 3], [3, 1, 0]]))
    assert used.tolist() == [0, 1, 3, 5]
    assert faces.tolist() == [[3, 1, 2], [2, 1, 0]]


def test_a_budget_is_kept_and_a_small_mesh_left_as_it_is():
    vertices, faces = sphere(20)
    few_vertices, few = simplify(vertices, faces, 200)
    assert len(few) <= 200
    assert np.allclose(np.linalg.norm(few_vertices, axis=1), 1.0, atol=0.1)
    same = simplify(vertices, faces, len(faces))
    assert same[0] is vertices
    assert same[1] is faces


def test_halves_whose_border_was_kept_are_one_closed_surface_again():
    vertices, faces = sphere(40)
    upper = vertices[faces].mean(axis=1)[:, 2] > 0
    halves = []
    for half in (faces[upper], faces[~upper]):
        used, own = drop_unused(len(vertices), half)
        halves.append(reduce_inside(vertices[used], own, len(half) // 2, 0.05))
    joined, both = weld(halves)
    assert len(both) == sum(len(half) for _, half in halves) < 0.6 * len(faces)
    assert (edge_counts(both) == 2).all()
    assert len(np.unique(joined, axis=0)) == len(joined)
