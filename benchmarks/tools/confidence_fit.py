"""The constants of the confidences' logistic models, from rendered clips.

python -m benchmarks.tools.confidence_fit --clips DIR --textures PHOTOS --meshes MODELS

Clips that are not in DIR are rendered first, of seeds that no training and no table takes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.measures.confidence_pixels import Pixels, pixels_of_clip
from mvrecon.synthetic.training.clips.files import PosedClip, load_clip
from mvrecon.synthetic.training.clips.posed_clips import make_clip, render_clips
from mvrecon.synthetic.training.clips.render import texture_pyramid
from mvrecon.synthetic.training.clips.solids import Triangles, load_meshes
from mvrecon.synthetic.training.textures import some_textures

FIRST_SEED, CLIPS = 700_000, 28
SIZES_HW = ((384, 512), (480, 640), (512, 384), (320, 448))
# Newton's steps, and a pull towards 0 that hardly biases.
STEPS, RIDGE = 30, 1e-4
# The fusions' models serve both kinds of depth, each weighing the same.
METHODS = {
    "sweep": ("sweep",),
    "learned": ("learned",),
    "geometric": ("sweep, geometric", "learned, geometric"),
    "both": ("learned, both",),
}


def main() -> None:
    """Measure the clips, print the constants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--textures", type=Path)
    parser.add_argument("--meshes", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    make = partial(
        _clip,
        textures=texture_pyramid(some_textures(options.textures)),
        meshes=load_meshes(options.meshes) if options.meshes else [],
    )
    found: list[dict[str, Pixels]] = []
    for index, path in enumerate(render_clips(options.clips, range(CLIPS), make)):
        clip = load_clip(path)
        found.append(pixels_of_clip(clip, index))
        print(index, clip.kind, flush=True)
    for name, methods in METHODS.items():
        print(name, np.round(_fitted(name, [c[m] for c in found for m in methods]), 3).tolist())


def _clip(index: int, textures: list[torch.Tensor], meshes: Sequence[Triangles]) -> PosedClip:
    size_hw = SIZES_HW[index % len(SIZES_HW)]
    return make_clip(FIRST_SEED + index, textures, meshes, None, size_hw)


def _fitted(name: str, pixels: Sequence[Pixels]) -> NDArray[np.float64]:
    """Coefficients of a method's terms, the constant last where the terms hold none."""
    features_nk = np.concatenate([one.features_nk for one in pixels])
    right_n = np.concatenate([one.right_n for one in pixels])
    if name == "learned":
        bounded_nk = features_nk.clip(1e-4, 1 - 1e-4)
        features_nk = np.log(bounded_nk / (1 - bounded_nk))
    if name != "sweep":
        features_nk = np.column_stack([features_nk, np.ones(len(features_nk))])
    return logistic_regression(features_nk, right_n)


def logistic_regression(
    features_nk: NDArray[np.float32], right_n: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Coefficients by Newton's method with a small ridge."""
    terms_nk = features_nk.astype(np.float64)
    weights_k = np.zeros(terms_nk.shape[1])
    for _ in range(STEPS):
        probability_n = 1 / (1 + np.exp(-(terms_nk @ weights_k)))
        slope_k = terms_nk.T @ (probability_n - right_n) / len(right_n) + RIDGE * weights_k
        spread_n = probability_n * (1 - probability_n) / len(right_n)
        curvature_kk = (terms_nk * spread_n[:, None]).T @ terms_nk
        weights_k -= np.linalg.solve(curvature_kk + RIDGE * np.eye(len(weights_k)), slope_k)
    return weights_k


if __name__ == "__main__":
    main()
