"""What the learned fusion sees of a view, besides its recurrent state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap, inverted
from mvrecon.geometry.transfer import FloatMap
from mvrecon.multiview.consensus import find_consensus
from mvrecon.multiview.reprojection import transfer_between
from stages.fusion.inputs import ImagedDepth, RgbImage

# Neighbours that a view is compared with by their images.
MATCHED_VIEWS = 2
MATCH_WINDOW_PX = 5
# Grey levels² below which a window has too little texture to be compared.
LEAST_VARIANCE = 4.0
# Larger ratios of two inverse depths tell nothing more.
LARGEST_RATIO = 100
# From pixels of an image to those of its half, by centres.
HALVING_33 = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1.0]])


@dataclass(frozen=True)
class Cues:
    """Hypotheses for the depth of a view, and what speaks for them.

    Attributes:
        consensus_hw: inverse depth that most maps agree on, float32, 0 = none.
        runner_up_hw: the next best that disagrees with it, float16, in units of the consensus.
        evidence_4hw: confidence of the view's own depth, and how far the maps support (own,
            others) and contradict the consensus, float16, about −1…1.
        match_2hw: correlation with neighbouring images at the consensus and at the view's own
            depth, −1…1, at half the size, float16.
    """

    consensus_hw: FloatMap
    runner_up_hw: NDArray[np.float16]
    evidence_4hw: NDArray[np.float16]
    match_2hw: NDArray[np.float16]

    def save(self, path: Path) -> None:
        """Write as .npz."""
        with path.open("wb") as file:
            np.savez(file, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Cues:
        """Read what `save` wrote."""
        with np.load(path) as data:
            return cls(**{name: data[name] for name in data.files})


def find_cues(
    view: ImagedDepth,
    others: Sequence[DepthMap],
    imaged: Sequence[ImagedDepth],
    tolerance: float,
) -> Cues:
    """Compare a view with its neighbours.

    Args:
        view: the view.
        others: maps of its neighbours.
        imaged: some of them, to be matched by their images.
        tolerance: relative difference of depth at which agreement ends.
    """
    consensus = find_consensus(view.depth, others, tolerance)
    inverse_hw = consensus.inverse_depth_hw
    runner_up_hw = consensus.runner_up_hw / np.maximum(inverse_hw, 1e-12)
    evidence_4hw = np.concatenate([view.depth.confidence_hw[None], consensus.agreement.cues_3hw()])
    tried = (inverse_hw, inverted(view.depth.depth_hw))
    match_2hw = np.stack([_match(view, imaged, tried_hw) for tried_hw in tried])
    return Cues(
        consensus_hw=inverse_hw,
        runner_up_hw=runner_up_hw.clip(0, LARGEST_RATIO).astype(np.float16),
        evidence_4hw=evidence_4hw.astype(np.float16),
        match_2hw=match_2hw.astype(np.float16),
    )


def _match(view: ImagedDepth, others: Sequence[ImagedDepth], inverse_hw: FloatMap) -> FloatMap:
    """Highest normalised correlation with the other images at half size, 0 where unknown."""
    gray_hw = _half_gray(view.rgb_hw3)
    half_inverse_hw = inverse_hw[::2, ::2]
    best_hw = np.full(gray_hw.shape, -1.0, np.float32)
    known_hw = np.zeros(gray_hw.shape, bool)
    for other in others:
        warped_hw, seen_hw = _warp(view.depth, other, half_inverse_hw)
        best_hw = np.where(seen_hw, np.maximum(best_hw, _correlation(gray_hw, warped_hw)), best_hw)
        known_hw |= seen_hw
    return np.where(known_hw, best_hw, np.float32(0))


def _half_gray(rgb_hw3: RgbImage) -> FloatMap:
    """Grey image at half size (rounded up)."""
    gray_hw = cv2.cvtColor(rgb_hw3, cv2.COLOR_RGB2GRAY)
    height, width = gray_hw.shape
    size_wh = (-(-width // 2), -(-height // 2))
    return cv2.resize(gray_hw, size_wh, interpolation=cv2.INTER_AREA).astype(np.float32)


def _warp(
    view: DepthMap, other: ImagedDepth, inverse_hw: FloatMap
) -> tuple[FloatMap, NDArray[np.bool_]]:
    """The other image at half size as the view would see it, and where it is seen."""
    halved, other_halved = (
        replace(depth, k_33=HALVING_33 @ depth.k_33) for depth in (view, other.depth)
    )
    u_hw, v_hw, w_hw = transfer_between(halved, other_halved).project(inverse_hw, exact_rays=True)
    w_hw = np.where(w_hw > 0, w_hw, np.float32(np.inf))
    image_hw = _half_gray(other.rgb_hw3)
    u_hw, v_hw = u_hw / w_hw, v_hw / w_hw
    seen_hw = np.isfinite(w_hw) & (inverse_hw > 0) & (u_hw >= 0) & (v_hw >= 0)
    seen_hw &= (u_hw <= image_hw.shape[1] - 1) & (v_hw <= image_hw.shape[0] - 1)
    warped_hw = cv2.remap(image_hw, u_hw, v_hw, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped_hw, np.float32), seen_hw


def _correlation(first_hw: FloatMap, second_hw: FloatMap) -> FloatMap:
    window = (MATCH_WINDOW_PX, MATCH_WINDOW_PX)

    def mean(values_hw: FloatMap) -> FloatMap:
        return np.asarray(cv2.boxFilter(values_hw, -1, window), np.float32)

    mean_first, mean_second = mean(first_hw), mean(second_hw)
    variances = [
        np.maximum(mean(values * values) - average * average, 0) + np.float32(LEAST_VARIANCE)
        for values, average in ((first_hw, mean_first), (second_hw, mean_second))
    ]
    covariance = mean(first_hw * second_hw) - mean_first * mean_second
    return np.asarray(covariance / np.sqrt(variances[0] * variances[1]))
