"""A run with exact poses and flow made up in place of the stages before depth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mvrecon.artifacts.flow import PAIRS_ITEM, FlowPair, pair_item
from mvrecon.artifacts.frames import (
    FRAMES_ITEM,
    CameraPrior,
    FrameRecord,
    FrameTable,
    image_item,
)
from mvrecon.artifacts.poses import POINTS_ITEM, POSES_ITEM, poses_to_json
from mvrecon.engine.config import StageConfig
from mvrecon.engine.runner import Runner
from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.depth.stage import STAGE as DEPTH
from stages.fusion.stage import STAGE as FUSION
from tests.stages.depth.scenes import (
    BEHIND,
    CAMERA,
    FRONT,
    POSES,
    frames_of,
    points_of,
    render,
)

PLANES = [BEHIND, FRONT]
FRAMES = frames_of()


def run_frames(context: StageContext[StageConfig]) -> Summary:
    """The frames that the raw input names are for poses only."""
    blurred = context.raw_input.read_text().split()
    records = tuple(
        FrameRecord(
            row, frame.name, str(row), float(row), 0, 1.0, "", poses_only=frame.name in blurred
        )
        for row, frame in enumerate(FRAMES)
    )
    priors = (CameraPrior(CAMERA, "given"),)
    table = FrameTable("photos", "made up", priors, records)
    context.out.write_text(FRAMES_ITEM, table.to_json())
    return Summary()


def run_flow(context: StageContext[StageConfig]) -> Summary:
    """One pair of no use: its confidence is 0."""
    pair = (FRAMES[0].name, FRAMES[1].name)
    context.out.write_text(PAIRS_ITEM, json.dumps([pair]))
    flow_hw2, zero_hw = np.zeros((120, 160, 2), np.float32), np.zeros((120, 160), np.float32)
    context.out.write(pair_item(*pair), FlowPair(flow_hw2, flow_hw2, zero_hw, zero_hw).save)
    return Summary()


def run_pose(context: StageContext[StageConfig]) -> Summary:
    context.out.write_text(POSES_ITEM, poses_to_json(FRAMES))
    context.out.write(POINTS_ITEM, points_of(PLANES).save)
    for frame, pose in zip(FRAMES, POSES, strict=True):
        gray_hw = render(PLANES, CAMERA, pose)[0].astype(np.uint8)
        data = cv2.imencode(".jpg", gray_hw, [cv2.IMWRITE_JPEG_QUALITY, 97])[1].tobytes()
        context.out.write(image_item(frame.name), lambda path, data=data: path.write_bytes(data))
    return Summary()


STAGES = (
    Stage("frames", 1, StageConfig, (), run_frames, reads_raw_input=True),
    Stage("flow", 1, StageConfig, ("frames",), run_flow),
    Stage("pose", 1, StageConfig, ("frames", "flow"), run_pose),
    DEPTH,
    FUSION,
)


def make_runner(
    folder: Path, workers: int = 1, blurred: Sequence[str] = (), **options: dict
) -> Runner:
    raw_input = folder / "input.txt"
    raw_input.write_text(" ".join(blurred))
    configs = {stage.name: stage.config(**options.get(stage.name, {})) for stage in STAGES}
    return Runner(STAGES, folder / "run", raw_input, configs, workers)
