"""How good the learned fusion is on clips that training does not see."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap, inverted
from mvrecon.evaluation.metrics.depth import (
    JudgedDepth,
    depth_errors,
    finite_mean,
    temporal_flicker,
)
from mvrecon.formats.images import write_png
from mvrecon.learning.precision import used_precision
from stages.fusion.recurrent.model import fuse_in_turn, merge
from stages.fusion.recurrent.network import FusionNetwork
from stages.fusion.recurrent.step import prepare
from stages.fusion.training.data import ClipFrame

CORRECT = 0.05
LARGEST_SHOWN_ERROR = 0.2


class Validation:
    """Held-out clips and what is known of them before any network.

    Args:
        clips: frames of each clip.
        picture: where a picture of the first clip goes.
    """

    def __init__(self, clips: Sequence[Sequence[ClipFrame]], picture: Path) -> None:
        self.clips = clips
        self.picture = picture
        self.views = [[prepare(frame.imaged, frame.cues) for frame in clip] for clip in clips]
        inputs = [[frame.imaged.depth for frame in clip] for clip in clips]
        geometric = [[consensus_map(frame) for frame in clip] for clip in clips]
        self.before = {**self._figures("input", inputs), **self._figures("geometric", geometric)}

    def __call__(self, network: FusionNetwork) -> dict[str, float]:
        """Mean AbsRel and flicker over maps: of the input, the consensus and the network."""
        network = network.cpu().eval()
        precision = used_precision("auto", ("fp32", "bf16"))
        forward, both = [], []
        for views in self.views:
            known = [view for view in views if view is not None]
            ahead = list(fuse_in_turn(network, known, precision))
            back = list(fuse_in_turn(network, known[::-1], precision))[::-1]
            forward.append(ahead)
            both.append([merge(*maps) for maps in zip(ahead, back, strict=True)])
        self._draw(forward[0], both[0])
        return {
            **self.before,
            **self._figures("forward", forward),
            **self._figures("both", both),
            "calibration_error": self._calibration_error(forward),
        }

    def _figures(self, name: str, maps: Sequence[Sequence[DepthMap]]) -> dict[str, float]:
        errors, flicker = [], []
        for clip, clip_maps in zip(self.clips, maps, strict=True):
            judged = [
                JudgedDepth(m.depth_hw, f.truth_hw, m.k_33, f.true_world_from_cam)
                for f, m in zip(clip, clip_maps, strict=True)
            ]
            errors += [depth_errors(one.estimate_hw, one.truth_hw).abs_rel for one in judged]
            flicker += [temporal_flicker(*pair) for pair in pairwise(judged)]
        return {
            f"abs_rel_{name}": finite_mean(np.array(errors)),
            f"flicker_{name}": finite_mean(np.array(flicker)),
        }

    def _calibration_error(self, maps: Sequence[Sequence[DepthMap]]) -> float:
        """Expected calibration error of the confidence as probability of 5 % (10 bins)."""
        confidence, correct = [], []
        for clip, clip_maps in zip(self.clips, maps, strict=True):
            for frame, fused in zip(clip, clip_maps, strict=True):
                known_hw = (frame.truth_hw > 0) & (fused.depth_hw > 0)
                ratio_n = fused.depth_hw[known_hw] / frame.truth_hw[known_hw]
                confidence.append(fused.confidence_hw[known_hw])
                correct.append(np.abs(ratio_n - 1) < CORRECT)
        confidence_n, correct_n = np.concatenate(confidence), np.concatenate(correct)
        bin_n = np.minimum((10 * confidence_n).astype(int), 9)
        gaps = [
            abs(float(confidence_n[bin_n == b].mean() - correct_n[bin_n == b].mean()))
            * float((bin_n == b).mean())
            for b in np.unique(bin_n)
        ]
        return float(sum(gaps))

    def _draw(self, forward: Sequence[DepthMap], both: Sequence[DepthMap]) -> None:
        """Image and truth, then input, consensus, forward and both; their errors below."""
        row = len(forward) - 1
        frame = self.clips[0][row]
        maps = [frame.imaged.depth, consensus_map(frame), forward[row], both[row]]
        low, high = np.percentile(1 / frame.truth_hw[frame.truth_hw > 0], [1, 99])

        def colours(depth_hw: NDArray[np.float32]) -> NDArray[np.uint8]:
            inverse_hw = np.where(depth_hw > 0, 1 / np.maximum(depth_hw, 1e-9), 0)
            return coloured((inverse_hw - low) / (high - low), cv2.COLORMAP_TURBO)

        def errors(depth_hw: NDArray[np.float32]) -> NDArray[np.uint8]:
            relative_hw = np.abs(depth_hw / np.maximum(frame.truth_hw, 1e-9) - 1)
            relative_hw[frame.truth_hw <= 0] = 0
            return coloured(relative_hw / LARGEST_SHOWN_ERROR, cv2.COLORMAP_INFERNO)

        image_hw3 = frame.imaged.rgb_hw3
        gray_hw3 = coloured(forward[row].confidence_hw, cv2.COLORMAP_BONE)
        upper = [image_hw3, colours(frame.truth_hw), *(colours(m.depth_hw) for m in maps)]
        lower = [np.zeros_like(image_hw3), gray_hw3, *(errors(m.depth_hw) for m in maps)]
        write_png(self.picture, np.vstack([np.hstack(upper), np.hstack(lower)]))


def consensus_map(frame: ClipFrame) -> DepthMap:
    """The depth that the geometric fusion finds; confidence is not told."""
    depth, depth_hw = frame.imaged.depth, inverted(frame.cues.consensus_hw)
    return DepthMap(depth_hw, np.zeros_like(depth_hw), depth.k_33, depth.world_from_cam)


def coloured(values_hw: NDArray[np.floating], colours: int) -> NDArray[np.uint8]:
    """Values of 0…1 in one of OpenCV's colour maps, RGB (h, w, 3)."""
    bytes_hw = (255 * values_hw.clip(0, 1)).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(bytes_hw, colours)[..., ::-1])
