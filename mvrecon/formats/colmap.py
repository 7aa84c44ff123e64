"""COLMAP's sparse model, text and binary (cameras, images, points3D), without COLMAP.

Layout: https://colmap.github.io/format.html. COLMAP puts the centre of the first pixel at
(0.5, 0.5); here it is at (0, 0): reading and writing shift by half a pixel.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import quaternion_from_rotation, rigid, rotation_from_quaternion

REMEDY = "Export the model from COLMAP again"
NO_POINT = -1
# Name, number of parameters, in the order of COLMAP's model ids.
CAMERA_MODELS = (
    ("SIMPLE_PINHOLE", 3),
    ("PINHOLE", 4),
    ("SIMPLE_RADIAL", 4),
    ("RADIAL", 5),
    ("OPENCV", 8),
)
OBSERVATION = np.dtype([("x", "<f8"), ("y", "<f8"), ("point", "<i8")])


@dataclass(frozen=True)
class ColmapImage:
    """A posed image.

    Attributes:
        image_id, camera_id: COLMAP's ids.
        name: file name.
        cam_from_world: (4, 4).
        xy_k2: keypoints in pixels.
        point_k: row of the 3D point of each keypoint, NO_POINT if it has none.
    """

    image_id: int
    camera_id: int
    name: str
    cam_from_world: NDArray[np.float64]
    xy_k2: NDArray[np.float64]
    point_k: NDArray[np.int64]


@dataclass(frozen=True)
class ColmapModel:
    """Cameras by id, posed images by ascending id, and points.

    Attributes:
        xyz_n3, rgb_n3: points and their colours (uint8).
        error_px_n: mean reprojection errors.
    """

    cameras: dict[int, Camera]
    images: tuple[ColmapImage, ...]
    xyz_n3: NDArray[np.float64]
    rgb_n3: NDArray[np.uint8]
    error_px_n: NDArray[np.float64]

    def observations(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Point row (m,), image row (m,) and pixel (m, 2) of every observation."""
        rows = [np.flatnonzero(image.point_k != NO_POINT) for image in self.images]
        none = np.zeros(0, np.int64)
        return (
            np.concatenate([none, *(i.point_k[r] for i, r in zip(self.images, rows, strict=True))]),
            np.repeat(np.arange(len(rows)), [len(r) for r in rows]),
            np.concatenate(
                [np.zeros((0, 2)), *(i.xy_k2[r] for i, r in zip(self.images, rows, strict=True))]
            ),
        )


def camera_from_parameters(
    model: str, width: int, height: int, values: NDArray[np.float64]
) -> Camera:
    """Our camera from COLMAP's parameters.

    Raises:
        InputError: a camera model that has no counterpart here.
    """
    if model not in dict(CAMERA_MODELS):
        known = ", ".join(name for name, _ in CAMERA_MODELS)
        raise InputError(
            f"COLMAP camera model {model} is not supported", f"Convert it to one of {known}"
        )
    two_focals = model in ("PINHOLE", "OPENCV")
    fx, fy = (values[0], values[1]) if two_focals else (values[0], values[0])
    cx, cy, *extra = (float(value) for value in values[1 + two_focals :])
    distortion = tuple((*extra, 0.0, 0.0, 0.0)[:4]) if extra else ()
    return Camera(width, height, float(fx), float(fy), cx - 0.5, cy - 0.5, distortion)


def parameters_from_camera(camera: Camera) -> tuple[str, list[float]]:
    """COLMAP's model name and parameters: PINHOLE, or OPENCV if there is distortion."""
    values = [camera.fx, camera.fy, camera.cx + 0.5, camera.cy + 0.5]
    if camera.distortion:
        return "OPENCV", [*values, *camera.distortion]
    return "PINHOLE", values


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
        for row, track in enumerate(_point_tracks(model)):
            file.write(struct.pack("<Q3d", row + 1, *model.xyz_n3[row]))
            file.write(struct.pack("<3Bd", *model.rgb_n3[row].tolist(), model.error_px_n[row]))
            file.write(struct.pack("<Q", len(track)) + track.astype("<i4").tobytes())


def write_model_text(model: ColmapModel, folder: Path) -> None:
    """Write cameras.txt, images.txt and points3D.txt into an existing folder."""
    lines = ["# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"]
    for camera_id, camera in model.cameras.items():
        name, values = parameters_from_camera(camera)
        lines.append(f"{camera_id} {name} {camera.width} {camera.height} {_numbers(values)}")
    _write_lines(folder / "cameras.txt", lines)
    lines = [
        "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME; POINTS2D[] as X, Y, POINT3D_ID"
    ]
    for image in model.images:
        quaternion_4 = quaternion_from_rotation(image.cam_from_world[:3, :3])
        pose = _numbers([*quaternion_4, *image.cam_from_world[:3, 3]])
        lines.append(f"{image.image_id} {pose} {image.camera_id} {image.name}")
        lines.append(
            " ".join(
                f"{_numbers(xy)} {point + 1 if point != NO_POINT else -1}"
                for xy, point in zip(
                    (image.xy_k2 + 0.5).tolist(), image.point_k.tolist(), strict=True
                )
            )
        )
    _write_lines(folder / "images.txt", lines)
    lines = ["# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as IMAGE_ID, POINT2D_IDX"]
    for row, track in enumerate(_point_tracks(model)):
        colour = " ".join(str(value) for value in model.rgb_n3[row].tolist())
        elements = " ".join(str(value) for value in track.ravel().tolist())
        lines.append(
            f"{row + 1} {_numbers(model.xyz_n3[row])} {colour}"
            f" {float(model.error_px_n[row])!r} {elements}"
        )
    _write_lines(folder / "points3D.txt", lines)


