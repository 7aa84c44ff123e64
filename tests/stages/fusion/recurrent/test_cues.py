from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mvrecon.artifacts.depth import DepthMap
from stages.fusion.inputs import ImagedDepth
from stages.fusion.recurrent.cues import Cues, find_cues
from tests.stages.fusion.clips import make_clip

INNER = np.s_[20:-20, 20:-20]


def true_views() -> list[ImagedDepth]:
    clip, _ = make_clip(0)
    return [
        ImagedDepth(
            clip.images_thw3[row],
            DepthMap(depth_hw, np.full_like(depth_hw, 0.6), clip.k_33, frame.world_from_cam),
        )
        for row, (depth_hw, frame) in enumerate(
            zip(clip.depth_thw, clip.posed_frames(), strict=True)
        )
    ]


def test_the_images_match_at_the_true_depth_and_not_at_a_false_one() -> None:
    view, *others = true_views()
    depths = [other.depth for other in others]
    cues = find_cues(view, depths, others[:2], 0.03)
    error_hw = np.abs(cues.consensus_hw * view.depth.depth_hw - 1)[INNER]
    assert np.mean(error_hw < 0.02) > 0.99
    at_consensus_hw, at_own_hw = cues.match_2hw.astype(np.float32)
    assert at_consensus_hw.shape == tuple(side // 2 for side in view.depth.depth_hw.shape)
    assert np.median(at_own_hw) > 0.8
    wrong = replace(view, depth=replace(view.depth, depth_hw=0.5 * view.depth.depth_hw))
    false_hw = find_cues(wrong, depths, others[:2], 0.03).match_2hw[1].astype(np.float32)
    assert np.median(false_hw) < 0.5 * np.median(at_own_hw)


def test_maps_that_agree_are_evidence_for_the_consensus() -> None:
    view, *others = true_views()
    cues = find_cues(view, [other.depth for other in others], others[:2], 0.03)
    confidence_hw, own_hw, support_hw, contradiction_hw = cues.evidence_4hw.astype(np.float32)
    np.testing.assert_allclose(confidence_hw, 0.6, atol=1e-3)
    assert np.median(own_hw) > 0.5
    assert np.median(support_hw) > np.median(contradiction_hw) + 0.5


def test_cues_survive_the_disk(tmp_path: Path) -> None:
    view, *others = true_views()
    cues = find_cues(view, [others[0].depth], others[:1], 0.03)
    cues.save(tmp_path / "cues.npz")
    for name, values in vars(Cues.load(tmp_path / "cues.npz")).items():
        np.testing.assert_array_equal(values, getattr(cues, name))
