"""Posed image sets: a folder with `cameras.json` (optional depth maps and masks)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.formats.files import inside
from mvrecon.formats.images import read_pixels
from mvrecon.geometry.camera import Camera

LAYOUT = "Expected ROOT/cameras.json with frames:[{file,w,h,fx,fy,cx,cy,c2w}]"


@dataclass(frozen=True)
class PosedImage:
    """One image of a posed set.

    Attributes:
        file: path relative to the set's root.
        camera: intrinsics of the stored image.
        depth_camera: intrinsics of the depth map, which has the image's size and pose.
        world_from_cam: (4, 4), OpenCV axes.
        timestamp_s: time, or the index where the set has none.
        depth_file, mask_file: relative paths, empty if there is none.
    """

    file: str
    camera: Camera
    depth_camera: Camera
    world_from_cam: NDArray[np.float64]
    timestamp_s: float
    depth_file: str
    mask_file: str


@dataclass(frozen=True)
class PosedSet:
    """A posed set: `root / image.file` are its images.

    Attributes:
        root: folder of `cameras.json`.
        images: in the order of the file; of a video, one for each frame.
        depth_scale: units of the depth files' values per world unit.
        mesh_file: relative path of the true surface, empty if there is none.
        reference_accuracy: standard deviation of the true surface's own error, world units;
            None if the set does not tell.
    """

    root: Path
    images: tuple[PosedImage, ...]
    depth_scale: float
    mesh_file: str = ""
    reference_accuracy: float | None = None

    def read_image(self, image: PosedImage) -> NDArray[np.uint8]:
        """RGB image (h, w, 3).

        Raises:
            InputError: missing or not readable.
        """
        return np.asarray(read_pixels(inside(self.root, image.file)), np.uint8)

    def read_depth(self, image: PosedImage) -> NDArray[np.float32]:
        """Ground-truth depth (h, w) in world units, 0 = none.

        Raises:
            InputError: missing or not readable.
        """
        raw_hw = read_pixels(inside(self.root, image.depth_file), "stored")
        return raw_hw.astype(np.float32) / np.float32(self.depth_scale)


def load_posed_set(root: Path) -> PosedSet:
    """Read `cameras.json`.

    Raises:
        InputError: the file is missing or is not of the expected form.
    """
    path = root / "cameras.json"
    if not path.is_file():
        raise InputError(f"no posed set at {root}: {path.name} is missing", LAYOUT)
    return read_posed_file(path)


def read_posed_file(path: Path) -> PosedSet:
    """Read a file of the form of `cameras.json`, whatever its name.

    Raises:
        InputError: the file is not of the expected form.
    """
    try:
        data = json.loads(path.read_text())
        depth_intrinsics = data.get("depth_intrinsics")
        images = tuple(
            _parse_image(entry, index, depth_intrinsics)
            for index, entry in enumerate(data["frames"])
        )
        depth_scale = float(data.get("depth_scale") or 1.0)
        accuracy = data.get("reference_accuracy")
        if accuracy is not None and not accuracy > 0:
            raise ValueError(f"reference_accuracy {accuracy} is not a distance")
        return PosedSet(path.parent, images, depth_scale, data.get("mesh") or "", accuracy)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} cannot be understood ({error!r})", LAYOUT) from error


def _parse_image(
    entry: dict[str, Any], index: int, depth_intrinsics: Sequence[float] | None
) -> PosedImage:
    camera = Camera(
        width=entry["w"],
        height=entry["h"],
        fx=entry["fx"],
        fy=entry["fy"],
        cx=entry["cx"],
        cy=entry["cy"],
        distortion=tuple(entry.get("dist") or ()),
    )
    return PosedImage(
        file=entry["file"],
        camera=camera,
        depth_camera=_depth_camera(camera, depth_intrinsics) if depth_intrinsics else camera,
        world_from_cam=np.array(entry["c2w"], dtype=np.float64).reshape(4, 4),
        timestamp_s=float(entry.get("t", index)),
        depth_file=entry.get("depth", ""),
        mask_file=entry.get("mask", ""),
    )


def _depth_camera(camera: Camera, intrinsics: Sequence[float]) -> Camera:
    """The pinhole with [fx, fy, cx, cy] of the same size."""
    fx, fy, cx, cy = map(float, intrinsics)
    return Camera(camera.width, camera.height, fx, fy, cx, cy)
