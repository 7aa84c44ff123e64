"""Differences of two pictures with values in 0…1, over all pixels or a part of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.evaluation.metrics.depth import finite_mean
from mvrecon.evaluation.metrics.metric import Metric

FloatArray = NDArray[np.float32]

SSIM_WINDOW = 11
SSIM_SIGMA_PX = 1.5
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2


@dataclass(frozen=True)
class ImageErrors:
    """Errors over the chosen pixels of one picture.

    Attributes:
        coverage: share of the pixels that were chosen; higher is better.
        mae: mean over pixels and channels of the absolute difference; lower is better.
        mse: mean over pixels and channels of the squared difference; lower is better.
        psnr_db: −10 · log10(mse), infinite for equal pictures; higher is better.
        ssim: mean over pixels and channels of the structural similarity; higher is better.
    """

    coverage: float
    mae: float
    mse: float
    psnr_db: float
    ssim: float


IMAGE_METRICS = (
    Metric("mae", "", "mean over pixels and channels of the absolute difference"),
    Metric("mse", "", "mean over pixels and channels of the squared difference"),
    Metric(
        "psnr_db_mean_over_images",
        "PSNR, dB",
        "the mesh rendered over the key frames, where it covers them, mean over images",
        better="higher",
        form="{:.1f}",
        field="psnr_db",
    ),
    Metric(
        "ssim_mean_over_images",
        "SSIM",
        "the same, structural similarity",
        better="higher",
        form="{:.3f}",
        field="ssim",
    ),
    Metric(
        "covered_mean_over_images",
        "covered",
        "share of the picture that the mesh covers, mean over images",
        better="higher",
        form="{:.3f}",
        field="coverage",
    ),
)


def image_errors(
    estimate_hw3: FloatArray, truth_hw3: FloatArray, chosen_hw: NDArray[np.bool_]
) -> ImageErrors:
    """Compare two pictures where `chosen_hw`; not a number if nothing is chosen.

    The pixels that are not chosen still lie in SSIM's windows at the border.
    """
    coverage = float(chosen_hw.mean())
    if coverage == 0:
        nothing = float("nan")
        return ImageErrors(0.0, nothing, nothing, nothing, nothing)
    difference_n3 = (estimate_hw3 - truth_hw3)[chosen_hw].astype(np.float64)
    mse = float((difference_n3**2).mean())
    return ImageErrors(
        coverage=coverage,
        mae=float(np.abs(difference_n3).mean()),
        mse=mse,
        psnr_db=-10 * float(np.log10(mse)) if mse > 0 else float("inf"),
        ssim=float(ssim_map(estimate_hw3, truth_hw3)[chosen_hw].mean()),
    )


def mean_image_errors(errors: Sequence[ImageErrors]) -> ImageErrors:
    """Mean over images of each error, of those that are finite numbers."""
    names = [field.name for field in fields(ImageErrors)]
    columns = {name: np.array([asdict(error)[name] for error in errors]) for name in names}
    return ImageErrors(**{name: finite_mean(column) for name, column in columns.items()})


def ssim_map(first_hw3: FloatArray, second_hw3: FloatArray) -> FloatArray:
    """Structural similarity (h, w, 3) with Gaussian windows of 11 pixels, σ 1.5.

    Wang et al., "Image quality assessment: from error visibility to structural
    similarity", TIP 2004. Pictures are mirrored at the border. kornia's `ssim` of 64 bits is
    the same to 1e-6, but takes twelve times as long, and torch for an evaluation without it.
    """
    a, b = first_hw3.astype(np.float64), second_hw3.astype(np.float64)
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a = _blur(a * a) - mean_a**2
    variance_b = _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    numerator = (2 * mean_a * mean_b + SSIM_C1) * (2 * covariance + SSIM_C2)
    denominator = (mean_a**2 + mean_b**2 + SSIM_C1) * (variance_a + variance_b + SSIM_C2)
    return np.asarray(numerator / denominator, np.float32)


def _blur(image_hw3: NDArray[np.float64]) -> NDArray[np.float64]:
    size = (SSIM_WINDOW, SSIM_WINDOW)
    blurred = cv2.GaussianBlur(image_hw3, size, SSIM_SIGMA_PX, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.float64)
