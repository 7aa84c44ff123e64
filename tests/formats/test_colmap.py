from pathlib import Path

import numpy as np
import pytest

from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.errors import InputError
from mvrecon.formats.colmap.files import read_model, write_model
from mvrecon.formats.colmap.model import NO_POINT, ColmapImage, ColmapModel, camera_from_parameters
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import rigid, rotation_from_quaternion


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    cameras = {
        1: Camera(640, 480, 500.0, 510.0, 319.5, 239.5),
        3: Camera(320, 200, 250.0, 250.0, 160.0, 99.0, (0.1, -0.02, 0.001, 0.002)),
    }
    images = tuple(
        ColmapImage(
            image_id,
            (1, 3)[row % 2],
            f"image_{image_id}.jpg",
            rigid(rotation_from_quaternion(rng.normal(size=4)), rng.normal(size=3)),
            rng.uniform(0, 200, (5, 2)),
            np.array([row, NO_POINT, 3, 2, NO_POINT]) if row < 2 else np.array([0, 1, 2, 3, -1]),
        )
        for row, image_id in enumerate((2, 5, 9))
    )
    return ColmapModel(
        cameras,
        images,
        rng.normal(size=(4, 3)),
        rng.integers(0, 256, (4, 3)).astype(np.uint8),
        rng.uniform(0, 1, 4),
    )


def assert_equal(found, expected):
    assert found.cameras == expected.cameras
    for image, other in zip(found.images, expected.images, strict=True):
        assert (image.image_id, image.camera_id, image.name) == (
            other.image_id,
            other.camera_id,
            other.name,
        )
        np.testing.assert_allclose(image.cam_from_world, other.cam_from_world, atol=1e-12)
        np.testing.assert_allclose(image.xy_k2, other.xy_k2, atol=1e-10)
        np.testing.assert_array_equal(image.point_k, other.point_k)
    np.testing.assert_allclose(found.xyz_n3, expected.xyz_n3)
    np.testing.assert_array_equal(found.rgb_n3, expected.rgb_n3)
    np.testing.assert_allclose(found.error_px_n, expected.error_px_n)


def test_round_trip(model, tmp_path):
    write_model(model, tmp_path)
    assert_equal(read_model(tmp_path), model)


def rewrite_with_pycolmap(source: Path, text: Path, binary: Path) -> dict[str, float]:
    import pycolmap

    reconstruction = pycolmap.Reconstruction(source)
    reconstruction.write_text(text)
    reconstruction.write_binary(binary)
    return {
        "images": reconstruction.num_reg_images(),
        "points": reconstruction.num_points3D(),
        "track_length": reconstruction.compute_mean_track_length(),
    }


def test_pycolmap_reads_our_binary_and_we_read_its_text_and_binary(model, tmp_path):
    ours, text, binary = folders = [tmp_path / name for name in ("ours", "text", "binary")]
    for folder in folders:
        folder.mkdir()
    write_model(model, ours)
    told = run_isolated(rewrite_with_pycolmap, (ours, text, binary), tmp_path / "log", "test")
    points, _, _ = model.observations()
    assert told == {"images": 3, "points": 4, "track_length": len(points) / 4}
    assert {path.suffix for path in text.iterdir()} == {".txt"}
    assert_equal(read_model(text), model)
    assert {path.suffix for path in binary.iterdir()} == {".bin"}
    assert_equal(read_model(binary), model)
    # Half a pixel at the border: COLMAP's first pixel has its centre at (0.5, 0.5).
    assert "1 PINHOLE 640 480 500 510 320 240" in (text / "cameras.txt").read_text().splitlines()


CAMERAS_TXT = """# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]
7 PINHOLE 640 480 500.0 510.0 320.0 240.0
"""
# A quarter turn about z: x of the world is y of the camera.
IMAGES_TXT = """# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME
4 0.7071067811865476 0 0 0.7071067811865476 1 2 3 7 a photo.jpg
10.5 20.5 90 30.5 40.5 -1
2 1 0 0 0 0 0 0 7 b.jpg

"""
POINTS_TXT = """# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as IMAGE_ID, POINT2D_IDX
90 1.5 2.5 3.5 10 20 30 0.25 4 0
80 0 0 1 1 2 3 0.5
"""


def write_text(folder, points=POINTS_TXT):
    parts = {"cameras": CAMERAS_TXT, "images": IMAGES_TXT, "points3D": points}
    for name, text in parts.items():
        (folder / f"{name}.txt").write_text(text)


def test_text_is_read_by_its_columns(tmp_path):
    write_text(tmp_path)
    model = read_model(tmp_path)
    assert model.cameras == {7: Camera(640, 480, 500.0, 510.0, 319.5, 239.5)}
    plain, turned = model.images
    assert (plain.image_id, plain.camera_id, plain.name) == (2, 7, "b.jpg")
    assert len(plain.xy_k2) == len(plain.point_k) == 0
    assert turned.name == "a photo.jpg"
    quarter = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    np.testing.assert_allclose(turned.cam_from_world, quarter, atol=1e-12)
    np.testing.assert_allclose(turned.xy_k2, [[10, 20], [30, 40]])
    # Points are sorted by their ids: 80 is row 0, 90 row 1.
    assert turned.point_k.tolist() == [1, NO_POINT]
    np.testing.assert_allclose(model.xyz_n3, [[0, 0, 1], [1.5, 2.5, 3.5]])
    assert model.rgb_n3.tolist() == [[1, 2, 3], [10, 20, 30]]
    assert model.error_px_n.tolist() == [0.5, 0.25]


def test_text_without_points_and_damaged_text(tmp_path):
    write_text(tmp_path, points="# nothing\n")
    assert read_model(tmp_path).xyz_n3.shape == (0, 3)
    write_text(tmp_path, points="90 1.5 2.5\n")
    with pytest.raises(InputError, match="damaged"):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("name", "values", "focals", "distortion"),
    [
        ("SIMPLE_PINHOLE", [9, 5, 6], (9, 9), ()),
        ("SIMPLE_RADIAL", [9, 5, 6, 0.1], (9, 9), (0.1, 0, 0, 0)),
        ("RADIAL", [9, 5, 6, 0.1, 0.2], (9, 9), (0.1, 0.2, 0, 0)),
        ("OPENCV", [8, 9, 5, 6, 1, 2, 3, 4], (8, 9), (1, 2, 3, 4)),
    ],
)
def test_camera_models(name, values, focals, distortion):
    camera = camera_from_parameters(name, 10, 12, np.array(values, float))
    assert (camera.fx, camera.fy) == focals
    assert (camera.cx, camera.cy) == (4.5, 5.5)
    assert camera.distortion == distortion


def test_unknown_camera_model_is_named():
    with pytest.raises(InputError, match="FOV"):
        camera_from_parameters("FOV", 10, 10, np.zeros(5))


def test_missing_model(tmp_path):
    with pytest.raises(InputError, match="no COLMAP model"):
        read_model(tmp_path)


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin", "points3D.bin"])
def test_truncated_file_is_an_input_error(model, tmp_path, name):
    write_model(model, tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(InputError, match="damaged"):
        read_model(tmp_path)


def test_model_without_points(model, tmp_path):
    images = tuple(
        ColmapImage(
            image.image_id,
            image.camera_id,
            image.name,
            image.cam_from_world,
            np.zeros((0, 2)),
            np.zeros(0, np.int64),
        )
        for image in model.images
    )
    empty = ColmapModel(
        model.cameras, images, np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(0)
    )
    write_model(empty, tmp_path)
    assert_equal(read_model(tmp_path), empty)
