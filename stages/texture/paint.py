"""Colours of texels from the views, one view in memory at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.texture.atlas import Texels
from stages.texture.visibility import BestViews, ViewGeometry

Array = NDArray[np.float32]

CHUNK_TEXELS = 65_536  # temporary arrays of a chunk stay in the processor's cache
# Of the colours that vertices have already: shows where no view sees a texel, and nowhere else.
FALLBACK_WEIGHT = 1e-4
SPREAD_ROUNDS = 500  # edges that a colour goes into what no view sees


@dataclass(frozen=True)
class Shape:
    """The surface whose texels are painted.

    Attributes:
        vertices_n3, normals_n3: world coordinates; unit normals.
        faces_m3: vertex indices.
    """

    vertices_n3: Array
    normals_n3: Array
    faces_m3: NDArray[np.int32]


@dataclass(frozen=True)
class Paint:
    """Weighted sums of colour over the views, for each texel.

    Attributes:
        shape, texels: what is painted.
        rgb_sum_t3, weight_sum_t: so far.
    """

    shape: Shape
    texels: Texels
    rgb_sum_t3: Array
    weight_sum_t: Array

    @classmethod
    def start(cls, shape: Shape, texels: Texels, rgb_n3: NDArray[np.uint8]) -> Paint:
        """No view yet: the vertices' colours, of little weight."""
        count = len(texels.place_t)
        paint = cls(shape, texels, np.empty((count, 3), np.float32), np.empty(count, np.float32))
        paint.weight_sum_t[:] = FALLBACK_WEIGHT
        every = np.arange(len(shape.faces_m3))
        for faces in paint._chunks(every):
            rows, weights_t3, corner_t3 = paint._corners(faces)
            rgb_t3 = np.einsum("tc,tcx->tx", weights_t3, rgb_n3[corner_t3].astype(np.float32))
            paint.rgb_sum_t3[rows] = FALLBACK_WEIGHT * rgb_t3
        return paint

    def add(
        self, image_hw3: Array, view: ViewGeometry, weight_n: Array, pool: ThreadPoolExecutor
    ) -> None:
        """Add one view.

        Args:
            image_hw3: colours, 0…255.
            view: where it was taken.
            weight_n: how much it counts at each vertex.
            pool: chunks are disjoint, so the result does not depend on its size.
        """
        faces = np.nonzero((weight_n[self.shape.faces_m3] > 0).any(axis=1))[0]
        chunks = self._chunks(faces)
        for _ in pool.map(lambda chunk: self._add(image_hw3, view, weight_n, chunk), chunks):
            pass

    def rgb(self) -> Array:
        """Colours (t, 3), 0…255."""
        return np.asarray(np.clip(self.rgb_sum_t3 / self.weight_sum_t[:, None], 0.0, 255.0))

    def _add(
        self, image_hw3: Array, view: ViewGeometry, weight_n: Array, faces: NDArray[np.int64]
    ) -> None:
        rows, weights_t3, corner_t3 = self._corners(faces)
        weight_t = np.einsum("tc,tc->t", weights_t3, weight_n[corner_t3])
        kept = np.nonzero(weight_t > 0)[0]
        rows, weights_t3, corner_t3 = rows[kept], weights_t3[kept], corner_t3[kept]
        points_t3 = np.einsum("tc,tcx->tx", weights_t3, self.shape.vertices_n3[corner_t3])
        u_t, v_t, z_t = view.project(points_t3)
        seen = np.nonzero(view.inside(u_t, v_t, z_t))[0]
        u_t, v_t, z_t = u_t[seen], v_t[seen], z_t[seen]
        seen_now = view.unhidden(u_t, v_t, z_t, np.ones_like(z_t))
        u_t, v_t, seen = u_t[seen_now], v_t[seen_now], seen[seen_now]
        if len(seen) == 0:
            return
        weight_t = weight_t[kept][seen]
        rgb_t3 = sample(image_hw3, u_t, v_t)
        self.rgb_sum_t3[rows[seen]] += rgb_t3 * weight_t[:, None]
        self.weight_sum_t[rows[seen]] += weight_t

    def _chunks(self, faces: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Parts of some faces with about as many texels each."""
        texels_m = self.texels.start_m[faces + 1] - self.texels.start_m[faces]
        ends = np.cumsum(texels_m)
        count = int(ends[-1] // CHUNK_TEXELS) + 1 if len(ends) else 0
        cuts = np.searchsorted(ends, CHUNK_TEXELS * np.arange(1, count))
        return np.split(faces, cuts)

    def _corners(
        self, faces: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], Array, NDArray[np.int32]]:
        """Rows (t,) of the faces' texels, their barycentric weights and corners (t, 3)."""
        start_m, texels = self.texels.start_m, self.texels
        count_m = start_m[faces + 1] - start_m[faces]
        before_m = np.cumsum(count_m) - count_m
        rows = np.arange(int(count_m.sum())) + np.repeat(start_m[faces] - before_m, count_m)
        second_t, third_t = texels.second_t[rows], texels.third_t[rows]
        weights_t3 = np.stack([1.0 - second_t - third_t, second_t, third_t], axis=1)
        return rows, weights_t3, np.repeat(self.shape.faces_m3[faces], count_m, axis=0)


def spread_colours(
    rgb_n3: NDArray[np.uint8], seen_n: NDArray[np.bool_], faces_m3: NDArray[np.int32]
) -> NDArray[np.uint8]:
    """Colours of vertices; those that no view sees take them from round about, along the mesh.

    What such a vertex has is the colour of what hides it.
    """
    sides = faces_m3[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    to_k, from_k = np.concatenate([sides, sides[:, ::-1]]).T
    rgb_n3, known_n = np.where(seen_n[:, None], rgb_n3, 0).astype(np.float32), seen_n.copy()
    for _ in range(SPREAD_ROUNDS):
        chosen = ~known_n[to_k] & known_n[from_k]
        to, beside = to_k[chosen], from_k[chosen]
        if len(to) == 0:
            break
        count_n = np.bincount(to, minlength=len(seen_n))
        for channel in range(3):
            sum_n = np.bincount(to, rgb_n3[beside, channel], len(seen_n))
            rgb_n3[:, channel] = np.where(
                count_n > 0, sum_n / np.maximum(count_n, 1), rgb_n3[:, channel]
            )
        known_n |= count_n > 0
    middle_3 = np.median(rgb_n3[seen_n], axis=0) if seen_n.any() else np.full(3, 128.0)
    return np.round(np.where(known_n[:, None], rgb_n3, middle_3)).astype(np.uint8)


def vertex_weights(best: BestViews, weight_nk: Array, view: int) -> Array:
    """Weight (n,) of one view at each vertex."""
    return np.asarray(np.where(best.view_nk == view, weight_nk, 0.0).sum(axis=1), np.float32)


def sample(image_hwc: NDArray[Any], u_n: Array, v_n: Array) -> Array:
    """Values (n, c) at pixels, between them by cubic interpolation."""
    # OpenCV wants both sides of a map below 32768.
    width = 256
    padding = -len(u_n) % width
    u_map = np.pad(u_n, (0, padding)).reshape(-1, width)
    v_map = np.pad(v_n, (0, padding)).reshape(-1, width)
    values = cv2.remap(image_hwc, u_map, v_map, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values.reshape(-1, *image_hwc.shape[2:])[: len(u_n)])


def picture(texels: Texels, rgb_t3: Array, width: int, height: int) -> NDArray[np.uint8]:
    """The texels in place, gaps filled with colours near by (pull-push, Gortler et al. 1996)."""
    rgb_hw3 = np.zeros((height * width, 3), np.float32)
    known_hw = np.zeros(height * width, np.float32)
    rgb_hw3[texels.place_t] = rgb_t3
    known_hw[texels.place_t] = 1.0
    filled_hw3 = _fill(rgb_hw3.reshape(height, width, 3), known_hw.reshape(height, width))
    return np.round(filled_hw3).astype(np.uint8)


def _fill(rgb_hw3: Array, known_hw: Array) -> Array:
    """Colours also where none is known: from a picture of half the size."""
    if known_hw.all() or min(known_hw.shape) < 2:
        return rgb_hw3
    height, width = known_hw.shape
    half = (-(-width // 2), -(-height // 2))
    share_hw = cv2.resize(known_hw, half, interpolation=cv2.INTER_AREA)
    sum_hw3 = cv2.resize(rgb_hw3 * known_hw[..., None], half, interpolation=cv2.INTER_AREA)
    mean_hw3 = (sum_hw3 / np.maximum(share_hw, 1e-6)[..., None]).astype(np.float32)
    coarse_hw3 = _fill(mean_hw3, (share_hw > 0).astype(np.float32))
    spread_hw3 = cv2.resize(coarse_hw3, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(known_hw[..., None] > 0, rgb_hw3, spread_hw3)
