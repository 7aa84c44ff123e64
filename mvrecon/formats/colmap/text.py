"""COLMAP's sparse model as text; https://colmap.github.io/format.html."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mvrecon.formats.colmap.model import (
    NO_POINT,
    ColmapModel,
    parameters_from_camera,
    point_tracks,
)
from mvrecon.geometry.rigid import quaternion_from_rotation


def write_text_model(model: ColmapModel, folder: Path) -> None:
    """Write cameras.txt, images.txt and points3D.txt into an existing folder."""
    with (folder / "cameras.txt").open("w") as file:
        file.write("# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n")
        for camera_id, camera in model.cameras.items():
            name, values = parameters_from_camera(camera)
            file.write(f"{camera_id} {name} {camera.width} {camera.height} {_numbers(values)}\n")
    with (folder / "images.txt").open("w") as file:
        file.write("# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME; POINTS2D[]\n")
        for image in model.images:
            pose = quaternion_from_rotation(image.cam_from_world[:3, :3])
            numbers = _numbers([*pose, *image.cam_from_world[:3, 3]])
            file.write(f"{image.image_id} {numbers} {image.camera_id} {image.name}\n")
            # Point ids count from 1.
            ids = np.where(image.point_k == NO_POINT, -1, image.point_k + 1)
            points = zip(image.xy_k2 + 0.5, ids, strict=True)
            file.write(" ".join(f"{x:.9g} {y:.9g} {number}" for (x, y), number in points) + "\n")
    with (folder / "points3D.txt").open("w") as file:
        file.write("# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)\n")
        for row, track in enumerate(point_tracks(model)):
            colour = " ".join(str(value) for value in model.rgb_n3[row])
            place = _numbers(model.xyz_n3[row])
            seen = " ".join(str(value) for value in track.ravel())
            file.write(f"{row + 1} {place} {colour} {model.error_px_n[row]:.9g} {seen}\n")


def _numbers(values: list[float] | np.ndarray) -> str:
    return " ".join(f"{value:.17g}" for value in values)
