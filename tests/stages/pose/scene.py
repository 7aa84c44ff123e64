"""A textured relief seen by a moving camera: images and flow with exact ground truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.flow import PAIRS_ITEM, FlowPair, pair_item
from mvrecon.artifacts.frames import (
    FRAMES_ITEM,
    CameraPrior,
    FrameRecord,
    FrameTable,
    image_item,
)
from mvrecon.engine.context import RunContext
from mvrecon.engine.partial import PartialArtifact
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import inverse_rigid, rigid, transform_points
from mvrecon.geometry.sampling import inside
from stages.pose.config import PoseConfig

FloatArray = NDArray[np.float64]
CAMERA = Camera(240, 180, 200.0, 200.0, 119.5, 89.5)


def turn(yaw_rad: float, pitch_rad: float = 0.0) -> FloatArray:
    """Rotation about the camera's y axis, then about its x axis."""
    cy, sy, cp, sp = np.cos(yaw_rad), np.sin(yaw_rad), np.cos(pitch_rad), np.sin(pitch_rad)
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return yaw @ pitch


def sideways_path(frames: int, step: float = 0.12) -> list[FloatArray]:
    """World_from_cam poses that move right, up and down, and turn a little."""
    poses = []
    for index in range(frames):
        x = step * (index - (frames - 1) / 2)
        centre = np.array([x, 0.3 * np.sin(0.5 * index), 0.1 * np.cos(0.4 * index)])
        poses.append(rigid(turn(-0.12 * x, 0.03 * np.sin(0.7 * index)), centre))
    return poses


@dataclass(frozen=True)
class Relief:
    """The surface z = height(x, y) with a random texture."""

    camera: Camera = CAMERA
    seed: int = 0

    def height(self, x: FloatArray, y: FloatArray) -> FloatArray:
        return 5.0 + 0.7 * np.sin(0.9 * x + 0.3) + 0.5 * np.cos(1.1 * y + 0.5 * x)

    def texture(self, x: FloatArray, y: FloatArray) -> FloatArray:
        rng = np.random.default_rng(self.seed)
        value = np.zeros_like(x)
        for _ in range(25):
            length = np.exp(rng.uniform(np.log(0.12), np.log(1.0)))
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            wave = np.cos(angle) * x + np.sin(angle) * y
            value += np.sin(2 * np.pi / length * wave + phase) * length**0.5
        return np.clip(128.0 + 20.0 * value, 0, 255)

    def points(self, pose: FloatArray, xy_n2: FloatArray) -> FloatArray:
        """World points (n, 3) that pixels see."""
        rays = np.column_stack([self.camera.normalize(xy_n2), np.ones(len(xy_n2))])
        rays = rays @ pose[:3, :3].T
        centre = pose[:3, 3]
        t_n = np.full(len(rays), 5.0)
        for _ in range(15):
            hit = centre + t_n[:, None] * rays
            t_n = (self.height(hit[:, 0], hit[:, 1]) - centre[2]) / rays[:, 2]
        return centre + t_n[:, None] * rays

    def project(self, pose: FloatArray, points_n3: FloatArray) -> FloatArray:
        """Pixels (n, 2) of world points."""
        return self.camera.project(transform_points(inverse_rigid(pose), points_n3))

    def grid(self) -> FloatArray:
        x, y = np.meshgrid(np.arange(self.camera.width), np.arange(self.camera.height))
        return np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float64)

    def image(self, pose: FloatArray) -> NDArray[np.uint8]:
        """Grey image (h, w)."""
        hit = self.points(pose, self.grid())
        values = self.texture(hit[:, 0], hit[:, 1])
        return np.round(values).astype(np.uint8).reshape(self.camera.height, self.camera.width)

    def flow(self, first: FloatArray, second: FloatArray) -> FlowPair:
        """Exact flow both ways; confidence 0 where it leaves the image."""
        forward, forward_ok = self._one_way(self.points(first, self.grid()), second)
        backward, backward_ok = self._one_way(self.points(second, self.grid()), first)
        return FlowPair(forward, backward, forward_ok, backward_ok)

    def flows(
        self, poses: Sequence[FloatArray], offsets: Sequence[int] = (1, 2, 4)
    ) -> dict[tuple[int, int], FlowPair]:
        """Exact flow between frames at some offsets."""
        seen = [self.points(pose, self.grid()) for pose in poses]
        pairs = [(a, a + offset) for offset in offsets for a in range(len(poses) - offset)]
        return {
            (a, b): FlowPair(forward, backward, forward_ok, backward_ok)
            for a, b in pairs
            for forward, forward_ok in [self._one_way(seen[a], poses[b])]
            for backward, backward_ok in [self._one_way(seen[b], poses[a])]
        }

    def _one_way(self, points_n3, pose):
        size = self.camera.height, self.camera.width
        there = self.project(pose, points_n3)
        ok = inside(there, self.camera.width, self.camera.height)
        flow = (there - self.grid()).reshape(*size, 2)
        return flow.astype(np.float32), ok.reshape(size).astype(np.float32)


class Folder:
    """Items in a plain folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, prefix: str = "") -> list[str]:
        paths = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*.*"))
        return sorted(path for path in paths if path.startswith(prefix))

    def path(self, name: str) -> Path:
        return self.root / name


def frame_table(count: int, camera: Camera, source: str, kind: str = "sequence") -> FrameTable:
    frames = [FrameRecord(i, f"{i:06d}", f"{i}.jpg", 0.1 * i, 0, 1.0, "") for i in range(count)]
    dropped = FrameRecord(count, "", f"{count}.jpg", 0.1 * count, 0, 0.1, "blurred")
    return FrameTable(kind, "made so", (CameraPrior(camera, source),), (*frames, dropped))


def pose_context(
    root: Path,
    images: Sequence[NDArray[np.uint8]],
    flows: dict[tuple[int, int], FlowPair],
    table: FrameTable,
    config: PoseConfig | None = None,
) -> RunContext[PoseConfig]:
    """A context whose inputs are these images and flows."""
    (root / "frames/images").mkdir(parents=True)
    (root / "flow/flow").mkdir(parents=True)
    names = [frame.name for frame in table.key_frames]
    for name, image in zip(names, images, strict=True):
        path = str(root / "frames" / image_item(name))
        cv2.imwrite(path, image, [cv2.IMWRITE_JPEG_QUALITY, 98])
    (root / "frames" / FRAMES_ITEM).write_text(table.to_json())
    for (first, second), pair in flows.items():
        pair.save(root / "flow" / pair_item(names[first], names[second]))
    pairs = [(names[first], names[second]) for first, second in sorted(flows)]
    (root / "flow" / PAIRS_ITEM).write_text(json.dumps(pairs))
    return RunContext(
        name="pose",
        config=config or PoseConfig(),
        inputs={"frames": Folder(root / "frames"), "flow": Folder(root / "flow")},
        raw_input=root,
        workers=1,
        out=PartialArtifact(root / "pose"),
    )
