"""Posed training clips on disk: one file a clip, and beside it what a depth stage makes of it.

A folder holds `NNNNNN.npz` (`PosedClip`) and, for each way to estimate depth,
`NNNNNN.NAME.npz` (`ClipDepths`). Files appear under their names only when they are whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.poses import PosedFrame, SparsePoints
from mvrecon.atomic import replacing
from mvrecon.errors import InputError
from mvrecon.geometry.camera import Camera

HELD_OUT_EVERY = 10


@dataclass(frozen=True)
class PosedClip:
    """A rendered clip with exact depth, and the poses that a pose stage would give.

    Attributes:
        images_thw3: uint8, RGB.
        depth_thw: float32, exact, along the optical axis, 0 = nothing there.
        k_33: calibration of all images, which have no distortion.
        true_world_from_cam_t44: exact poses, OpenCV axes.
        world_from_cam_t44: the same with errors like those of estimated poses; what depth is
            measured with.
        points_n3: sparse points as triangulated with the estimated poses.
        seen_nt: bool, which frame observes which point.
        kind: of the scene, for validation over kinds.
    """

    images_thw3: NDArray[np.uint8]
    depth_thw: NDArray[np.float32]
    k_33: NDArray[np.float64]
    true_world_from_cam_t44: NDArray[np.float64]
    world_from_cam_t44: NDArray[np.float64]
    points_n3: NDArray[np.float64]
    seen_nt: NDArray[np.bool_]
    kind: str

    def __len__(self) -> int:
        """How many frames."""
        return len(self.images_thw3)

    def camera(self) -> Camera:
        """The camera of all frames."""
        height, width = self.images_thw3.shape[1:3]
        k_33 = self.k_33
        return Camera(width, height, k_33[0, 0], k_33[1, 1], k_33[0, 2], k_33[1, 2])

    def posed_frames(self) -> list[PosedFrame]:
        """The frames as the pose stage hands them on, with the estimated poses."""
        camera = self.camera()
        return [
            PosedFrame(f"{row:06d}", float(row), camera, camera, world_from_cam)
            for row, world_from_cam in enumerate(self.world_from_cam_t44)
        ]

    def sparse_points(self) -> SparsePoints:
        """The points as the pose stage hands them on."""
        count = len(self.points_n3)
        point_m, frame_m = np.nonzero(self.seen_nt)
        cam_from_world_t44 = np.linalg.inv(self.world_from_cam_t44)[frame_m]
        cam_m3 = np.einsum("mij,mj->mi", cam_from_world_t44[:, :3, :3], self.points_n3[point_m])
        xy_m2 = self.camera().project(cam_m3 + cam_from_world_t44[:, :3, 3])
        return SparsePoints(
            xyz_n3=self.points_n3,
            rgb_n3=np.zeros((count, 3), np.uint8),
            error_px_n=np.zeros(count, np.float32),
            observation_point_m=point_m.astype(np.int32),
            observation_frame_m=frame_m.astype(np.int32),
            observation_xy_m2=xy_m2.astype(np.float32),
        )


@dataclass(frozen=True)
class ClipDepths:
    """What a depth stage makes of each frame of a clip, at the size of its images.

    Attributes:
        depth_thw: float32, 0 = none.
        confidence_thw: float32 in 0…1.
        extras: other arrays that the maker wants back.
    """

    depth_thw: NDArray[np.float32]
    confidence_thw: NDArray[np.float32]
    extras: dict[str, NDArray[Any]]


def clip_paths(folder: Path) -> list[Path]:
    """The clips of a folder in order.

    Raises:
        InputError: there is none.
    """
    paths = sorted(path for path in folder.glob("*.npz") if path.stem.isdigit())
    if not paths:
        raise InputError(f"no clip in {folder}", "Render some with mvrecon train depth")
    return paths


def held_out(clips: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Clips to train on, and every tenth (by its number) to validate on."""
    chosen = [int(path.stem) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1 for path in clips]
    train = [path for path, held in zip(clips, chosen, strict=True) if not held]
    return train, [path for path, held in zip(clips, chosen, strict=True) if held]


def clip_path(folder: Path, index: int) -> Path:
    """Where a clip lies."""
    return folder / f"{index:06d}.npz"


def depths_path(clip: Path, name: str) -> Path:
    """Where the depths of one maker lie beside a clip."""
    return clip.with_name(f"{clip.stem}.{name}.npz")


def save_clip(path: Path, clip: PosedClip) -> None:
    """Write a clip whole."""
    fields = {**vars(clip), "depth_thw": clip.depth_thw.astype(np.float32)}
    _save(path, {**fields, "kind": np.array(clip.kind)})


def load_clip(path: Path) -> PosedClip:
    """Read what `save_clip` wrote."""
    with np.load(path) as data:
        fields = {name: data[name] for name in data.files}
    return PosedClip(**{**fields, "kind": str(fields["kind"])})


def save_clip_depths(path: Path, depths: ClipDepths) -> None:
    """Write depths whole; the confidence is stored with 16 bits."""
    extras = {f"extra_{name}": value for name, value in depths.extras.items()}
    confidence_thw = depths.confidence_thw.astype(np.float16)
    _save(path, {"depth_thw": depths.depth_thw, "confidence_thw": confidence_thw, **extras})


def load_clip_depths(path: Path) -> ClipDepths:
    """Read what `save_clip_depths` wrote."""
    with np.load(path) as data:
        extras = {
            name.removeprefix("extra_"): data[name]
            for name in data.files
            if name.startswith("extra_")
        }
        return ClipDepths(
            data["depth_thw"].astype(np.float32), data["confidence_thw"].astype(np.float32), extras
        )


def _save(path: Path, arrays: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        np.savez(temporary, **arrays)


@dataclass(frozen=True)
class DepthsOfClips:
    """The depth stage's part in the training of fusion.

    Attributes:
        model: name of the method; what it made is kept under it.
        measure: from a clip to the depth of its frames.
    """

    model: str
    measure: Callable[[PosedClip], ClipDepths]

    def load(self, path: Path, clip: PosedClip) -> ClipDepths:
        """Depth of a clip, measured on the first call and kept beside the clip."""
        stored = depths_path(path, f"stage-{self.model}")
        if not stored.is_file():
            save_clip_depths(stored, self.measure(clip))
        return load_clip_depths(stored)
