"""Sub-pixel refinement of tracked points against the patch where they were first seen.

Flow chained from frame to frame drifts; a patch compared with its first view does not, if it is
stretched and turned as the flow says before.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.sampling import sample_bilinear

# Of the patches that are compared without being aligned: small, so that they hardly deform.
PATCH_RADIUS_PX = 5
# cv2.remap takes at most 32767 rows or columns.
MOST_ROWS = 30000
# In grey levels; keeps flat patches from being divided by 0.
LEAST_NORM = 1e-3
# Of the patch, and of the Gaussian weight of its pixels: the border counts less, as it is the
# first to show something else.
RADIUS_PX = 8
WEIGHT_SIGMA_PX = 5.0
# Gauss–Newton from about a pixel off needs some five steps to a hundredth of a pixel; longer
# steps than half the weight's radius are not linear.
MAX_ITERATIONS = 10
CONVERGED_PX = 0.01
MAX_STEP_PX = 2.0
# Weighted variance in grey levels; keeps divisions finite in blank patches.
LEAST_VARIANCE = 1e-3
# Half the distance in flow of which its derivative is taken.
WARP_REACH_PX = 5.0
# Stretched by more than this, or less than its inverse, a patch lies across an edge in depth.
MAX_STRETCH = 1.6
# Templates are cut one pixel wider, for their gradient.
TEMPLATE_SIDE_PX = 2 * RADIUS_PX + 3


def patch_offsets(radius_px: int) -> FloatArray:
    """Offsets (p, 2) of the pixels of a square patch from its centre, row by row."""
    steps = np.arange(-radius_px, radius_px + 1, dtype=np.float32)
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)


def sample_patches(image_hw: NDArray[np.uint8], x_np: FloatArray, y_np: FloatArray) -> FloatArray:
    """Values (n, p) of an image, bilinear; outside, those at its border."""
    values_np = np.empty(x_np.shape, np.float32)
    for start in range(0, len(x_np), MOST_ROWS):
        some = slice(start, start + MOST_ROWS)
        values_np[some] = cv2.remap(
            image_hw, x_np[some], y_np[some], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return values_np


def normalized_patches(image_hw: NDArray[np.uint8], xy_n2: FloatArray) -> FloatArray:
    """Patches (n, p) about pixels (n, 2), of mean 0 and length 1; flat ones are 0."""
    offset_p2 = patch_offsets(PATCH_RADIUS_PX)
    patches_np = sample_patches(
        image_hw, xy_n2[:, :1] + offset_p2[:, 0], xy_n2[:, 1:] + offset_p2[:, 1]
    )
    patches_np -= patches_np.mean(axis=1, keepdims=True)
    norm_n1 = np.linalg.norm(patches_np, axis=1, keepdims=True)
    return np.asarray(patches_np / np.maximum(norm_n1, LEAST_NORM))


FloatArray = NDArray[np.float32]


OFFSET_P2 = patch_offsets(RADIUS_PX)
WEIGHT_P = np.exp(-(OFFSET_P2**2).sum(axis=1) / np.float32(2 * WEIGHT_SIGMA_PX**2))
WEIGHT_P /= WEIGHT_P.sum()


def local_warps(flow_hw2: FloatArray, xy_n2: NDArray[np.floating]) -> FloatArray:
    """Derivative (n, 2, 2) of where pixels go by where they are; the identity at edges in depth.

    Args:
        flow_hw2: pixels.
        xy_n2: pixels of the flow.
    """
    columns = [
        (sample_bilinear(flow_hw2, xy_n2 + step_2) - sample_bilinear(flow_hw2, xy_n2 - step_2))
        / (2 * WARP_REACH_PX)
        for step_2 in WARP_REACH_PX * np.eye(2)
    ]
    warp_n22 = np.eye(2) + np.stack(columns, axis=-1)
    stretch_n2 = np.linalg.svd(warp_n22, compute_uv=False)
    usual_n = (stretch_n2[:, 0] <= MAX_STRETCH) & (stretch_n2[:, 1] >= 1 / MAX_STRETCH)
    return np.where(usual_n[:, None, None], warp_n22, np.eye(2)).astype(np.float32)


def cut_templates(
    anchor_hw: NDArray[np.uint8], xy_n2: FloatArray, warp_n22: FloatArray
) -> FloatArray:
    """Patches (n, s, s) of an image as they look after a warp.

    Args:
        anchor_hw: image.
        xy_n2: pixels of it.
        warp_n22: linear part of the warp, from this image to where the patch is sought.
    """
    offset_p2 = patch_offsets(RADIUS_PX + 1)
    inverse_n22 = np.linalg.inv(warp_n22).astype(np.float32)
    at_np2 = xy_n2[:, None] + offset_p2 @ inverse_n22.transpose(0, 2, 1)
    patches_np = sample_patches(anchor_hw, at_np2[..., 0], at_np2[..., 1])
    return patches_np.reshape(-1, TEMPLATE_SIDE_PX, TEMPLATE_SIDE_PX)


def align_templates(
    templates_nss: FloatArray,
    image_hw: NDArray[np.uint8],
    guess_xy_n2: FloatArray,
    max_shift_px: float,
    min_correlation: float,
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Where an image shows patches, whatever its brightness and contrast, near a guess.

    Inverse compositional Lucas–Kanade alignment (S. Baker, I. Matthews, "Lucas-Kanade 20 years
    on", IJCV 2004).

    Args:
        templates_nss: as `cut_templates` gives them.
        image_hw: searched.
        guess_xy_n2: of the centres.
        max_shift_px: from the guess.
        min_correlation: with the template.

    Returns:
        Refined pixels (n, 2), and which of them can be trusted.
    """
    templates = _Templates.of(templates_nss)
    found_n2 = guess_xy_n2.astype(np.float32)
    correlation_n = np.zeros(len(found_n2), np.float32)
    active = np.arange(len(found_n2))
    for _ in range(MAX_ITERATIONS):
        if len(active) == 0:
            break
        step_n2, correlation_n[active] = templates.step(active, image_hw, found_n2[active])
        length_n = np.linalg.norm(step_n2, axis=1)
        step_n2 *= np.minimum(1.0, MAX_STEP_PX / np.maximum(length_n, CONVERGED_PX))[:, None]
        found_n2[active] += step_n2
        shift_n = np.linalg.norm(found_n2[active] - guess_xy_n2[active], axis=1)
        active = active[(length_n > CONVERGED_PX) & (shift_n <= max_shift_px)]
    shift_n = np.linalg.norm(found_n2 - guess_xy_n2, axis=1)
    return found_n2, (shift_n <= max_shift_px) & (correlation_n >= min_correlation)


