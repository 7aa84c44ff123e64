import numpy as np
import open3d as o3d

from stages.surface.blocks import block_rows, find_blocks
from stages.surface.clean import (
    component_labels,
    fill_small_holes,
    large_pieces,
    triangle_areas,
    vertex_normals,
)
from stages.surface.extract import canonical_order
from stages.surface.views import depth_noise, incidence
from tests.stages.surface.scenes import CAMERA, depth_map, exact_depth, make_frames


def sphere(resolution=12):
    mesh = o3d.geometry.TriangleMesh.create_sphere(1.0, resolution)
    return np.asarray(mesh.vertices, np.float32), np.asarray(mesh.triangles, np.int32)


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


def test_canonical_order_undoes_any_shuffle_and_keeps_orientation():
    rng = np.random.default_rng(1)
    vertices, faces = sphere()
    expected = canonical_order(vertices, faces)
    number = rng.permutation(len(vertices))
    shuffled = np.empty_like(vertices)
    shuffled[number] = vertices
    turned = np.stack([np.roll(face, rng.integers(3)) for face in number[faces]])
    again = canonical_order(shuffled, rng.permutation(turned).astype(np.int32))
    assert np.array_equal(expected[0], again[0])
    assert np.array_equal(expected[1], again[1])
    normals = vertex_normals(*expected)
    assert np.sum(normals * expected[0], axis=1).min() > 0.9


def test_incidence_on_a_slanted_plane():
    """Of a plane n·x = d, distance to it for each unit of depth is |n·r|."""
    normal = np.array([0.5, -0.2, -0.8])
    normal /= np.linalg.norm(normal)
    v, u = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width]
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones(u.shape)], 2)
    depth = (-3.0 / (rays @ normal)).astype(np.float32)
    cosine, slant = incidence(depth, CAMERA.k_33)
    assert np.allclose(slant, np.abs(rays @ normal), atol=2e-3)
    expected = np.abs(rays @ normal) / np.linalg.norm(rays, axis=2)
    assert np.allclose(cosine, expected, atol=2e-3)


def test_noise_is_measured():
    frames = make_frames()
    rng = np.random.default_rng(2)
    maps = {}
    for frame in frames:
        depth = exact_depth(frame)
        noisy = depth * (1 + 0.01 * rng.normal(size=depth.shape))
        maps[frame.name] = depth_map(frame, noisy.astype(np.float32))
    assert 0.008 < depth_noise([frame.name for frame in frames], maps.__getitem__, 0.1) < 0.013


def test_blocks_cover_the_surface_and_are_found_again():
    frames = make_frames()
    maps = {frame.name: depth_map(frame, exact_depth(frame)) for frame in frames}
    keys = find_blocks(
        list(maps), maps.__getitem__, 0.05, min_confidence=0.1, min_views=2, min_evidence=0.7
    )
    rows = block_rows(keys, keys.astype(np.int64))
    assert np.array_equal(rows, np.arange(len(keys)))
    assert block_rows(keys, np.array([[500, 500, 500]])).tolist() == [-1]
    # The front of the sphere, in blocks of 0.4.
    angle = np.linspace(0, 2 * np.pi, 50)
    ring = np.stack([0.6 * np.cos(angle), 0.6 * np.sin(angle), -0.8 * np.ones(50)], axis=1)
    assert np.all(block_rows(keys, np.floor(ring / 0.4).astype(np.int64)) >= 0)
