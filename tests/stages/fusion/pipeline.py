"""The real fusion stage under the real engine, behind stages that hand on a made clip."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, image_item
from mvrecon.artifacts.poses import POINTS_ITEM, POSES_ITEM, moving_mask_item, poses_to_json
from mvrecon.engine.config import StageConfig
from mvrecon.engine.partial import PartialArtifact
from mvrecon.engine.runner import Runner
from mvrecon.engine.stage import Stage, StageContext, Summary
from mvrecon.engine.store import Artifact
from mvrecon.synthetic.training.clips.files import ClipDepths, PosedClip
from stages.fusion.config import FusionConfig
from stages.fusion.stage import STAGE
from tests.stages.fusion.clips import make_clip

SEED = 3
MASKED = np.s_[40:70, 60:100]


def run_frames(context: StageContext[StageConfig]) -> Summary:
    kind = context.raw_input.read_text().split()[0]
    context.out.write_text(FRAMES_ITEM, FrameTable(kind, "", ()).to_json())
    return Summary()


def _clip(context: StageContext[StageConfig]):
    _, frames, order = context.raw_input.read_text().split()
    return reordered(*make_clip(SEED, int(frames)), [int(row) for row in order.split(",")])


def reordered(clip: PosedClip, depths: ClipDepths, order: Sequence[int]):
    """The clip whose frame in each row is that of another row."""
    rows = list(order)
    return (
        replace(
            clip,
            images_thw3=clip.images_thw3[rows],
            depth_thw=clip.depth_thw[rows],
            true_world_from_cam_t44=clip.true_world_from_cam_t44[rows],
            world_from_cam_t44=clip.world_from_cam_t44[rows],
            seen_nt=clip.seen_nt[:, rows],
        ),
        ClipDepths(depths.depth_thw[rows], depths.confidence_thw[rows], {}),
    )


def run_pose(context: StageContext[StageConfig]) -> Summary:
    clip, _ = _clip(context)
    frames = clip.posed_frames()
    context.out.write_text(POSES_ITEM, poses_to_json(frames))
    context.out.write(POINTS_ITEM, clip.sparse_points().save)
    mask_hw = np.zeros(clip.depth_thw.shape[1:], np.uint8)
    mask_hw[MASKED] = 255
    for row, frame in enumerate(frames):
        image_hw3 = cv2.cvtColor(clip.images_thw3[row], cv2.COLOR_RGB2BGR)
        for item, pixels in (
            (image_item(frame.name), image_hw3),
            (moving_mask_item(frame.name), mask_hw),
        ):
            encoded = cv2.imencode(Path(item).suffix, pixels)[1].tobytes()
            context.out.write(item, lambda path, data=encoded: path.write_bytes(data))
    return Summary()


def run_depth(context: StageContext[StageConfig]) -> Summary:
    clip, depths = _clip(context)
    for row, frame in enumerate(clip.posed_frames()):
        depth_map = DepthMap(
            depths.depth_thw[row], depths.confidence_thw[row], clip.k_33, frame.world_from_cam
        )
        context.out.write(depth_item(frame.name), depth_map.save)
    return Summary()


PIPELINE = (
    Stage("frames", 1, StageConfig, (), run_frames, reads_raw_input=True),
    Stage("pose", 1, StageConfig, ("frames",), run_pose, reads_raw_input=True),
    Stage("depth", 1, StageConfig, ("pose",), run_depth, reads_raw_input=True),
    STAGE,
)


def fuse(
    run_dir: Path,
    weights: Path,
    *,
    model: str,
    kind: str = "sequence",
    frames: int = 5,
    workers: int = 2,
    completion: str = "none",
    order: Sequence[int] | None = None,
) -> Artifact:
    """Run the stage on a made clip, whose frames come in some order."""
    run_dir.mkdir(exist_ok=True)
    raw_input = run_dir / "input.txt"
    rows = range(frames) if order is None else order
    raw_input.write_text(f"{kind} {frames} {','.join(map(str, rows))}")
    configs = {name: StageConfig() for name in ("frames", "pose", "depth")}
    fusion = FusionConfig(
        model=model, recurrent={"weights": weights}, completion={"method": completion}
    )
    runner = Runner(PIPELINE, run_dir, raw_input, {**configs, "fusion": fusion}, workers)
    return runner.run("fusion")["fusion"]


def main(run_dir: str, weights: str, model: str, frames: str, kill_after: str) -> None:
    """Run the stage and die, unable to clean up, once it has stored so many depth maps."""
    write, left = PartialArtifact.write, [int(kill_after)]

    def write_or_die(self, name, save):
        write(self, name, save)
        left[0] -= name.startswith("depth/") and "fusion" in self.folder.parts
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    PartialArtifact.write = write_or_die
    fuse(Path(run_dir), Path(weights), model=model, frames=int(frames))


if __name__ == "__main__":
    main(*sys.argv[1:])
