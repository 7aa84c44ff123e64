"""A painted box under a few cameras: its texture is its paint."""

import cv2
import numpy as np
import pytest

from mvrecon.artifacts.poses import PosedFrame
from mvrecon.formats.mesh import Mesh, PointCloud
from mvrecon.formats.textured_mesh import read_textured_glb, write_textured_glb
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import TriangleScene, pixel_rays
from mvrecon.render import look_at
from stages.texture.atlas import find_texels, pack
from stages.texture.charts import adjacent_faces, make_charts
from stages.texture.config import TextureConfig
from stages.texture.paint import spread_colours
from stages.texture.run import relative_sharpness
from stages.texture.texture import TextureInputs, make_texture

CAMERA = Camera(160, 120, 150.0, 150.0, 79.5, 59.5)
GRID = 24


def paint(xyz_n3):
    """Smooth stripes in space, 0…255."""
    waves = np.sin(9.0 * xyz_n3 + np.float64([0, 1, 2]))
    return 128 + 90 * waves


def box():
    """The outside of a cube of side 1, finely cut."""
    u, v = np.meshgrid(np.linspace(-0.5, 0.5, GRID), np.linspace(-0.5, 0.5, GRID))
    flat = np.stack([u.ravel(), v.ravel()], axis=1)
    at = np.arange(GRID * GRID).reshape(GRID, GRID)
    a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, 1:].ravel(), at[1:, :-1].ravel()
    square = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    vertices, faces = [], []
    for axis in range(3):
        for side in (-0.5, 0.5):
            xyz = np.insert(flat, axis, side, axis=1)
            outward = (side > 0) ^ (axis == 1)
            faces.append((square if outward else square[:, ::-1]) + len(vertices) * len(flat))
            vertices.append(xyz)
    xyz_n3, index = np.unique(np.concatenate(vertices).round(6), axis=0, return_inverse=True)
    return xyz_n3, index.ravel()[np.concatenate(faces)].astype(np.int32)


def as_mesh(xyz_n3, faces_m3):
    normals = xyz_n3 / np.linalg.norm(xyz_n3, axis=1, keepdims=True)
    rgb = np.clip(paint(xyz_n3), 0, 255).astype(np.uint8)
    ones = np.ones(len(xyz_n3), np.float32)
    return Mesh(
        PointCloud(xyz_n3.astype(np.float32), normals.astype(np.float32), rgb, ones), faces_m3
    )


def photograph(scene, pose, gain=1.0):
    origins, directions = pixel_rays(CAMERA, pose)
    hits = scene.cast(origins, directions)
    points = origins + directions * np.where(hits.met_n, hits.distance_n, 0)[:, None]
    rgb = np.where(hits.met_n[:, None], gain * paint(points), 0)
    return np.clip(rgb, 0, 255).astype(np.uint8).reshape(CAMERA.height, CAMERA.width, 3)


def views(gains=(1.0,) * 8):
    xyz_n3, faces_m3 = box()
    scene = TriangleScene(xyz_n3, faces_m3)
    angles = np.linspace(0, 2 * np.pi, len(gains), endpoint=False)
    heights = np.where(np.arange(len(gains)) % 2, 1.2, -1.2)
    eyes = np.stack([1.6 * np.cos(angles), heights, 1.6 * np.sin(angles)], axis=1)
    poses = [look_at(eye, np.zeros(3), np.float64([0, -1, 0])) for eye in eyes]
    images = {
        f"{i:06d}": photograph(scene, pose, gain)
        for i, (pose, gain) in enumerate(zip(poses, gains, strict=True))
    }
    frames = [PosedFrame(name, float(i), CAMERA, CAMERA, poses[i]) for i, name in enumerate(images)]
    return as_mesh(xyz_n3, faces_m3), frames, images


def textured(mesh, frames, images, options=None, **more):
    inputs = TextureInputs(mesh, frames, np.ones(len(frames)), images.__getitem__, **more)
    return make_texture(inputs, TextureConfig.model_validate(options or {}))


def colour_errors(result):
    """Grey levels by which the texture differs from the paint, at the faces' centres."""
    picture = result.texture_hw3()
    size = picture.shape[1::-1]
    uv = result.uv_n2[result.faces_m3].mean(axis=1) * size - 0.5
    at = uv.astype(np.float32)[None]
    found = cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR)[0]
    truth = paint(result.xyz_n3[result.faces_m3].mean(axis=1))
    return np.abs(found - truth).mean(axis=1)


def test_the_texture_is_what_the_views_show(tmp_path):
    mesh, frames, images = views()
    result, summary = textured(mesh, frames, images)
    write_textured_glb(tmp_path / "mesh.glb", result)
    again = read_textured_glb(tmp_path / "mesh.glb")
    errors = colour_errors(again)
    assert np.median(errors) < 4
    assert np.percentile(errors, 95) < 12
    assert len(again.faces_m3) == len(mesh.faces_m3)
    assert summary.numbers["unseen_percent"] < 1


