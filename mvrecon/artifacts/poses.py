"""Result of the pose stage: undistorted posed key frames and sparse points."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable
from mvrecon.engine.stage import StoredItems
from mvrecon.formats.images import read_pixels
from mvrecon.geometry.camera import Camera

POSES_ITEM = "poses.json"
POINTS_ITEM = "points.npz"
# With fewer sharp frames than this there is no depth without the blurred ones.
MIN_VIEWS = 2


def moving_mask_item(name: str) -> str:
    """Item that marks what moves by itself in the posed key frame `name`."""
    return f"moving/{name}.png"


def excluded_mask_item(name: str) -> str:
    """Item that marks what a person excluded of the posed key frame `name`."""
    return f"excluded/{name}.png"


def left_out_items(pose: StoredItems, name: str) -> list[str]:
    """Items that mark what is left out of a posed key frame, those that are there."""
    return [
        item
        for item in (moving_mask_item(name), excluded_mask_item(name))
        if item in pose.names(item)
    ]


def load_moving_mask(
    pose: StoredItems, name: str, shape: tuple[int, ...]
) -> NDArray[np.bool_] | None:
    """Where something moves by itself or was masked, in a posed key frame's undistorted image.

    Args:
        pose: items of the pose stage.
        name: of the key frame.
        shape: height and width of the mask wanted; what is stored is coarser than the image.

    Returns:
        (h, w), true on what is left out; None if nothing was looked for.

    Raises:
        InputError: the mask is not readable.
    """
    masks = []
    for item in left_out_items(pose, name):
        mask_hw = read_pixels(pose.path(item), "grey")
        resized_hw = cv2.resize(mask_hw, shape[1::-1], interpolation=cv2.INTER_LINEAR)
        masks.append(np.asarray(resized_hw > 127))
    return np.logical_or.reduce(masks) if masks else None


@dataclass(frozen=True)
class PosedFrame:
    """A key frame with its pose.

    Attributes:
        name: of the key frame.
        timestamp_s: presentation time.
        camera: pinhole camera of the pose stage's undistorted image.
        source_camera: refined camera of the frames stage's image, with distortion.
        world_from_cam: (4, 4), OpenCV axes, at the time of the middle row.
        readout_s: time from the first row to the last of the frames stage's image, 0 if all
            are read at once.
    """

    name: str
    timestamp_s: float
    camera: Camera
    source_camera: Camera
    world_from_cam: NDArray[np.float64]
    readout_s: float = 0.0

    @property
    def cam_from_world(self) -> NDArray[np.float64]:
        """(4, 4) inverse of the pose."""
        rotation_t = self.world_from_cam[:3, :3].T
        inverse = np.eye(4)
        inverse[:3, :3] = rotation_t
        inverse[:3, 3] = -rotation_t @ self.world_from_cam[:3, 3]
        return inverse


def poses_to_json(frames: list[PosedFrame]) -> str:
    """Text of the item `poses.json`, frames in the key frames' order."""
    return json.dumps(
        [
            {
                "name": frame.name,
                "timestamp_s": frame.timestamp_s,
                "camera": frame.camera.to_json(),
                "source_camera": frame.source_camera.to_json(),
                "world_from_cam": frame.world_from_cam.tolist(),
                "readout_s": frame.readout_s,
            }
            for frame in frames
        ],
        indent=1,
    )


def load_poses(path: Path) -> list[PosedFrame]:
    """Read what `poses_to_json` gave."""
    return [
        PosedFrame(
            name=entry["name"],
            timestamp_s=entry["timestamp_s"],
            camera=Camera.from_json(entry["camera"]),
            source_camera=Camera.from_json(entry["source_camera"]),
            world_from_cam=np.array(entry["world_from_cam"]),
            readout_s=entry["readout_s"],
        )
        for entry in json.loads(path.read_text())
    ]


@dataclass(frozen=True)
class SparsePoints:
    """Triangulated points and which frame saw which.

    Attributes:
        xyz_n3: world coordinates.
        rgb_n3: colours, uint8.
        error_px_n: mean reprojection error.
        observation_point_m, observation_frame_m: indices into the points and `poses.json`.
        observation_xy_m2: pixels in the undistorted image.
    """

    xyz_n3: NDArray[np.float64]
    rgb_n3: NDArray[np.uint8]
    error_px_n: NDArray[np.float32]
    observation_point_m: NDArray[np.int32]
    observation_frame_m: NDArray[np.int32]
    observation_xy_m2: NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write as .npz."""
        with path.open("wb") as file:
            np.savez(file, **vars(self))

    @classmethod
    def load(cls, path: Path) -> SparsePoints:
        """Read what `save` wrote."""
        with np.load(path) as data:
            return cls(**{name: data[name] for name in data.files})

    def seen_by(self, frame: int) -> NDArray[np.int32]:
        """Indices of the points that a frame (by its row in `poses.json`) observes."""
        seen_n: NDArray[np.int32] = self.observation_point_m[self.observation_frame_m == frame]
        return seen_n

    def of_frames(self, rows: Sequence[int]) -> SparsePoints:
        """The points as only some of the frames observe them, which are counted anew."""
        frames = max([*rows, *self.observation_frame_m.tolist()], default=0) + 1
        new_row = np.full(frames, -1, np.int32)
        new_row[list(rows)] = np.arange(len(rows))
        frame_m = new_row[self.observation_frame_m]
        kept_m = frame_m >= 0
        return replace(
            self,
            observation_point_m=self.observation_point_m[kept_m],
            observation_frame_m=frame_m[kept_m],
            observation_xy_m2=self.observation_xy_m2[kept_m],
        )


def load_views(frames: StoredItems, pose: StoredItems) -> tuple[list[PosedFrame], SparsePoints]:
    """The posed key frames that are sharp enough for depth, and what they see of the points.

    Args:
        frames: items of the frames stage.
        pose: items of the pose stage.
    """
    posed = load_poses(pose.path(POSES_ITEM))
    points = SparsePoints.load(pose.path(POINTS_ITEM))
    table = FrameTable.load(frames.path(FRAMES_ITEM))
    blurred = {frame.name for frame in table.key_frames if frame.poses_only}
    sharp = [row for row, frame in enumerate(posed) if frame.name not in blurred]
    if len(sharp) == len(posed) or len(sharp) < MIN_VIEWS:
        return posed, points
    return [posed[row] for row in sharp], points.of_frames(sharp)
