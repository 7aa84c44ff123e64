"""What a person masks is left out of features, depth and surface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvrecon import cli
from mvrecon.artifacts.depth import DepthMap
from mvrecon.artifacts.flow import FlowPair
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, mask_item
from mvrecon.artifacts.poses import POINTS_ITEM, SparsePoints
from mvrecon.formats.images import read_pixels, write_png
from tests.test_pipeline import CLIP, SMALL

KEPT = 0.7  # of the width, from the left
MARGIN = 0.03


def write_masks(folder: Path, numbers: range) -> Path:
    folder.mkdir()
    mask_hw = np.full((48, 64), 255, np.uint8)
    mask_hw[:, round(KEPT * 64) :] = 0
    for number in numbers:
        write_png(folder / f"{number:05d}.png", mask_hw)
    return folder


def newest(run_dir: Path, stage: str) -> Path:
    folder = run_dir / "store" / stage
    return folder / (folder / "latest").read_text()


def test_a_mask_of_a_video_is_heeded_by_every_stage(tmp_path: Path) -> None:
    masks = write_masks(tmp_path / "masks", range(200))
    run_dir = tmp_path / "run"
    options = [*SMALL, "--masks", str(masks), "--until", "depth"]
    assert cli.main(["run", str(CLIP), "-o", str(run_dir), *options]) == 0

    frames = FrameTable.load(newest(run_dir, "frames") / FRAMES_ITEM)
    for frame in frames.key_frames:
        kept_hw = read_pixels(newest(run_dir, "frames") / mask_item(frame.name), "grey") > 127
        assert kept_hw.mean() == pytest.approx(KEPT, abs=0.02)
    for path in (newest(run_dir, "flow") / "flow").iterdir():
        confidence_hw = FlowPair.load(path).forward_confidence_hw
        edge = round((KEPT + MARGIN) * confidence_hw.shape[1])
        assert not confidence_hw[:, edge:].any()
        assert confidence_hw[:, : edge // 2].mean() > 0.1
    points = SparsePoints.load(newest(run_dir, "pose") / POINTS_ITEM)
    assert points.observation_xy_m2[:, 0].max() < (KEPT + MARGIN) * 320
    for path in (run_dir / "store" / "depth").glob("*/depth/*.npz"):
        depth_hw = DepthMap.load(path).depth_hw
        edge = round((KEPT + MARGIN) * depth_hw.shape[1])
        assert not depth_hw[:, edge:].any()
        assert (depth_hw[:, : edge // 2] > 0).mean() > 0.3
