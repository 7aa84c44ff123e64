"""Masks of a patch that moves over a rendered relief, with exact flow."""

import cv2
import numpy as np
import pytest

from mvrecon.artifacts.flow import FlowPair
from mvrecon.artifacts.poses import load_moving_mask, moving_mask_item
from stages.pose.config import PoseConfig
from stages.pose.stage import run
from tests.stages.pose.scene import (
    CAMERA,
    Folder,
    Relief,
    frame_table,
    pose_context,
    sideways_path,
)

FRAMES = 6
SIZE = (CAMERA.height, CAMERA.width)
PATCH = np.clip(
    128 + 60 * cv2.GaussianBlur(np.random.default_rng(3).normal(size=(60, 56)), (0, 0), 1.5) / 0.19,
    0,
    255,
).astype(np.uint8)
VELOCITY_PX = np.array([-3, 5])


def corner(frame):
    return np.array([90, 40]) + frame * VELOCITY_PX


def patch_region(frame):
    x, y = corner(frame)
    region = np.zeros(SIZE, bool)
    region[y : y + PATCH.shape[0], x : x + PATCH.shape[1]] = True
    return region


def with_patch(image, frame):
    pasted = image.copy()
    pasted[patch_region(frame)] = PATCH.ravel()
    return pasted


def one_way(flow_hw2, confidence_hw, start, end):
    """The flow of a static scene, with the patch on top."""
    flow_hw2, region = flow_hw2.copy(), patch_region(start)
    ends = np.round(np.argwhere(np.ones(SIZE, bool))[:, ::-1] + flow_hw2.reshape(-1, 2))
    x, y = ends.astype(int).clip(0, [SIZE[1] - 1, SIZE[0] - 1]).T
    hidden = patch_region(end)[y, x].reshape(SIZE)
    flow_hw2[region] = corner(end) - corner(start)
    return flow_hw2, np.where(hidden & ~region, 0, np.where(region, 1, confidence_hw))


def flow_with_patch(pair, first, second):
    forward, forward_confidence = one_way(
        pair.forward_hw2, pair.forward_confidence_hw, first, second
    )
    backward, backward_confidence = one_way(
        pair.backward_hw2, pair.backward_confidence_hw, second, first
    )
    return FlowPair(
        forward,
        backward,
        forward_confidence.astype(np.float32),
        backward_confidence.astype(np.float32),
    )


def context_of(root, moving, config=None):
    poses, relief = sideways_path(FRAMES, 0.2), Relief()
    images = [relief.image(pose) for pose in poses]
    flows = relief.flows(poses)
    if moving:
        images = [with_patch(image, frame) for frame, image in enumerate(images)]
        flows = {pair: flow_with_patch(flow, *pair) for pair, flow in flows.items()}
    table = frame_table(FRAMES, CAMERA, "given")
    return pose_context(root, images, flows, table, config)


@pytest.mark.parametrize("moving", [True, False])
def test_only_what_moves_is_masked(tmp_path, moving):
    context = context_of(tmp_path, moving)
    summary = run(context)
    for frame in range(FRAMES):
        mask = load_moving_mask(Folder(context.out.folder), f"{frame:06d}", SIZE)
        region = patch_region(frame) if moving else np.zeros(SIZE, bool)
        # The mask has a margin, for the mixed pixels at the border.
        wide = cv2.dilate(region.astype(np.uint8), np.ones((17, 17))) > 0
        assert mask[~wide].mean() < 0.002
        if moving:
            assert mask[region].mean() > 0.9
    assert (summary.numbers["moving_percent"] > 3) == moving


def test_masks_can_be_left_out(tmp_path):
    context = context_of(tmp_path, True, PoseConfig(moving={"mode": "keep"}))
    run(context)
    assert not context.out.has(moving_mask_item("000000"))
    assert load_moving_mask(Folder(context.out.folder), "000000", SIZE) is None
