"""How well hidden depth is completed, by the prior and by plain means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mvrecon.formats.images import write_png
from mvrecon.geometry.transfer import FloatMap
from stages.fusion.completion.model import Fill, Incomplete, LearnedFill, inpainting_fill
from stages.fusion.completion.network import LEAST_WEIGHT, CompletionNetwork
from stages.fusion.recurrent.network import smoothed
from stages.fusion.training.completion.data import (
    HIDDEN_SHARE,
    LEAST_MEASURED_SHARE,
    SURE,
    Mask,
    MeasuredView,
    Views,
    blobs,
    hide,
)
from stages.fusion.training.data import LARGEST_MEDIAN_ERROR
from stages.fusion.training.validation import coloured

VIEWS_PER_GROUP = 2
RING_PX = 4
LARGEST_SHOWN_ERROR = 0.2


def nearest_fill(view: Incomplete) -> FloatMap:
    """The depth of the nearest measured pixel."""
    unknown_hw = (~view.measured_hw).astype(np.uint8)
    _, label_hw = cv2.distanceTransformWithLabels(
        unknown_hw, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    depth_of_label = np.zeros(int(label_hw.max()) + 1, np.float32)
    depth_of_label[label_hw[view.measured_hw]] = view.depth_hw[view.measured_hw]
    return np.asarray(depth_of_label[label_hw])


def smooth_fill(view: Incomplete) -> FloatMap:
    """Averages of wider and wider surroundings in inverse depth, by an image pyramid."""
    measured = torch.from_numpy(view.measured_hw.astype(np.float32))[None, None]
    depth_hw = np.where(view.measured_hw, view.depth_hw, np.float32(1))
    fill = smoothed(torch.from_numpy(1 / depth_hw)[None, None], measured + LEAST_WEIGHT)
    return np.asarray(1 / fill[0, 0].numpy())


def plane_fill(view: Incomplete) -> FloatMap:
    """A plane through the rim of each hole (inverse depth is affine in the pixel on one)."""
    smooth_hw = smooth_fill(view)
    depth_hw = np.where(view.measured_hw, view.depth_hw, smooth_hw)
    count, label_hw = cv2.connectedComponents((~view.measured_hw).astype(np.uint8))
    kernel = np.ones((2 * RING_PX + 1,) * 2, np.uint8)
    for label in range(1, count):
        hole_hw = label_hw == label
        rim_hw = (cv2.dilate(hole_hw.astype(np.uint8), kernel) > 0) & view.measured_hw
        y_n, x_n = np.nonzero(rim_hw)
        if len(x_n) < 3:
            continue
        inverse_n = 1.0 / view.depth_hw[rim_hw]
        terms_n3 = np.column_stack([x_n, y_n, np.ones(len(x_n))])
        plane_3 = np.linalg.lstsq(terms_n3, inverse_n, rcond=None)[0]
        y_m, x_m = np.nonzero(hole_hw)
        inside_m = np.column_stack([x_m, y_m, np.ones(len(x_m))]) @ plane_3
        depth_hw[hole_hw] = 1.0 / inside_m.clip(inverse_n.min(), inverse_n.max())
    return depth_hw.astype(np.float32)


PLAIN_FILLS: dict[str, Fill] = {
    "nearest": nearest_fill,
    "smooth": smooth_fill,
    "plane": plane_fill,
    "inpainting": inpainting_fill,
}


class HoleValidation:
    """Held-out views with a fifth of the picture hidden in blobs, the same ones each time.

    Args:
        groups: of views; two of each are taken.
        picture: where a picture goes.
    """

    def __init__(self, groups: Sequence[Views], picture: Path) -> None:
        random = np.random.default_rng(0)
        self.picture = picture
        self.views: list[tuple[MeasuredView, Mask, Incomplete]] = []
        for group in groups:
            views = group()
            for index in np.linspace(0, len(views) - 1, min(VIEWS_PER_GROUP, len(views))):
                view = views[round(index)]
                hole_hw = blobs(view.depth_hw.shape, HIDDEN_SHARE, random)
                incomplete = hide(view, hole_hw, image_too=False)
                if incomplete.measured_hw.mean() >= LEAST_MEASURED_SHARE and _sound(view):
                    self.views.append((view, hole_hw, incomplete))
        self.before = {
            "abs_rel_measured": self._abs_rel([view.depth_hw for view, _, _ in self.views]),
            **{
                f"abs_rel_{name}": self._abs_rel([fill(one) for _, _, one in self.views])
                for name, fill in PLAIN_FILLS.items()
            },
        }

    def __call__(self, network: CompletionNetwork) -> dict[str, float]:
        """Mean over views of AbsRel in the holes: of measured depth, plain fills and the prior.

        Against the truth where there is one, else against what was surely measured.
        """
        fill = LearnedFill(network.cpu().eval())
        filled = [fill(incomplete) for _, _, incomplete in self.views]
        self._draw(filled[0])
        return {**self.before, "abs_rel_prior": self._abs_rel(filled)}

    def _abs_rel(self, filled: Sequence[FloatMap]) -> float:
        errors = []
        for (view, hole_hw, _), depth_hw in zip(self.views, filled, strict=True):
            wanted_hw = reference(view)
            judged_hw = hole_hw & (wanted_hw > 0) & (depth_hw > 0)
            if judged_hw.any():
                ratio_n = depth_hw[judged_hw] / wanted_hw[judged_hw]
                errors.append(float(np.abs(ratio_n - 1).mean()))
        return float(np.mean(errors)) if errors else float("nan")

    def _draw(self, prior_hw: FloatMap) -> None:
        """Image with the holes, what is wanted, and the completions with their errors below."""
        view, hole_hw, incomplete = self.views[0]
        wanted_hw = reference(view)
        low, high = np.percentile(1 / wanted_hw[wanted_hw > 0], [1, 99])
        image_hw3 = view.rgb_hw3.copy()
        image_hw3[hole_hw] //= 3
        upper, lower = [image_hw3], [np.zeros_like(image_hw3)]
        maps = [wanted_hw, *(fill(incomplete) for fill in PLAIN_FILLS.values()), prior_hw]
        for depth_hw in maps:
            whole_hw = np.where(incomplete.measured_hw, view.depth_hw, depth_hw)
            inverse_hw = 1 / np.maximum(whole_hw, 1e-9)
            upper.append(coloured((inverse_hw - low) / (high - low), cv2.COLORMAP_TURBO))
            error_hw = np.abs(whole_hw / np.maximum(wanted_hw, 1e-9) - 1)
            error_hw[(wanted_hw <= 0) | ~hole_hw] = 0
            lower.append(coloured(error_hw / LARGEST_SHOWN_ERROR, cv2.COLORMAP_INFERNO))
        write_png(self.picture, np.vstack([np.hstack(upper), np.hstack(lower)]))


def _sound(view: MeasuredView) -> bool:
    """Whether what was measured is of use: false depth cannot be completed to true depth."""
    known_hw = (view.truth_hw > 0) & (view.depth_hw > 0)
    if not known_hw.any():
        return True
    error_n = np.abs(view.depth_hw[known_hw] / view.truth_hw[known_hw] - 1)
    return bool(np.median(error_n) < LARGEST_MEDIAN_ERROR)


def reference(view: MeasuredView) -> NDArray[np.float32]:
    """What a completion is held against: the truth, else what was surely measured; 0 = unknown."""
    if (view.truth_hw > 0).any():
        return view.truth_hw
    return np.where(view.confidence_hw >= SURE, view.depth_hw, np.float32(0))
