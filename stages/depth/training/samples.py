"""Training samples of the depth network: views of posed clips with their starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mvrecon.synthetic.training.clips.files import (
    ClipDepths,
    PosedClip,
    depths_path,
    load_clip,
    load_clip_depths,
)
from stages.depth.learned.epipolar import (
    FEATURE_STRIDE,
    Epipolar,
    epipolar_geometry,
    feature_transfer,
)
from stages.depth.learned.start import Start, start_map, with_agreement
from stages.depth.training.clip_starts import NAME
from stages.depth.views import MATCHED_VIEWS, halved_camera


@dataclass(frozen=True)
class DepthSample:
    """Some views of one clip.

    Attributes:
        images_t3hw: RGB in 0…1 of all frames.
        rows_r: the frames whose depth is wanted.
        neighbors_rv: frames that each is matched with.
        epipolar: how.
        start_r1hw, cues_rchw: what the sweep found, at half size.
        truth_rhw: logarithm of the true inverse depth, not finite where there is none.
        focal_px, centre_px: of the images.
    """

    images_t3hw: Tensor
    rows_r: Tensor
    neighbors_rv: Tensor
    epipolar: Epipolar
    start_r1hw: Tensor
    cues_rchw: Tensor
    truth_rhw: Tensor
    focal_px: Tensor
    centre_px: Tensor

    def to(self, device: torch.device) -> DepthSample:
        """The same on another device."""
        return DepthSample(*(value.to(device) for value in vars(self).values()))


def clip_sample(
    clip: PosedClip, depths: ClipDepths, rows: Sequence[int], ranks: Sequence[int]
) -> DepthSample:
    """Views of a clip as they are.

    Args:
        clip: the clip.
        depths: what `clip_starts` made of it.
        rows: frames whose depth is wanted.
        ranks: which of the neighbours to use, by rank, best first.
    """
    extras = depths.extras
    camera = clip.camera()
    frames = clip.posed_frames()
    neighbors_rv = extras["neighbors_tk"][rows][:, ranks]
    geometry = []
    for row, neighbors in zip(rows, neighbors_rv, strict=True):
        transfers = [
            feature_transfer(
                camera, frames[row].cam_from_world, camera, frames[other].cam_from_world
            )
            for other in neighbors
            if other >= 0
        ]
        bounds = tuple(extras["bounds_t2"][row])
        geometry.append(epipolar_geometry(camera, transfers, bounds, len(ranks)))
    images = torch.from_numpy(clip.images_thw3).permute(0, 3, 1, 2).float() / 255.0
    starts = _agreed_starts(clip, depths, rows)
    return DepthSample(
        images,
        torch.tensor(list(rows)),
        torch.from_numpy(np.maximum(neighbors_rv, 0)),
        Epipolar.concatenate(geometry),
        torch.from_numpy(np.stack([start.inverse_depth_hw for start in starts]))[:, None],
        torch.from_numpy(np.stack([start.cues_chw for start in starts])),
        -torch.from_numpy(clip.depth_thw[rows]).log(),
        torch.tensor([camera.fx, camera.fy]),
        torch.tensor([camera.cx, camera.cy]),
    )


def _agreed_starts(clip: PosedClip, depths: ClipDepths, rows: Sequence[int]) -> list[Start]:
    """Starts of some frames, each with those of all its neighbours."""
    extras = depths.extras
    starts_thw = extras["start_thw"]
    camera = halved_camera(clip.camera())
    size_wh = (camera.width, camera.height)
    maps = [
        start_map(
            start_hw,
            cv2.resize(confidence_hw, size_wh, interpolation=cv2.INTER_AREA),
            camera.k_33,
            world_from_cam,
        )
        for start_hw, confidence_hw, world_from_cam in zip(
            starts_thw, depths.confidence_thw, clip.world_from_cam_t44, strict=True
        )
    ]
    result = []
    for row in rows:
        cues_chw = extras["cues_tchw"][row].astype(np.float32)
        step = float(extras["step_t"][row])
        start = Start(starts_thw[row], cues_chw, step, maps[row].confidence_hw)
        others = [maps[other] for other in extras["neighbors_tk"][row] if other >= 0]
        result.append(with_agreement(start, maps[row], others))
    return result


class ClipSamples(Dataset[DepthSample]):
    """Random views of random clips, by training step.

    Args:
        clips: paths of clips with their starts.
        seed: of the choice.
        views: how many of a clip a sample holds.
    """

    def __init__(self, clips: Sequence[Path], seed: int, views: int) -> None:
        self.clips = list(clips)
        self.seed = seed
        self.views = views

    def __getitem__(self, step: int) -> DepthSample:
        """The sample of one step."""
        rng = np.random.default_rng([self.seed, step])
        # Every clip once before any comes again.
        turn, position = divmod(step, len(self.clips))
        order = np.random.default_rng([self.seed, turn]).permutation(len(self.clips))
        path = self.clips[order[position]]
        clip, depths = load_clip(path), load_clip_depths(depths_path(path, NAME))
        rows = rng.choice(len(clip), self.views, replace=False)
        # The best neighbour always, so that none is without any.
        ranks = [
            0,
            *np.sort(rng.choice(np.arange(1, 6), rng.integers(1, MATCHED_VIEWS), replace=False)),
        ]
        sample = _recoloured(clip_sample(clip, depths, rows.tolist(), ranks), rng)
        return mirrored(sample) if rng.random() < 0.5 else sample


def _recoloured(sample: DepthSample, rng: np.random.Generator) -> DepthSample:
    """Other colours and gamma for the clip, and a little apart for each frame."""
    count = len(sample.images_t3hw)
    order = rng.permutation(3) if rng.random() < 0.5 else np.arange(3)
    gamma = np.exp(rng.normal(0, 0.2) + 0.04 * rng.normal(size=(count, 1, 1, 1)))
    gain = np.exp(rng.normal(0, 0.15, (1, 3, 1, 1)) + 0.04 * rng.normal(size=(count, 1, 1, 1)))
    images = sample.images_t3hw[:, torch.from_numpy(order)]
    images = (images ** torch.from_numpy(gamma).float()) * torch.from_numpy(gain).float()
    return replace(sample, images_t3hw=images.clamp(0, 1))


def mirrored(sample: DepthSample) -> DepthSample:
    """Left and right exchanged."""
    width = sample.images_t3hw.shape[-1]
    flip_33 = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
    flip_33[0, 2] = width // FEATURE_STRIDE - 1
    epipolar = replace(
        sample.epipolar,
        infinite_bv33=flip_33 @ sample.epipolar.infinite_bv33 @ flip_33,
        epipole_bv3=sample.epipolar.epipole_bv3 @ flip_33.T,
    )
    x, y = sample.centre_px.tolist()
    return replace(
        sample,
        images_t3hw=sample.images_t3hw.flip(-1),
        epipolar=epipolar,
        start_r1hw=sample.start_r1hw.flip(-1),
        cues_rchw=sample.cues_rchw.flip(-1),
        truth_rhw=sample.truth_rhw.flip(-1),
        centre_px=torch.tensor([width - 1 - x, y]),
    )