def read_model(folder: Path) -> ColmapModel:
    """Read a model, binary if it is there, else text.

    Raises:
        InputError: files are missing, cut short, or hold an unsupported camera model.
    """
    for suffix, read in ((".bin", _read_binary), (".txt", _read_text)):
        if all(
            (folder / f"{part}{suffix}").is_file() for part in ("cameras", "images", "points3D")
        ):
            try:
                return read(folder)
            except (struct.error, ValueError, IndexError, KeyError) as error:
                raise InputError(f"COLMAP model {folder} is damaged ({error!r})", REMEDY) from error
    raise InputError(
        f"no COLMAP model at {folder}", "It needs cameras, images and points3D, .bin or .txt"
    )


def _numbers(values: NDArray[np.float64] | list[float]) -> str:
    return " ".join(repr(float(value)) for value in values)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")


def _point_tracks(model: ColmapModel) -> list[NDArray[np.int64]]:
    """For each point its (image id, keypoint row) pairs (k, 2)."""
    point_m, image_m, _ = model.observations()
    keypoint_m = np.concatenate(
        [np.zeros(0, np.int64), *(np.flatnonzero(i.point_k != NO_POINT) for i in model.images)]
    )
    ids = np.array([image.image_id for image in model.images], np.int64)
    order = np.argsort(point_m, kind="stable")
    elements_m2 = np.stack([ids[image_m], keypoint_m], axis=1)[order]
    ends = np.searchsorted(point_m[order], np.arange(1, len(model.xyz_n3)))
    return np.split(elements_m2, ends) if len(model.xyz_n3) else []


def _write_cameras(model: ColmapModel, path: Path) -> None:
    ids = {name: number for number, (name, _) in enumerate(CAMERA_MODELS)}
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(model.cameras)))
        for camera_id, camera in model.cameras.items():
            name, values = parameters_from_camera(camera)
            file.write(struct.pack("<iiQQ", camera_id, ids[name], camera.width, camera.height))
            file.write(struct.pack(f"<{len(values)}d", *values))


def _unpack(file: BinaryIO, form: str) -> tuple[float, ...]:
    return struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))


def _read_binary(folder: Path) -> ColmapModel:
    cameras = dict(_read_binary_cameras(folder / "cameras.bin"))
    points = list(_read_binary_points(folder / "points3D.bin"))
    with (folder / "images.bin").open("rb") as file:
        images = [_read_binary_image(file) for _ in range(int(_unpack(file, "Q")[0]))]
    return _assemble(cameras, images, points)


def _read_binary_cameras(path: Path) -> Iterator[tuple[int, Camera]]:
    with path.open("rb") as file:
        for _ in range(int(_unpack(file, "Q")[0])):
            camera_id, model, width, height = (int(value) for value in _unpack(file, "iiQQ"))
            if model >= len(CAMERA_MODELS):
                camera_from_parameters(f"number {model}", width, height, np.zeros(0))
            name, count = CAMERA_MODELS[model]
            values = np.array(_unpack(file, f"{count}d"))
            yield camera_id, camera_from_parameters(name, width, height, values)


def _read_binary_image(file: BinaryIO) -> ColmapImage:
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


_Point = tuple[int, list[float], list[int], float]


def _read_binary_points(path: Path) -> Iterator[_Point]:
    with path.open("rb") as file:
        for _ in range(int(_unpack(file, "Q")[0])):
            point_id, x, y, z, r, g, b, error, length = _unpack(file, "Q3d3BdQ")
            _unpack(file, f"{2 * int(length)}i")
            yield int(point_id), [x, y, z], [int(r), int(g), int(b)], error


def _read_text(folder: Path) -> ColmapModel:
    cameras = {}
    for line in _text_lines(folder / "cameras.txt"):
        camera_id, model, width, height, *values = line.split()
        cameras[int(camera_id)] = camera_from_parameters(
            model, int(width), int(height), np.array(values, np.float64)
        )
    points: list[_Point] = []
    for line in _text_lines(folder / "points3D.txt"):
        point_id, x, y, z, r, g, b, error, *_ = line.split()
        xyz, rgb = [float(x), float(y), float(z)], [int(r), int(g), int(b)]
        points.append((int(point_id), xyz, rgb, float(error)))
    lines = (folder / "images.txt").read_text().splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    images = [_parse_image(*lines[row : row + 2]) for row in range(0, len(lines) - 1, 2)]
    return _assemble(cameras, images, points)


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


def _assemble(
    cameras: dict[int, Camera], images: list[ColmapImage], points: list[_Point]
) -> ColmapModel:
    """Sort by id and turn the point ids of the observations into rows."""
    points = sorted(points)
    ids_n = np.array([point[0] for point in points], np.int64)
    with_rows = []
    for image in sorted(images, key=lambda image: image.image_id):
        point_k = np.full(len(image.point_k), NO_POINT)
        seen = image.point_k != -1
        point_k[seen] = np.searchsorted(ids_n, image.point_k[seen])
        with_rows.append(
            ColmapImage(
                image.image_id,
                image.camera_id,
                image.name,
                image.cam_from_world,
                image.xy_k2,
                point_k,
            )
        )
    return ColmapModel(
        cameras,
        tuple(with_rows),
        np.array([point[1] for point in points], np.float64).reshape(-1, 3),
        np.array([point[2] for point in points], np.uint8).reshape(-1, 3),
        np.array([point[3] for point in points], np.float64),
    )
