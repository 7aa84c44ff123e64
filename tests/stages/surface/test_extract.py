import numpy as np
import pytest

from stages.surface.blocks import BLOCK_VOXELS
from stages.surface.clean import vertex_normals, weld
from stages.surface.config import VolumeOptions
from stages.surface.extract import canonical_order, extract_triangles, vertex_confidence
from stages.surface.volume import Volume, voxel_offsets
from tests.stages.surface.test_clean import sphere

VOXEL_SIZE = 0.1
TRUNCATION = 0.4
OPTIONS = VolumeOptions()


def ball_volume(radius, evidence=2.0):
    """The signed distance of a ball about the origin, seen from everywhere."""
    span = range(-2, 2)
    keys = np.array([(x, y, z) for x in span for y in span for z in span], np.int32)
    volume = Volume.empty(keys, VOXEL_SIZE, TRUNCATION)
    places = (keys[:, None] * BLOCK_VOXELS + voxel_offsets()) * VOXEL_SIZE
    distance = np.linalg.norm(places, axis=2) - radius
    volume.distance_sum[:] = 3.0 * np.clip(distance, -TRUNCATION, TRUNCATION)
    volume.weight_sum[:] = 3.0
    volume.evidence[:] = evidence
    volume.views[:] = 3
    return volume


def whole(volume, **options):
    return extract_triangles(
        volume, volume.keys_n3, np.empty((0, 3), np.int32), VolumeOptions(**options)
    )


def test_the_zero_of_the_distance_is_found_and_faces_free_space():
    vertices, faces = whole(ball_volume(0.9))
    assert np.abs(np.linalg.norm(vertices, axis=1) - 0.9).max() < 0.05 * VOXEL_SIZE
    assert np.sum(vertex_normals(vertices, faces) * vertices, axis=1).min() > 0


@pytest.mark.parametrize(("min_views", "min_evidence"), [(4, 0.7), (2, 2.5)])
def test_what_too_little_supports_is_no_surface(min_views, min_evidence):
    vertices, faces = whole(ball_volume(0.9), min_views=min_views, min_evidence=min_evidence)
    assert len(vertices) == len(faces) == 0


def test_blocks_one_by_one_give_the_triangles_of_all_at_once():
    volume = ball_volume(0.87)  # touches no voxel's middle, where triangles without area arise
    every, faces = whole(volume)
    rows = np.arange(len(volume.keys_n3))
    parts = [
        extract_triangles(volume, volume.keys_n3[rows == row], volume.keys_n3[rows != row], OPTIONS)
        for row in rows
    ]
    joined, again = weld(parts)
    assert sorted(map(tuple, joined)) == sorted(map(tuple, every))
    assert len(again) == len(faces)


def test_confidence_follows_the_evidence_at_the_nearest_voxel():
    volume = ball_volume(0.9)
    volume.evidence[:] = 0.0
    # The voxel (1, 2, 3) of the block at the origin; x is fastest.
    row = volume.keys_n3.tolist().index([0, 0, 0])
    volume.evidence[row, 1 + BLOCK_VOXELS * (2 + BLOCK_VOXELS * 3)] = 5.0
    places = np.float32([[0.12, 0.18, 0.31], [0.22, 0.18, 0.31], [50, 50, 50]])
    assert vertex_confidence(volume, places) == pytest.approx([1 - np.exp(-2.5), 0, 0], abs=1e-6)


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
