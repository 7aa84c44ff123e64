"""Camera poses from elsewhere: COLMAP, nerfstudio, TUM, or `cameras.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.datasets.posed import read_posed_file
from mvrecon.errors import InputError
from mvrecon.formats.colmap.files import read_model
from mvrecon.formats.images import natural_key
from mvrecon.formats.trajectory import read_trajectory
from mvrecon.formats.transforms import read_transforms
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import inverse_rigid

REMEDY = (
    "Give a COLMAP model's folder, a nerfstudio transforms.json, a cameras.json, or a TUM "
    "trajectory (timestamp tx ty tz qx qy qz qw)"
)
MAX_BYTES = 1 << 28  # a million poses
# Of R Rᵀ from the identity: more than rounding to three digits leaves.
MAX_SKEW = 1e-2


@dataclass(frozen=True)
class GivenPose:
    """One camera of the file.

    Attributes:
        file: of its image as the poses name it, empty in a trajectory.
        timestamp_s: time, None where the poses have none.
        camera: intrinsics of the original image, None in a trajectory.
        world_from_cam: (4, 4), OpenCV axes.
    """

    file: str
    timestamp_s: float | None
    camera: Camera | None
    world_from_cam: NDArray[np.float64]


def read_given_poses(path: Path) -> list[GivenPose]:
    """Read poses; what they are is seen from the content.

    Args:
        path: folder of a COLMAP model, or a file.

    Raises:
        InputError: it is none of the known forms, holds no pose, or one that is not rigid.
    """
    try:
        poses = _from_colmap(path) if path.is_dir() else _from_file(path)
        if not poses:
            raise InputError(f"{path} holds no camera poses", REMEDY)
        return [_checked(pose, path) for pose in poses]
    except InputError:
        raise
    except Exception as error:  # whatever a damaged or hostile file makes of it
        raise InputError(f"{path} cannot be understood ({error!r})", REMEDY) from error


def _from_colmap(folder: Path) -> list[GivenPose]:
    model = read_model(folder)
    images = sorted(model.images, key=lambda image: natural_key(image.name))
    return [
        GivenPose(
            image.name, None, model.cameras[image.camera_id], inverse_rigid(image.cam_from_world)
        )
        for image in images
    ]


def _from_file(path: Path) -> list[GivenPose]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has more than {MAX_BYTES >> 20} MiB", REMEDY)
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path} as poses ({error})", REMEDY) from error
    if not text.lstrip().startswith(("{", "[")):
        trajectory = read_trajectory(path)
        return [
            GivenPose("", float(timestamp_s), None, world_from_cam)
            for timestamp_s, world_from_cam in zip(
                trajectory.timestamp_s_n, trajectory.world_from_cam_n44, strict=True
            )
        ]
    first = _first_frame(path, text)
    if "c2w" in first:
        return [
            GivenPose(
                image.file,
                image.timestamp_s if "t" in first else None,
                image.camera,
                image.world_from_cam,
            )
            for image in read_posed_file(path).images
        ]
    if "transform_matrix" in first:
        return [
            GivenPose(frame.file_path, None, frame.camera, frame.world_from_cam)
            for frame in read_transforms(path)
        ]
    raise InputError(f"{path} has frames with neither transform_matrix nor c2w", REMEDY)


def _first_frame(path: Path, text: str) -> dict[str, Any]:
    try:
        frames = json.loads(text)["frames"]
        return dict(frames[0]) if frames else {"c2w": None}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be understood ({error!r})", REMEDY) from error


def _checked(pose: GivenPose, path: Path) -> GivenPose:
    """The pose, if it can be one.

    Raises:
        InputError: it cannot.
    """
    if not isinstance(pose.file, str):
        raise InputError(f"{path}: {pose.file!r} is no name of an image", REMEDY)
    if pose.timestamp_s is not None and not np.isfinite(pose.timestamp_s):
        raise InputError(f"{path}: {pose.timestamp_s} is no time", REMEDY)
    if pose.camera is not None and not pose.camera.is_possible:
        raise InputError(f"{path}: {pose.file} has impossible intrinsics: {pose.camera}", REMEDY)
    return replace(pose, world_from_cam=_rigid(pose, path))


def _rigid(pose: GivenPose, path: Path) -> NDArray[np.float64]:
    """The pose with a rotation that is one to the last digit."""
    name = pose.file or f"at {pose.timestamp_s:g} s"
    rotation_33 = pose.world_from_cam[:3, :3]
    if not np.isfinite(pose.world_from_cam).all():
        raise InputError(f"{path}: the pose {name} is not finite", REMEDY)
    skew = np.abs(rotation_33 @ rotation_33.T - np.eye(3)).max()
    if skew > MAX_SKEW or np.linalg.det(rotation_33) < 0:
        raise InputError(
            f"{path}: the pose {name} is not a rotation and a translation",
            "Leave scale out of the rotation, and mirror no axis",
        )
    u_33, _, vt_33 = np.linalg.svd(rotation_33)
    world_from_cam = pose.world_from_cam.copy()
    world_from_cam[:3, :3] = u_33 @ vt_33
    return world_from_cam
