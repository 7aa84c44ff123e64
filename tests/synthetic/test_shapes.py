import numpy as np
import open3d as o3d
import pytest

from mvrecon.synthetic.lighting import Light
from mvrecon.synthetic.scene import BakedScene
from mvrecon.synthetic.shapes import (
    box,
    displaced,
    ellipsoid,
    height_field,
    placed,
    torus,
)


def plain(points_n3):
    return np.full((len(points_n3), 3), 0.5, np.float32)


def mesh_of(patches):
    light = Light((0, 0, 5), shadow_samples=1, ambient_samples=1)
    mesh = BakedScene(patches, light, texels_per_m=20).mesh()
    mesh.merge_close_vertices(1e-6)
    mesh.remove_degenerate_triangles()
    return mesh


SOLIDS = {
    "box": (box((1.0, 2.0, 0.5), plain, 0), 1.0),
    "ellipsoid": (ellipsoid((1.0, 0.5, 0.7), plain, 60), 4 / 3 * np.pi * 0.35),
    "torus": (torus(1.0, 0.3, plain, 80), 2 * np.pi**2 * 0.09),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_solids_are_closed_face_outwards_and_have_their_volume(name):
    patches, volume = SOLIDS[name]
    mesh = mesh_of(patches)
    assert mesh.is_watertight()
    assert mesh.is_orientable()
    assert mesh.get_volume() == pytest.approx(volume, rel=0.02)
    signed = np.asarray(mesh.triangles)
    corners = np.asarray(mesh.vertices)[signed]
    assert np.linalg.det(corners).sum() / 6 == pytest.approx(volume, rel=0.02)


@pytest.mark.parametrize("name", SOLIDS)
def test_shading_normals_point_as_the_triangles_do(name):
    for patch in SOLIDS[name][0]:
        across = np.diff(patch.positions_rc3[:-1] + patch.positions_rc3[1:], axis=1)
        down = np.diff(patch.positions_rc3, axis=0)[:, :-1]
        face = np.cross(across, down)
        size = np.linalg.norm(face, axis=-1)
        cosine = (face * patch.normals_rc3[:-1, :-1]).sum(-1)[size > 1e-9] / size[size > 1e-9]
        assert cosine.min() > 0.8


def test_a_room_faces_inwards():
    mesh = mesh_of(box((1.0, 2.0, 0.5), plain, 0, inward=True))
    corners = np.asarray(mesh.vertices)[np.asarray(mesh.triangles)]
    assert np.linalg.det(corners).sum() / 6 == pytest.approx(-1.0)


def test_placing_turns_and_moves():
    low, high = (
        bound(mesh_of(placed(box((1.0, 2.0, 0.5), plain, 0), (5, 6, 7), 90.0)))
        for bound in (
            o3d.geometry.TriangleMesh.get_min_bound,
            o3d.geometry.TriangleMesh.get_max_bound,
        )
    )
    np.testing.assert_allclose(low, [4, 5.5, 7], atol=1e-6)
    np.testing.assert_allclose(high, [6, 6.5, 7.5], atol=1e-6)


def test_height_field_follows_its_function():
    patch = height_field((1.0, 0.6), lambda x, y: 0.1 * x + y**2, plain, 0)[0]
    x, y, z = np.moveaxis(patch.positions_rc3, -1, 0)
    np.testing.assert_allclose(z, 0.1 * x + y**2)
    assert (patch.normals_rc3[..., 2] > 0).all()


def test_displacing_moves_along_the_normal():
    grown = displaced(
        ellipsoid((1, 1, 1), plain, 20), lambda points_n3: np.full(len(points_n3), 0.5)
    )
    radius = np.linalg.norm(grown[0].positions_rc3 - [0, 0, 1], axis=-1)
    np.testing.assert_allclose(radius, 1.5, atol=1e-9)
