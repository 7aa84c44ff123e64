"""Depth of training clips as the depth stage makes it, with its errors."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mvrecon.artifacts.flow import PAIRS_ITEM, pair_item
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, image_item
from mvrecon.artifacts.poses import POINTS_ITEM, POSES_ITEM, poses_to_json
from mvrecon.synthetic.training.clips.files import (
    ClipDepths,
    PosedClip,
    depths_path,
    load_clip_depths,
    save_clip_depths,
)
from stages.depth.config import DepthConfig
from stages.depth.run import Scene
from stages.flow.models.dis import DisFlow
from stages.flow.run import estimate_pair

FLOW_OFFSETS = (1, 2, 4)
JPEG_QUALITY = 95


@dataclass(frozen=True)
class FolderItems:
    """Items of a stage in a plain folder."""

    folder: Path

    def names(self, prefix: str = "") -> list[str]:
        """Sorted item names."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        names = (path.relative_to(self.folder).as_posix() for path in files)
        return sorted(name for name in names if name.startswith(prefix))

    def path(self, name: str) -> Path:
        """Path of an item."""
        return self.folder / name


def estimated_depths(path: Path, clip: PosedClip, config: DepthConfig) -> ClipDepths:
    """The depth stage's result for a clip, made on the first call and kept beside the clip."""
    stored = depths_path(path, f"stage-{config.model}")
    if not stored.is_file():
        save_clip_depths(stored, stage_depths(clip, config))
    return load_clip_depths(stored)


def stage_depths(clip: PosedClip, config: DepthConfig) -> ClipDepths:
    """What the depth stage makes of a clip that was posed already."""
    with tempfile.TemporaryDirectory() as folder:
        items = FolderItems(Path(folder))
        write_inputs(clip, items.folder)
        scene = Scene({"frames": items, "flow": items, "pose": items}, config)
        maps = [scene.depth_map(row) for row in range(len(clip))]
    return ClipDepths(
        np.stack([one.depth_hw for one in maps]), np.stack([one.confidence_hw for one in maps]), {}
    )


def write_inputs(clip: PosedClip, folder: Path) -> None:
    """The results of the stages before, as far as the depth stage reads them."""
    frames = clip.posed_frames()
    (folder / POSES_ITEM).write_text(poses_to_json(frames))
    clip.sparse_points().save(folder / POINTS_ITEM)
    (folder / FRAMES_ITEM).write_text(FrameTable("sequence", "", ()).to_json())
    for item in ("images", "flow"):
        (folder / item).mkdir()
    for frame, image_hw3 in zip(frames, clip.images_thw3, strict=True):
        path, quality = folder / image_item(frame.name), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        cv2.imwrite(str(path), image_hw3[..., ::-1], quality)
    model = DisFlow("medium")
    pairs = [
        (first, first + offset) for offset in FLOW_OFFSETS for first in range(len(frames) - offset)
    ]
    names = [(frames[first].name, frames[second].name) for first, second in pairs]
    (folder / PAIRS_ITEM).write_text(json.dumps(names))
    for (first, second), pair in zip(pairs, names, strict=True):
        flow = estimate_pair(model, clip.images_thw3[first], clip.images_thw3[second])
        flow.save(folder / pair_item(*pair))
