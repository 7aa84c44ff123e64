"""COLMAP's sparse model: cameras, posed images, points.

COLMAP puts the centre of the first pixel at (0.5, 0.5); here it is at (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.geometry.camera import Camera

NO_POINT = -1
# Name, number of parameters, in the order of COLMAP's model ids.
CAMERA_MODELS = (
    ("SIMPLE_PINHOLE", 3),
    ("PINHOLE", 4),
    ("SIMPLE_RADIAL", 4),
    ("RADIAL", 5),
    ("OPENCV", 8),
)
# Id, coordinates, colour, error.
Point = tuple[int, list[float], list[int], float]


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
    if len(values) != dict(CAMERA_MODELS)[model]:
        raise ValueError(f"{len(values)} parameters of a camera {model}")
    cx, cy, *extra = (float(value) for value in values[1 + two_focals :])
    distortion = tuple((*extra, 0.0, 0.0, 0.0)[:4]) if extra else ()
    return Camera(width, height, float(fx), float(fy), cx - 0.5, cy - 0.5, distortion)


def parameters_from_camera(camera: Camera) -> tuple[str, list[float]]:
    """COLMAP's model name and parameters: PINHOLE, or OPENCV if there is distortion."""
    values = [camera.fx, camera.fy, camera.cx + 0.5, camera.cy + 0.5]
    if camera.distortion:
        return "OPENCV", [*values, *camera.distortion]
    return "PINHOLE", values


def point_tracks(model: ColmapModel) -> list[NDArray[np.int64]]:
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


def assemble(
    cameras: dict[int, Camera], images: list[ColmapImage], points: list[Point]
) -> ColmapModel:
    """Sort by id and turn the point ids of the observations into rows, but for unknown ones.

    Raises:
        ValueError: an image of a camera that there is not.
    """
    if unknown := {image.camera_id for image in images} - set(cameras):
        raise ValueError(f"there is no camera {min(unknown)}")
    points = sorted(points)
    ids_n = np.array([point[0] for point in points], np.int64)
    with_rows = []
    for image in sorted(images, key=lambda image: image.image_id):
        point_k = np.full(len(image.point_k), NO_POINT)
        seen = np.isin(image.point_k, ids_n)
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
