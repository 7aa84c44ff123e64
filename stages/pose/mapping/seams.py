"""Cuts: where a sequence hangs together by a few chance matches only.

Measured: at most 5 % of the points of a frame are seen on both sides of a cut to another scene,
at least 40 % elsewhere, bridged gaps included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mvrecon.formats.colmap.model import NO_POINT, ColmapModel

# So many points are no chance, however many a frame sees.
MAX_SEAM_POINTS = 60


def split_at_seams(
    model: ColmapModel, seam: float, inputs: Sequence[int] = ()
) -> list[ColmapModel]:
    """The parts of a sequence's model, most images first; itself if it has no seam.

    Points that are seen on both sides of a seam are left out.

    Args:
        model: its image ids follow the order of the sequence.
        seam: part of the points that a frame usually sees; fewer are common to both sides.
        inputs: which of several inputs each frame is from, by image id; between inputs few
            points are common, and there is no seam.
    """
    seams = _seams(model, seam)
    if inputs:
        part = [inputs[image.image_id - 1] for image in model.images]
        seams = [row for row in seams if part[row] == part[row + 1]]
    if not seams:
        return [model]
    bounds = [0, *(seam + 1 for seam in seams), len(model.images)]
    parts = [_part(model, first, end) for first, end in pairwise(bounds)]
    return sorted(parts, key=lambda part: -len(part.images))


def _seams(model: ColmapModel, seam: float) -> list[int]:
    """Rows of the images after which there is a seam."""
    point_m, image_m, _ = model.observations()
    first_n = np.full(len(model.xyz_n3), len(model.images))
    last_n = np.zeros(len(model.xyz_n3), np.int64)
    np.minimum.at(first_n, point_m, image_m)
    np.maximum.at(last_n, point_m, image_m)
    # A point is common to both sides from its first image to the one before its last.
    begun = np.bincount(first_n, minlength=len(model.images) + 1)[: len(model.images)]
    ended = np.bincount(last_n, minlength=len(model.images))
    common = np.cumsum(begun - ended)[:-1]
    usual = float(np.median(np.bincount(image_m, minlength=len(model.images))))
    weak = common < min(seam * usual, MAX_SEAM_POINTS)
    return [int(row) for row in np.flatnonzero(weak)]


def _part(model: ColmapModel, first: int, end: int) -> ColmapModel:
    """The images of some rows, with the points that only they see."""
    point_m, image_m, _ = model.observations()
    outside = np.zeros(len(model.xyz_n3), bool)
    outside[point_m[(image_m < first) | (image_m >= end)]] = True
    inside = np.zeros(len(model.xyz_n3), bool)
    inside[point_m] = True
    kept = inside & ~outside
    row_n = np.where(kept, np.cumsum(kept) - 1, NO_POINT)
    images = tuple(
        replace(image, point_k=_renumber(image.point_k, row_n)) for image in model.images[first:end]
    )
    return ColmapModel(
        {image.camera_id: model.cameras[image.camera_id] for image in images},
        images,
        model.xyz_n3[kept],
        model.rgb_n3[kept],
        model.error_px_n[kept],
    )


def _renumber(point_k: NDArray[np.int64], row_n: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(point_k == NO_POINT, NO_POINT, row_n[point_k])
