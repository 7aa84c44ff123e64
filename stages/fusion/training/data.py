"""Posed clips with estimated depth, as the learned fusion is trained and validated on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch.utils.data import Dataset

from mvrecon.artifacts.depth import DepthMap
from mvrecon.atomic import replacing
from mvrecon.learning.settings import TrainingSettings
from mvrecon.multiview.neighbors import choose_neighbors
from mvrecon.synthetic.training.clips.files import (
    ClipDepths,
    DepthsOfClips,
    PosedClip,
    load_clip,
)
from stages.fusion.inputs import ImagedDepth
from stages.fusion.recurrent.cues import MATCHED_VIEWS, Cues, find_cues
from stages.fusion.recurrent.network import STRIDE
from stages.fusion.recurrent.step import FusionView, prepare
from stages.fusion.training.losses import Truth

NEIGHBORS = 8
TOLERANCE = 0.03
REMEMBERED_CLIPS = 12
CROP_STEP_PX = 16
# Where the depth stage failed altogether, fusion cannot mend it.
LARGEST_MEDIAN_ERROR = 0.06
MOST_TRIES = 10
MIRROR_44 = np.diag([-1.0, 1.0, 1.0, 1.0])


@dataclass(frozen=True)
class ClipFrame:
    """One frame of a clip with its estimated depth and what is true of it.

    Attributes:
        imaged: image and estimated depth, with the estimated pose.
        cues: what its neighbours say.
        truth_hw: true depth, 0 = nothing.
        true_world_from_cam: (4, 4).
    """

    imaged: ImagedDepth
    cues: Cues
    truth_hw: NDArray[np.float32]
    true_world_from_cam: NDArray[np.float64]

    def mirrored(self) -> ClipFrame:
        """Left and right exchanged, in the image and in the world."""
        depth = self.imaged.depth
        k_33 = depth.k_33.copy()
        k_33[0, 2] = depth.depth_hw.shape[1] - 1 - k_33[0, 2]
        flipped = DepthMap(
            depth.depth_hw[:, ::-1].copy(),
            depth.confidence_hw[:, ::-1].copy(),
            k_33,
            MIRROR_44 @ depth.world_from_cam @ MIRROR_44,
        )
        return ClipFrame(
            ImagedDepth(self.imaged.rgb_hw3[:, ::-1].copy(), flipped),
            Cues(**{name: values[..., ::-1].copy() for name, values in vars(self.cues).items()}),
            self.truth_hw[:, ::-1].copy(),
            MIRROR_44 @ self.true_world_from_cam @ MIRROR_44,
        )

    def cropped(self, top: int, left: int, size_hw: tuple[int, int]) -> ClipFrame:
        """A part; the place must be even."""
        whole = slice(top, top + size_hw[0]), slice(left, left + size_hw[1])
        half = tuple(slice(part.start // 2, -(-part.stop // 2)) for part in whole)
        depth = self.imaged.depth
        k_33 = depth.k_33.copy()
        k_33[:2, 2] -= left, top
        part = DepthMap(
            depth.depth_hw[whole], depth.confidence_hw[whole], k_33, depth.world_from_cam
        )
        return ClipFrame(
            ImagedDepth(self.imaged.rgb_hw3[whole], part),
            Cues(
                consensus_hw=self.cues.consensus_hw[whole],
                runner_up_hw=self.cues.runner_up_hw[whole],
                evidence_4hw=self.cues.evidence_4hw[:, *whole],
                match_2hw=self.cues.match_2hw[:, *half],
            ),
            self.truth_hw[whole],
            self.true_world_from_cam,
        )


@dataclass(frozen=True)
class FusionSample:
    """Sequences of equal length.

    Attributes:
        views: by time, then by sequence.
        truths: by time, all sequences together.
    """

    views: list[list[FusionView]]
    truths: list[Truth]

    def to(self, device: torch.device) -> FusionSample:
        """The same on another device."""
        return FusionSample(
            [[view.to(device) for view in views] for views in self.views],
            [Truth(*(value.to(device) for value in vars(truth).values())) for truth in self.truths],
        )


def read_frames(path: Path, depths_of_clips: DepthsOfClips, cache: Path) -> list[ClipFrame]:
    """All frames of a clip, the truth brought to the scale that the estimates have.

    The errors of estimated poses change the scale in a way that no view can tell. Depth and
    cues cost most and are kept: depth beside the clip, the cues in `cache`.
    """
    clip = load_clip(path)
    depths = depths_of_clips.load(path, clip)
    imaged = [
        ImagedDepth(image_hw3, DepthMap(depth_hw, confidence_hw, clip.k_33, world_from_cam))
        for image_hw3, depth_hw, confidence_hw, world_from_cam in zip(
            clip.images_thw3,
            depths.depth_thw,
            depths.confidence_thw,
            clip.world_from_cam_t44,
            strict=True,
        )
    ]
    cues = _cues(path, clip, imaged, cache)
    scale = _scale(clip, depths)
    true_poses_t44 = clip.true_world_from_cam_t44.copy()
    true_poses_t44[:, :3, 3] *= scale
    truth_thw = clip.depth_thw * np.float32(scale)
    fields = zip(imaged, cues, truth_thw, true_poses_t44, strict=True)
    return [ClipFrame(*one) for one in fields]


def _scale(clip: PosedClip, depths: ClipDepths) -> float:
    """Median of estimate / truth where the estimate is trusted most."""
    both_thw = (clip.depth_thw > 0) & (depths.depth_thw > 0)
    trusted_n = depths.confidence_thw[both_thw] >= np.quantile(depths.confidence_thw[both_thw], 0.5)
    return float(np.median((depths.depth_thw[both_thw] / clip.depth_thw[both_thw])[trusted_n]))


def _cues(path: Path, clip: PosedClip, imaged: Sequence[ImagedDepth], cache: Path) -> list[Cues]:
    frames, points = clip.posed_frames(), clip.sparse_points()
    found = []
    for row, view in enumerate(imaged):
        stored = cache / f"{path.stem}-{row:03d}.npz"
        if not stored.is_file():
            neighbors = choose_neighbors(frames, points, row, NEIGHBORS, in_order=True)
            others = [imaged[other] for other in neighbors]
            depths = [other.depth for other in others]
            cues = find_cues(view, depths, others[:MATCHED_VIEWS], TOLERANCE)
            cache.mkdir(parents=True, exist_ok=True)
            with replacing(stored) as temporary:
                cues.save(temporary)
        found.append(Cues.load(stored))
    return found


def median_error(frames: Sequence[ClipFrame]) -> float:
    """Median over frames of the median relative error of the estimated depth."""
    medians = []
    for frame in frames:
        known_hw = (frame.truth_hw > 0) & (frame.imaged.depth.depth_hw > 0)
        ratio_n = frame.imaged.depth.depth_hw[known_hw] / frame.truth_hw[known_hw]
        medians.append(float(np.median(np.abs(ratio_n - 1))) if ratio_n.size else np.inf)
    return float(np.median(medians))


class ClipSequences(Dataset[FusionSample]):
    """Endless windows of clips, by training step.

    They are cut out, recoloured, mirrored, reversed and thinned out.

    Args:
        paths: the clips.
        depths_of_clips: the depth stage's part.
        cache: where the cues are kept.
        settings: how to train.
        length: frames of a window.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        depths_of_clips: DepthsOfClips,
        cache: Path,
        settings: TrainingSettings,
        length: int,
    ) -> None:
        self.paths = paths
        self.depths_of_clips = depths_of_clips
        self.cache = cache
        self.settings = settings
        self.length = length
        self._frames = lru_cache(REMEMBERED_CLIPS)(self._read)

    def __getitem__(self, step: int) -> FusionSample:
        """The sample of one step."""
        random = np.random.default_rng([self.settings.seed, step])
        windows = [self._window(random) for _ in range(self.settings.batch)]
        length = min(map(len, windows))
        return FusionSample(
            [[window[time][0] for window in windows] for time in range(length)],
            [join_truths([window[time][1] for window in windows]) for time in range(length)],
        )

    def _read(self, index: int) -> list[ClipFrame]:
        return read_frames(self.paths[index], self.depths_of_clips, self.cache)

    def _clip(self, random: np.random.Generator) -> list[ClipFrame]:
        """A clip that there is something to be learned from."""
        for _ in range(MOST_TRIES):
            frames = self._frames(int(random.integers(len(self.paths))))
            if median_error(frames) < LARGEST_MEDIAN_ERROR:
                break
        return frames

    def _window(self, random: np.random.Generator) -> list[tuple[FusionView, Truth]]:
        frames = self._clip(random)
        stride = int(random.integers(1, max((len(frames) - 1) // max(self.length - 1, 1), 1) + 1))
        span = (min(self.length, len(frames)) - 1) * stride + 1
        start = int(random.integers(0, len(frames) - span + 1))
        window = frames[start : start + span : stride]
        if random.random() < 0.5:
            window = window[::-1]
        if random.random() < 0.5:
            window = [frame.mirrored() for frame in window]
        height, width = window[0].truth_hw.shape
        size_hw = self.settings.size_hw
        top, left = (
            CROP_STEP_PX * int(random.integers(0, (whole - part) // CROP_STEP_PX + 1))
            for whole, part in zip((height, width), size_hw, strict=True)
        )
        window = [frame.cropped(top, left, size_hw) for frame in window]
        gamma, tint_3 = (
            np.exp(0.3 * random.standard_normal()),
            np.exp(0.1 * random.standard_normal(3)),
        )
        made = []
        for frame in window:
            view = prepare(frame.imaged, frame.cues)
            if view is not None:
                colours = (
                    view.image.clamp(min=1e-3) ** gamma * torch.from_numpy(tint_3)[:, None, None]
                )
                made.append(
                    (replace(view, image=colours.float().clamp(max=1.0)), truth_of(frame, view))
                )
        return made


def truth_of(frame: ClipFrame, view: FusionView) -> Truth:
    """What the network ought to say of a frame."""
    depth_hw = torch.from_numpy(np.ascontiguousarray(frame.truth_hw))
    height, width = depth_hw.shape
    padding = (0, -width % STRIDE, 0, -height % STRIDE)
    known_hw = F.pad(depth_hw > 0, padding) & (view.known[0, 0] > 0)
    log_hw = -depth_hw.clamp(min=1e-9).log() - view.log_unit
    log_hw = F.pad(log_hw[None, None], padding, "replicate")[0]
    return Truth(
        torch.where(known_hw, log_hw, 0.0),
        known_hw[None],
        torch.from_numpy(view.k_33)[None],
        torch.from_numpy(frame.true_world_from_cam)[None],
        torch.tensor([view.log_unit]),
    )


def join_truths(truths: Sequence[Truth]) -> Truth:
    """One batch of several."""
    parts = zip(*(vars(truth).values() for truth in truths), strict=True)
    return Truth(*(torch.cat(part) for part in parts))
