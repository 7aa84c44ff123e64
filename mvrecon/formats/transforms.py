"""nerfstudio's transforms.json: camera axes as OpenGL (x right, y up, z backward).

https://docs.nerf.studio/quickstart/data_conventions.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.geometry.camera import Camera

REMEDY = "Expected nerfstudio's layout: frames with file_path, transform_matrix and intrinsics"
DISTORTION_KEYS = ("k1", "k2", "p1", "p2")
OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class TransformsFrame:
    """One image of a transforms.json.

    Attributes:
        file_path: of the image, relative to the file.
        camera: its intrinsics.
        world_from_cam: (4, 4), OpenCV axes.
    """

    file_path: str
    camera: Camera
    world_from_cam: NDArray[np.float64]


def transforms_text(frames: Sequence[TransformsFrame]) -> str:
    """Text of a transforms.json; nerfstudio puts the first pixel's centre at (0.5, 0.5)."""
    return json.dumps(
        {
            "camera_model": "OPENCV",
            "frames": [
                {
                    "file_path": frame.file_path,
                    **_intrinsics(frame.camera),
                    "transform_matrix": (frame.world_from_cam @ OPENCV_FROM_OPENGL).tolist(),
                }
                for frame in frames
            ],
        },
        indent=1,
    )


def read_transforms(path: Path) -> list[TransformsFrame]:
    """Read a transforms.json with intrinsics for each frame or for all.

    Raises:
        InputError: missing or not of the expected form.
    """
    try:
        data = json.loads(path.read_text())
        return [_parse_frame({**data, **entry}) for entry in data["frames"]]
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror})", REMEDY) from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(f"{path} cannot be understood ({error!r})", REMEDY) from error


def _intrinsics(camera: Camera) -> dict[str, float | int]:
    distortion = camera.distortion or (0.0,) * 4
    return {
        "w": camera.width,
        "h": camera.height,
        "fl_x": camera.fx,
        "fl_y": camera.fy,
        "cx": camera.cx + 0.5,
        "cy": camera.cy + 0.5,
        **dict(zip(DISTORTION_KEYS, distortion, strict=True)),
    }


def _parse_frame(entry: dict[str, Any]) -> TransformsFrame:
    distortion = tuple(float(entry.get(key, 0.0)) for key in DISTORTION_KEYS)
    camera = Camera(
        width=int(entry["w"]),
        height=int(entry["h"]),
        fx=float(entry["fl_x"]),
        fy=float(entry.get("fl_y", entry["fl_x"])),
        cx=float(entry["cx"]) - 0.5,
        cy=float(entry["cy"]) - 0.5,
        distortion=distortion if any(distortion) else (),
    )
    matrix_44 = np.array(entry["transform_matrix"], np.float64).reshape(4, 4)
    return TransformsFrame(entry["file_path"], camera, matrix_44 @ OPENCV_FROM_OPENGL)