def test_a_cube_has_six_charts_that_do_not_overlap():
    xyz_n3, faces_m3 = box()
    charts = make_charts(xyz_n3.astype(np.float32), faces_m3)
    assert len(charts.size_c2) == 6
    assert charts.size_c2 == pytest.approx(1, abs=0.5)
    atlas = pack(charts, np.full(6, 40.0), 8, 1 << 20)
    texels = find_texels(atlas)
    # Every face keeps texels of its own: about (40 / 23)² / 2.
    assert np.median(np.diff(texels.start_m)) >= 1
    assert len(texels.place_t) == len(np.unique(texels.place_t))
    assert 6 * 40**2 < len(texels.place_t) < 6 * 47**2


def test_what_folds_over_itself_is_cut():
    """A strip that turns back under itself, seen along one direction."""
    angle = np.linspace(0, 2 * np.pi, 60)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    xyz = np.concatenate([np.insert(ring, 2, z, axis=1) for z in (0.0, 1.0)])
    a = np.arange(59)
    faces = np.concatenate([np.stack([a, a + 1, a + 60], 1), np.stack([a + 1, a + 61, a + 60], 1)])
    charts = make_charts(xyz.astype(np.float32), faces.astype(np.int32))
    texels = find_texels(pack(charts, np.full(len(charts.size_c2), 30.0), 4, 1 << 20))
    assert len(charts.size_c2) > 2
    assert (np.diff(texels.start_m) > 0).mean() > 0.95


def test_neighbours_share_an_edge():
    assert adjacent_faces(np.int32([[0, 1, 2], [2, 1, 3], [4, 5, 6]])).tolist() == [[0, 1]]


def test_the_atlas_keeps_to_its_budget():
    xyz_n3, faces_m3 = box()
    charts = make_charts(xyz_n3.astype(np.float32), faces_m3)
    atlas = pack(charts, np.full(6, 1000.0), 8, 100_000)
    assert atlas.width * atlas.height <= 100_000
    assert atlas.uv_m32.min() >= 0
    assert (atlas.uv_m32.max(axis=(0, 1)) < [atlas.width, atlas.height]).all()


def test_exposure_is_evened_out():
    gains = (1.0, 0.7, 1.0, 1.25, 0.8, 1.0, 1.2, 0.9)
    mesh, frames, images = views(gains)
    evened, summary = textured(mesh, frames, images)
    assert summary.numbers["largest_gain"] / summary.numbers["smallest_gain"] > 1.5
    uneven, _ = textured(mesh, frames, images, {"blend": {"exposure": False}})
    assert np.median(colour_errors(evened)) < 0.6 * np.median(colour_errors(uneven))


def test_what_moves_is_left_out():
    mesh, frames, images = views()
    spoiled = {name: image.copy() for name, image in images.items()}
    moving = {}
    for name, image in spoiled.items():
        moving[name] = np.zeros(image.shape[:2], bool)
    for name in list(images)[::2]:
        spoiled[name][40:80, 60:100] = (255, 0, 255)
        moving[name][36:84, 56:104] = True
    with_mask, _ = textured(mesh, frames, spoiled, load_moving=moving.__getitem__)
    without, _ = textured(mesh, frames, spoiled)
    assert np.percentile(colour_errors(with_mask), 98) < 30
    assert np.percentile(colour_errors(without), 98) > 30


def test_threads_do_not_change_the_result():
    mesh, frames, images = views()
    one, _ = textured(mesh, frames, images)
    two, _ = textured(mesh, frames, images, workers=2)
    assert one.jpeg == two.jpeg


def test_a_fine_surface_is_simplified():
    mesh, frames, images = views()
    result, summary = textured(mesh, frames, images, {"atlas": {"max_faces": 1000}})
    assert len(result.faces_m3) <= 1000 == summary.numbers["faces"]
    assert np.median(colour_errors(result)) < 6


def test_what_no_view_sees_takes_the_colours_beside_it():
    faces = np.int32([[0, 1, 2], [2, 1, 3], [4, 5, 6]])
    rgb = np.uint8([[200, 0, 0]] * 3 + [[0, 0, 255]] * 4)
    seen = np.array([True, True, True, False, False, False, False])
    spread = spread_colours(rgb, seen, faces)
    assert spread[3].tolist() == [200, 0, 0]
    # A part that nothing seen touches: the middle of what is seen.
    assert spread[5].tolist() == [200, 0, 0]


def test_a_blurred_frame_counts_less():
    relative = relative_sharpness([10, 10, 5, 10, 12, 1])
    assert relative.tolist() == [1, 1, 0.5, 1, 1, 0.3]
