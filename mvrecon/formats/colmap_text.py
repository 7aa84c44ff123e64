"""Reading COLMAP's sparse model as text: cameras.txt, images.txt, points3D.txt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mvrecon.formats.colmap_model import (
    ColmapImage,
    ColmapModel,
    Point,
    assemble,
    camera_from_parameters,
)
from mvrecon.geometry.rigid import rigid, rotation_from_quaternion


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
