"""COLMAP's sparse model on disk, without COLMAP: binary and text.

Layout: https://colmap.github.io/format.html. COLMAP puts the centre of the first pixel at
(0.5, 0.5); here it is at (0, 0): reading and writing shift by half a pixel.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np

from mvrecon.errors import InputError
from mvrecon.formats.colmap.model import (
    CAMERA_MODELS,
    NO_POINT,
    ColmapImage,
    ColmapModel,
    Point,
    assemble,
    camera_from_parameters,
    parameters_from_camera,
    point_tracks,
)
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import quaternion_from_rotation, rigid, rotation_from_quaternion

REMEDY = "Export the model from COLMAP again"
OBSERVATION = np.dtype([("x", "<f8"), ("y", "<f8"), ("point", "<i8")])


def read_model(folder: Path) -> ColmapModel:
    """Read a model, binary if it is there, else text.

    Raises:
        InputError: files are missing, cut short, or hold an unsupported camera model.
    """
    for suffix, read in ((".bin", _read_binary), (".txt", read_text)):
        if all(
            (folder / f"{part}{suffix}").is_file() for part in ("cameras", "images", "points3D")
        ):
            try:
                return read(folder)
            except (struct.error, ValueError, IndexError, KeyError, OverflowError) as error:
                raise InputError(f"COLMAP model {folder} is damaged ({error!r})", REMEDY) from error
    raise InputError(
        f"no COLMAP model at {folder}", "It needs cameras, images and points3D, .bin or .txt"
    )


def write_model(model: ColmapModel, folder: Path) -> None:
    """Write cameras.bin, images.bin and points3D.bin into an existing folder."""
    _write_cameras(model, folder / "cameras.bin")
    with (folder / "images.bin").open("wb") as file:
        file.write(struct.pack("<Q", len(model.images)))
        for image in model.images:
            quaternion_4 = quaternion_from_rotation(image.cam_from_world[:3, :3])
            pose = (*quaternion_4, *image.cam_from_world[:3, 3])
            file.write(struct.pack("<i7di", image.image_id, *pose, image.camera_id))
            file.write(image.name.encode() + b"\0")
            observations = np.empty(len(image.xy_k2), OBSERVATION)
            observations["x"], observations["y"] = (image.xy_k2 + 0.5).T
            # Point ids count from 1.
            observations["point"] = np.where(image.point_k == NO_POINT, -1, image.point_k + 1)
            file.write(struct.pack("<Q", len(observations)) + observations.tobytes())
    with (folder / "points3D.bin").open("wb") as file:
        file.write(struct.pack("<Q", len(model.xyz_n3)))
        for row, track in enumerate(point_tracks(model)):
            file.write(struct.pack("<Q3d", row + 1, *model.xyz_n3[row]))
            file.write(struct.pack("<3Bd", *model.rgb_n3[row].tolist(), model.error_px_n[row]))
            file.write(struct.pack("<Q", len(track)) + track.astype("<i4").tobytes())


def _write_cameras(model: ColmapModel, path: Path) -> None:
    ids = {name: number for number, (name, _) in enumerate(CAMERA_MODELS)}
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(model.cameras)))
        for camera_id, camera in model.cameras.items():
            name, values = parameters_from_camera(camera)
            file.write(struct.pack("<iiQQ", camera_id, ids[name], camera.width, camera.height))
            file.write(struct.pack(f"<{len(values)}d", *values))


def _opened(path: Path) -> BytesIO:
    """The whole content: of it no more can be read than is there, whatever a count claims."""
    return BytesIO(path.read_bytes())


def _unpack(file: BytesIO, form: str) -> tuple[float, ...]:
    return struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))


def _read_binary(folder: Path) -> ColmapModel:
    cameras = dict(_read_binary_cameras(folder / "cameras.bin"))
    points = list(_read_binary_points(folder / "points3D.bin"))
    file = _opened(folder / "images.bin")
    images = [_read_binary_image(file) for _ in range(int(_unpack(file, "Q")[0]))]
    return assemble(cameras, images, points)


def _read_binary_cameras(path: Path) -> Iterator[tuple[int, Camera]]:
    file = _opened(path)
    for _ in range(int(_unpack(file, "Q")[0])):
        camera_id, model, width, height = (int(value) for value in _unpack(file, "iiQQ"))
        if not 0 <= model < len(CAMERA_MODELS):
            camera_from_parameters(f"number {model}", width, height, np.zeros(0))
        name, count = CAMERA_MODELS[model]
        values = np.array(_unpack(file, f"{count}d"))
        yield camera_id, camera_from_parameters(name, width, height, values)


def _read_binary_image(file: BytesIO) -> ColmapImage:
    image_id, *pose, camera_id = _unpack(file, "i7di")
    name = b""
    while (character := file.read(1)) not in (b"\0", b""):
        name += character
    count = int(_unpack(file, "Q")[0])
    raw = np.frombuffer(file.read(count * OBSERVATION.itemsize), OBSERVATION, count)
    return ColmapImage(
        int(image_id),
        int(camera_id),
        name.decode(),
        rigid(rotation_from_quaternion(np.array(pose[:4])), np.array(pose[4:])),
        np.stack([raw["x"], raw["y"]], axis=1) - 0.5,
        raw["point"].astype(np.int64),
    )


def _read_binary_points(path: Path) -> Iterator[Point]:
    file = _opened(path)
    for _ in range(int(_unpack(file, "Q")[0])):
        point_id, x, y, z, r, g, b, error, length = _unpack(file, "Q3d3BdQ")
        if len(file.read(8 * int(length))) < 8 * length:
            raise ValueError("a track is cut short")
        yield int(point_id), [x, y, z], [int(r), int(g), int(b)], error


def read_text(folder: Path) -> ColmapModel:
    """Read a text model.

    Raises:
        ValueError: a line that cannot be understood.
        InputError: an unsupported camera model.
    """
    cameras = {}
    for line in _text_lines(folder / "cameras.txt"):
        camera_id, model, width, height, *values = line.split()
        cameras[int(camera_id)] = camera_from_parameters(
            model, int(width), int(height), np.array(values, np.float64)
        )
    points: list[Point] = []
    for line in _text_lines(folder / "points3D.txt"):
        point_id, x, y, z, r, g, b, error, *_ = line.split()
        xyz, rgb = [float(x), float(y), float(z)], [int(r), int(g), int(b)]
        points.append((int(point_id), xyz, rgb, float(error)))
    lines = (folder / "images.txt").read_text().splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    images = [_parse_image(*lines[row : row + 2]) for row in range(0, len(lines) - 1, 2)]
    return assemble(cameras, images, points)


def _text_lines(path: Path) -> Iterator[str]:
    lines = path.read_text().splitlines()
    return (line for line in lines if line.strip() and not line.startswith("#"))


def _parse_image(header: str, keypoints: str) -> ColmapImage:
    image_id, *pose, camera_id, name = header.split(maxsplit=9)
    pose_7 = np.array(pose, np.float64)
    keypoint_k3 = np.array(keypoints.split(), np.float64).reshape(-1, 3)
    return ColmapImage(
        int(image_id),
        int(camera_id),
        name,
        rigid(rotation_from_quaternion(pose_7[:4]), pose_7[4:]),
        keypoint_k3[:, :2] - 0.5,
        keypoint_k3[:, 2].astype(np.int64),
    )
