"""COLMAP's sparse model as text: cameras.txt, images.txt, points3D.txt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.formats.colmap_model import (
    NO_POINT,
    ColmapImage,
    ColmapModel,
    Point,
    assemble,
    camera_from_parameters,
    parameters_from_camera,
    point_tracks,
)
from mvrecon.geometry.rigid import quaternion_from_rotation, rigid, rotation_from_quaternion


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
    for row, track in enumerate(point_tracks(model)):
        colour = " ".join(str(value) for value in model.rgb_n3[row].tolist())
        elements = " ".join(str(value) for value in track.ravel().tolist())
        lines.append(
            f"{row + 1} {_numbers(model.xyz_n3[row])} {colour}"
            f" {float(model.error_px_n[row])!r} {elements}"
        )
    _write_lines(folder / "points3D.txt", lines)


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


def _numbers(values: NDArray[np.float64] | list[float]) -> str:
    return " ".join(repr(float(value)) for value in values)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")
