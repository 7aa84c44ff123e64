"""Slices through a volume with the outline of a mesh, the right way up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.volume import VolumeGrid
from mvrecon.formats.slabs import SlabFile
from mvrecon.report.pictures import Picture

OUTLINE_SUBPIXELS = 4  # bits of a pixel's fraction, for OpenCV's lines
MIN_SIDE_PX = 480  # a small volume's slices are enlarged to this, so that the outline is fine
WHOLE_PERCENTILES = (0.5, 99.5)
PLANE_NAMES = ("sagittal", "coronal", "axial")  # by the axis (R, A, S) that they are across


@dataclass(frozen=True)
class Slice:
    """A slice of a volume and its place.

    Attributes:
        values_hw: its values, rows and columns in the order of the two other axes (higher first).
        axis: across which it lies: 0 column, 1 row, 2 slice of the volume.
        index: along this axis.
    """

    values_hw: NDArray[Any]
    axis: int
    index: int


@dataclass(frozen=True)
class PlacedMesh:
    """A mesh in a volume.

    Attributes:
        ijk_n3: its vertices as (column, row, slice).
        faces_m3: its triangles.
        rgb_n3: its colours.
    """

    ijk_n3: NDArray[np.float64]
    faces_m3: NDArray[np.int32]
    rgb_n3: NDArray[np.uint8]


def middle_slices(volume: SlabFile, shares: tuple[float, ...]) -> list[Slice]:
    """Slices across each axis, at shares of the way along it."""
    slices = []
    for axis in (2, 1, 0):
        length = volume.shape[2 - axis]
        for index in sorted({min(int(share * length), length - 1) for share in shares}):
            slices.append(Slice(_read(volume, axis, index), axis, index))
    return slices


def _read(volume: SlabFile, axis: int, index: int) -> NDArray[Any]:
    if axis == 2:
        return np.asarray(volume.read(index, index + 1)[0])
    rows = [slab[:, index] if axis == 1 else slab[:, :, index] for _, slab in volume.slabs()]
    return np.concatenate(rows)


def plane_name(grid: VolumeGrid, axis: int) -> str:
    """`axial`, `coronal` or `sagittal`, whichever it is nearest to."""
    return PLANE_NAMES[_nearest_axis(grid, axis)[0]]


def picture(cut: Slice, grid: VolumeGrid, mesh: PlacedMesh, limits: tuple[float, float]) -> Picture:
    """A slice in grey with the outline of a mesh in its colours.

    Args:
        cut: the slice.
        grid: of the volume.
        mesh: what crosses it.
        limits: values that are black and white.
    """
    across, down = [axis for axis in (0, 1, 2) if axis != cut.axis]
    spacing = grid.spacing_3
    size_mm = np.array(cut.values_hw.shape[::-1]) * spacing[[across, down]]
    scale = max(MIN_SIDE_PX, *cut.values_hw.shape) / size_mm.max()
    pixels_per_voxel = spacing[[across, down]] * scale
    low, high = limits
    grey_hw = np.clip((cut.values_hw.astype(np.float32) - low) / max(high - low, 1e-12), 0, 1)
    width, height = (max(1, round(length * scale)) for length in size_mm)
    grey_hw = cv2.resize(grey_hw, (width, height), interpolation=cv2.INTER_LINEAR)
    image_hw3 = np.repeat(np.round(255 * grey_hw).astype(np.uint8)[..., None], 3, axis=2)
    image_hw3 = np.ascontiguousarray(image_hw3)
    segments_m22, rgb_m3 = outline(mesh, cut.axis, cut.index)
    fixed = 1 << OUTLINE_SUBPIXELS
    points_m22 = ((segments_m22 + 0.5) * pixels_per_voxel - 0.5) * fixed
    for (start, end), rgb in zip(np.round(points_m22).astype(int), rgb_m3, strict=True):
        color = tuple(int(part) for part in rgb)
        cv2.line(image_hw3, start.tolist(), end.tolist(), color, 1, cv2.LINE_AA, OUTLINE_SUBPIXELS)
    return _upright(image_hw3, grid, across, down)


def outline(
    mesh: PlacedMesh, axis: int, place: float
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Where triangles cross the plane at `place` along an axis.

    Returns:
        Ends (m, 2, 2) of lines in the two other axes, the lower axis first, and their colours.
    """
    height_n = mesh.ijk_n3[:, axis] - place
    height_n = np.where(height_n == 0, 1e-9, height_n)
    above_m3 = height_n[mesh.faces_m3] > 0
    crossing = mesh.faces_m3[above_m3.any(axis=1) & ~above_m3.all(axis=1)]
    above = height_n[crossing] > 0
    # The corner that is alone on its side: the other two are joined to it across the plane.
    alone = np.argmax(above == (above.sum(axis=1) == 1)[:, None], axis=1)
    turned = np.take_along_axis(crossing, (alone[:, None] + np.arange(3)) % 3, axis=1)
    others = [other for other in (0, 1, 2) if other != axis]
    ends = []
    for corner in (1, 2):
        first, second = height_n[turned[:, 0]], height_n[turned[:, corner]]
        share = (first / (first - second))[:, None]
        points = mesh.ijk_n3[:, others]
        ends.append((1 - share) * points[turned[:, 0]] + share * points[turned[:, corner]])
    return np.stack(ends, axis=1), mesh.rgb_n3[turned[:, 0]]


def grey_limits(slices: list[Slice]) -> tuple[float, float]:
    """Values for black and white, without the outermost."""
    values = np.concatenate([cut.values_hw.ravel()[::7] for cut in slices])
    low, high = np.percentile(values, WHOLE_PERCENTILES)
    return float(low), float(high)


def _upright(image_hw3: Picture, grid: VolumeGrid, across: int, down: int) -> Picture:
    """Head or front up, the patient's right (or front, seen from the side) at the left."""
    world_across, sign_across = _nearest_axis(grid, across)
    world_down, sign_down = _nearest_axis(grid, down)
    # The axis that points higher (S before A before R) goes up.
    if world_across > world_down:
        image_hw3 = image_hw3.transpose(1, 0, 2)
        (world_across, sign_across), sign_down = (world_down, sign_down), sign_across
    if sign_down > 0:
        image_hw3 = image_hw3[::-1]
    if sign_across > 0:  # the axis points to the right or the front, which are at the left
        image_hw3 = image_hw3[:, ::-1]
    return np.ascontiguousarray(image_hw3)


def _nearest_axis(grid: VolumeGrid, axis: int) -> tuple[int, float]:
    """Which of R, A, S an axis of the volume is nearest to, and whether along or against it."""
    direction_3 = grid.ras_from_ijk_44[:3, axis] / grid.spacing_3[axis]
    nearest = int(np.argmax(np.abs(direction_3)))
    return nearest, float(direction_3[nearest])
