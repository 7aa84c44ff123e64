"""What the first stages make of training clips, whose poses are known.

Training code takes these functions as arguments: a stage imports no other.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.flow import PAIRS_ITEM, FlowPair, pair_item
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, image_item
from mvrecon.artifacts.poses import POINTS_ITEM, POSES_ITEM, poses_to_json
from mvrecon.formats.images import write_jpeg
from mvrecon.synthetic.training.clips.files import ClipDepths, DepthsOfClips, PosedClip
from stages.depth.config import DepthConfig
from stages.depth.estimator import DepthEstimator
from stages.flow.config import PairOptions
from stages.flow.models.dis import DisFlow
from stages.flow.run import estimate_pair

# Frames between those of a pair, as the flow stage pairs a sequence.
FLOW_OFFSETS = PairOptions().offsets
JPEG_QUALITY = 95


def flows_of_clip(images_thw3: NDArray[np.uint8]) -> dict[tuple[int, int], FlowPair]:
    """Flow between frames some steps apart, by their rows."""
    model = DisFlow("medium")
    count = len(images_thw3)
    pairs = [(i, i + offset) for offset in FLOW_OFFSETS for i in range(count - offset)]
    return {(i, j): estimate_pair(model, images_thw3[i], images_thw3[j]) for i, j in pairs}


def depths_by_stage(config: DepthConfig) -> DepthsOfClips:
    """Depth of clips as the depth stage measures it with some options."""
    return DepthsOfClips(config.model, partial(stage_depths, config=config))


def stage_depths(clip: PosedClip, config: DepthConfig) -> ClipDepths:
    """What the depth stage makes of a clip."""
    with tempfile.TemporaryDirectory() as folder:
        estimator = clip_estimator(clip, Path(folder), config)
        maps = [estimator.depth_map(row) for row in range(len(clip))]
    return ClipDepths(
        np.stack([one.depth_hw for one in maps]), np.stack([one.confidence_hw for one in maps]), {}
    )


def clip_estimator(clip: PosedClip, folder: Path, config: DepthConfig) -> DepthEstimator:
    """The depth stage on a clip; what it reads is written to an empty folder, which stays."""
    items = FolderItems(folder)
    if not items.names():
        _write_inputs(clip, folder)
    return DepthEstimator({"frames": items, "flow": items, "pose": items}, config)


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


def _write_inputs(clip: PosedClip, folder: Path) -> None:
    """The results of the stages before, as far as the depth stage reads them."""
    frames = clip.posed_frames()
    (folder / POSES_ITEM).write_text(poses_to_json(frames))
    clip.sparse_points().save(folder / POINTS_ITEM)
    (folder / FRAMES_ITEM).write_text(FrameTable("sequence", "", ()).to_json())
    for item in ("images", "flow"):
        (folder / item).mkdir()
    for frame, image_hw3 in zip(frames, clip.images_thw3, strict=True):
        write_jpeg(folder / image_item(frame.name), image_hw3, JPEG_QUALITY, full_colour=False)
    flows = {
        (frames[first].name, frames[second].name): flow
        for (first, second), flow in flows_of_clip(clip.images_thw3).items()
    }
    (folder / PAIRS_ITEM).write_text(json.dumps(list(flows)))
    for pair, flow in flows.items():
        flow.save(folder / pair_item(*pair))
