from pathlib import Path

import numpy as np
import pytest

from mvrecon.engine.isolate import run_isolated
from mvrecon.errors import InputError
from mvrecon.formats.colmap import read_model, write_model
from mvrecon.formats.colmap_model import NO_POINT, ColmapImage, ColmapModel, camera_from_parameters
from mvrecon.formats.colmap_text import write_model_text
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


@pytest.mark.parametrize("write", [write_model, write_model_text])
def test_round_trip(model, tmp_path, write):
    write(model, tmp_path)
    assert_equal(read_model(tmp_path), model)


def rewrite_with_pycolmap(source: Path, target: Path) -> dict[str, float]:
    import pycolmap

    reconstruction = pycolmap.Reconstruction(source)
    reconstruction.write_text(target)
    return {
        "images": reconstruction.num_reg_images(),
        "points": reconstruction.num_points3D(),
        "track_length": reconstruction.compute_mean_track_length(),
    }


@pytest.mark.parametrize("write", [write_model, write_model_text])
def test_pycolmap_reads_it_and_we_read_pycolmap(model, tmp_path, write):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    write(model, ours)
    told = run_isolated(rewrite_with_pycolmap, (ours, theirs), tmp_path / "log", "test")
    points, _, _ = model.observations()
    assert told == {"images": 3, "points": 4, "track_length": len(points) / 4}
    assert_equal(read_model(theirs), model)


def test_half_a_pixel_at_the_border(model, tmp_path):
    write_model_text(model, tmp_path)
    first = (tmp_path / "cameras.txt").read_text().splitlines()[1]
    assert first == "1 PINHOLE 640 480 500.0 510.0 320.0 240.0"


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
    for write in (write_model, write_model_text):
        write(empty, tmp_path)
        assert_equal(read_model(tmp_path), empty)
        for path in tmp_path.iterdir():
            path.unlink()
