from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mvrecon.synthetic.training.clips.files import load_clip_depths
from stages.clip_pipeline import clip_estimator, depths_by_stage, flows_of_clip, stage_depths
from stages.depth.config import DepthConfig
from tests.stages.fusion.clips import make_clip

QUICK = DepthConfig(sweep={"max_hypotheses": 32})


def test_depth_comes_from_the_depth_stage() -> None:
    clip, _ = make_clip(0)
    depths = stage_depths(clip, QUICK)
    relative = np.abs(depths.depth_thw[2] / clip.depth_thw[2] - 1)[20:-20, 20:-20]
    assert np.median(relative) < 0.03
    assert depths.confidence_thw.min() > 0 and depths.confidence_thw.max() < 1


def test_what_the_stage_reads_is_written_once(tmp_path: Path) -> None:
    clip, _ = make_clip(0, frames=3)
    first = clip_estimator(clip, tmp_path, QUICK).depth_map(1)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = clip_estimator(clip, tmp_path, QUICK).depth_map(1)
    np.testing.assert_array_equal(first.depth_hw, again.depth_hw)
    assert written == {path: path.stat().st_mtime_ns for path in written}


def test_flow_follows_the_rendered_motion() -> None:
    """The wall between two frames, where it fills the corner of both."""
    clip, _ = make_clip(0)
    flows = flows_of_clip(clip.images_thw3)
    assert set(flows) == {(i, i + step) for step in (1, 3) for i in range(5 - step)}
    x, y = 40, 30
    move_44 = np.linalg.inv(clip.world_from_cam_t44[1]) @ clip.world_from_cam_t44[0]
    xyz_3 = np.linalg.inv(clip.k_33) @ [x, y, 1] * clip.depth_thw[0, y, x]
    moved_3 = clip.k_33 @ (move_44[:3, :3] @ xyz_3 + move_44[:3, 3])
    found_2 = flows[0, 1].forward_hw2[y, x]
    np.testing.assert_allclose(found_2, moved_3[:2] / moved_3[2] - [x, y], atol=0.5)


def test_depth_is_measured_once_and_kept_beside_the_clip(tmp_path: Path) -> None:
    clip, depths = make_clip(0)
    asked = []
    source = replace(
        depths_by_stage(DepthConfig()), measure=lambda one: asked.append(one) or depths
    )
    for _ in range(2):
        loaded = source.load(tmp_path / "000000.npz", clip)
        np.testing.assert_array_equal(loaded.depth_thw, depths.depth_thw)
    assert len(asked) == 1
    assert load_clip_depths(tmp_path / "000000.stage-sweep.npz").depth_thw.shape[0] == 5