@dataclass(frozen=True)
class _Templates:
    """Patches and what a difference from them says of the shift.

    Attributes:
        values_np: less their weighted mean.
        variance_n: weighted.
        shift_2np: least-squares shift in x and in y for a difference in each pixel.
    """

    values_np: FloatArray
    variance_n: FloatArray
    shift_2np: FloatArray

    @classmethod
    def of(cls, templates_nss: FloatArray) -> _Templates:
        values_np = _centred(templates_nss[:, 1:-1, 1:-1])
        x_np = _centred(templates_nss[:, 1:-1, 2:] - templates_nss[:, 1:-1, :-2]) / 2
        y_np = _centred(templates_nss[:, 2:, 1:-1] - templates_nss[:, :-2, 1:-1]) / 2
        xx_n1, xy_n1, yy_n1 = (
            (product_np @ WEIGHT_P)[:, None]
            for product_np in (x_np * x_np, x_np * y_np, y_np * y_np)
        )
        scale_np = WEIGHT_P / np.maximum(xx_n1 * yy_n1 - xy_n1**2, LEAST_VARIANCE)
        shift_2np = np.stack([yy_n1 * x_np - xy_n1 * y_np, xx_n1 * y_np - xy_n1 * x_np]) * scale_np
        variance_n = np.maximum(values_np**2 @ WEIGHT_P, LEAST_VARIANCE)
        return cls(values_np, variance_n, shift_2np)

    def step(
        self, rows: NDArray[np.int64], image_hw: NDArray[np.uint8], xy_n2: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """One step (n, 2) for some of them from where they are, and the correlation (n,) there."""
        x_np, y_np = xy_n2[:, :1] + OFFSET_P2[:, 0], xy_n2[:, 1:] + OFFSET_P2[:, 1]
        seen_np = _centred(sample_patches(image_hw, x_np, y_np))
        variance_n = np.maximum(seen_np**2 @ WEIGHT_P, LEAST_VARIANCE)
        values_np = self.values_np[rows]
        covariance_n = (seen_np * values_np) @ WEIGHT_P
        gain_n = np.sqrt(self.variance_n[rows] / variance_n)
        difference_np = values_np - seen_np * gain_n[:, None]
        step_n2 = np.einsum("cnp,np->nc", self.shift_2np[:, rows], difference_np)
        return step_n2, covariance_n * gain_n / self.variance_n[rows]


def _centred(patches: FloatArray) -> FloatArray:
    """Patches (n, p) less their weighted means."""
    patches_np = patches.reshape(len(patches), len(WEIGHT_P))
    return np.asarray(patches_np - (patches_np @ WEIGHT_P)[:, None])
