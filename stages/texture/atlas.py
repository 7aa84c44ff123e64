"""Packs charts into one picture and finds what each of its texels shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.raycasting import TriangleScene
from stages.texture.charts import Charts

FloatArray = NDArray[np.float64]

# Scales a chart by what its views resolve, within these factors of the median: a chart of a few
# faces seen from very near or far is no reason for a huge or an empty one.
DENSITY_RANGE = (0.25, 4.0)
SHRINK = 0.97  # of the scale, until the charts fit
FILL = 0.85  # share of the area that boxes in shelves take, about
MIN_SIDE_PX = 64
RIM_TEXELS = 2.0  # round a face that bilinear interpolation may reach
RAY_TEXELS = 1 << 21  # cast at once: 50 MB
ROUND_TO = 16  # sides are multiples of it, for codecs and mip levels


@dataclass(frozen=True)
class Atlas:
    """A picture over which all faces are spread.

    Attributes:
        width, height: texels.
        uv_m32: texel of each face's corners, centres at integers.
    """

    width: int
    height: int
    uv_m32: FloatArray


@dataclass(frozen=True)
class Texels:
    """The texels that show a face, sorted by face.

    Attributes:
        place_t: row-major place in the picture.
        start_m: where each face's texels start, m + 1 numbers.
        second_t, third_t: barycentric weights of the face's second and third corner.
    """

    place_t: NDArray[np.int32]
    start_m: NDArray[np.int64]
    second_t: NDArray[np.float32]
    third_t: NDArray[np.float32]


def pack(charts: Charts, density_c: FloatArray, padding: int, max_texels: int) -> Atlas:
    """Charts side by side.

    Args:
        charts: to be packed.
        density_c: texels per world unit wanted for each chart.
        padding: texels between charts.
        max_texels: the picture's budget; all charts are shrunk alike to fit it.
    """
    middle = float(np.median(density_c))
    density_c = np.clip(density_c, DENSITY_RANGE[0] * middle, DENSITY_RANGE[1] * middle)
    wanted_c2 = charts.size_c2 * density_c[:, None]
    scale = min(1.0, np.sqrt(FILL * max_texels / max(wanted_c2.prod(axis=1).sum(), 1.0)))
    while True:
        boxes_c2 = np.ceil(wanted_c2 * scale).astype(np.int64) + 1 + padding
        origin_c2, (width, height) = _shelves(boxes_c2)
        if width * height <= max_texels or boxes_c2.max() <= padding + 2:
            break
        scale *= SHRINK
    uv_m32 = charts.uv_m32 * (density_c * scale)[charts.label_m][:, None, None]
    uv_m32 += (origin_c2 + padding // 2)[charts.label_m][:, None]
    return Atlas(width, height, uv_m32)


def _shelves(boxes_c2: NDArray[np.int64]) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Boxes in shelves of falling height, in a picture about as high as wide.

    Returns:
        Lower corner (c, 2) of each box; width and height of the picture.
    """
    area = boxes_c2.prod(axis=1).sum()
    width = max(MIN_SIDE_PX, int(boxes_c2[:, 0].max()), int(np.sqrt(area / FILL)))
    width = -(-width // ROUND_TO) * ROUND_TO
    origin_c2 = np.empty_like(boxes_c2)
    x = y = shelf = 0
    for chart in np.argsort(-boxes_c2[:, 1], kind="stable"):
        box_width, box_height = boxes_c2[chart]
        if x + box_width > width:
            x, y, shelf = 0, y + shelf, 0
        origin_c2[chart] = x, y
        x, shelf = x + box_width, max(shelf, int(box_height))
    height = max(MIN_SIDE_PX, -(-(y + shelf) // ROUND_TO) * ROUND_TO)
    return origin_c2, (width, int(height))


def find_texels(atlas: Atlas) -> Texels:
    """What each texel shows; also those just outside a face, where interpolation reaches."""
    face_hw = _face_of_texel(atlas)
    distance_hw, nearest_hw = cv2.distanceTransformWithLabels(
        (face_hw < 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # Labels number the texels of faces in the picture's order.
    faces_of_labels = np.concatenate([[-1], face_hw[face_hw >= 0]]).astype(np.int32)
    face_hw = np.where(distance_hw <= RIM_TEXELS, faces_of_labels[nearest_hw], -1)
    place_t = np.flatnonzero(face_hw >= 0).astype(np.int32)
    face_t = face_hw.ravel()[place_t]
    order_t = np.argsort(face_t, kind="stable")
    place_t, face_t = place_t[order_t], face_t[order_t]
    start_m = np.searchsorted(face_t, np.arange(len(atlas.uv_m32) + 1))
    second_t, third_t = _barycentric(atlas, place_t, face_t)
    return Texels(place_t, start_m, second_t, third_t)


def _face_of_texel(atlas: Atlas) -> NDArray[np.int32]:
    """Face (h, w) under the centre of each texel, −1 where there is none."""
    count = len(atlas.uv_m32)
    corners_n3 = np.zeros((3 * count, 3), np.float32)
    corners_n3[:, :2] = atlas.uv_m32.reshape(-1, 2)
    scene = TriangleScene(corners_n3, np.arange(3 * count).reshape(-1, 3))
    face_hw = np.empty((atlas.height, atlas.width), np.int32)
    step = max(1, RAY_TEXELS // atlas.width)
    for top in range(0, atlas.height, step):
        rows = slice(top, min(top + step, atlas.height))
        y_hw, x_hw = np.mgrid[rows, : atlas.width]
        origins_n3 = np.stack([x_hw.ravel(), y_hw.ravel(), np.full(x_hw.size, -1.0)], axis=1)
        down_n3 = np.broadcast_to(np.array([0, 0, 1], np.float32), origins_n3.shape)
        hits = scene.cast(origins_n3.astype(np.float32), down_n3)
        face_hw[rows] = np.where(hits.met_n, hits.triangle_n, -1).reshape(x_hw.shape)
    return face_hw


def _barycentric(
    atlas: Atlas, place_t: NDArray[np.int32], face_t: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    first_m2 = atlas.uv_m32[:, 0]
    a_m2, b_m2 = atlas.uv_m32[:, 1] - first_m2, atlas.uv_m32[:, 2] - first_m2
    area_m = a_m2[:, 0] * b_m2[:, 1] - a_m2[:, 1] * b_m2[:, 0]
    area_m = np.where(np.abs(area_m) > 1e-12, area_m, np.inf)
    x_t = place_t % atlas.width - first_m2[face_t, 0]
    y_t = place_t // atlas.width - first_m2[face_t, 1]
    a_t2, b_t2, area_t = a_m2[face_t], b_m2[face_t], area_m[face_t]
    second_t = (x_t * b_t2[:, 1] - y_t * b_t2[:, 0]) / area_t
    third_t = (y_t * a_t2[:, 0] - x_t * a_t2[:, 1]) / area_t
    return second_t.astype(np.float32), third_t.astype(np.float32)
