"""Between the images that the frames stage stored and the undistorted ones of the pose stage."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.image_motion import ImageMotion, motion_item
from mvrecon.artifacts.poses import PosedFrame
from mvrecon.engine.stage import StoredItems
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.sampling import sample_bilinear
from mvrecon.geometry.undistortion import distorting_map, pixel_grid, undistorting_map

PixelMap = NDArray[np.float32]


class ImageMaps:
    """Maps of distortion and, where rows were read in turn, of what moved meanwhile.

    The undistorted image is what a camera without either would have taken at the time of the
    middle row.

    Args:
        posed: the frames that are asked for.
        frames: items of the frames stage.
        remembered: maps of each kind that are kept for the next call.
    """

    def __init__(
        self, posed: Iterable[PosedFrame], frames: StoredItems, remembered: int = 16
    ) -> None:
        self._posed = {frame.name: frame for frame in posed}
        self._frames = frames
        # Most frames share a camera, and so the maps of its distortion.
        self._distorting_map = lru_cache(remembered)(distorting_map)
        self._undistorting_map = lru_cache(remembered)(undistorting_map)
        self._rolling_into_stored = lru_cache(remembered)(self._roll_into_stored)
        self._rolling_into_undistorted = lru_cache(remembered)(self._roll_into_undistorted)

    def into_stored(self, name: str, camera: Camera, size_wh: tuple[int, int]) -> PixelMap:
        """Pixel (h, w, 2) of the stored image for each pixel of the undistorted one.

        Args:
            name: of the key frame.
            camera: of the undistorted image, of any size.
            size_wh: of the stored image, as it is worked with.
        """
        if self._posed[name].readout_s:
            return self._rolling_into_stored(name, camera, size_wh)
        return self._distorting_map(camera, self._posed[name].source_camera.scaled(*size_wh))

    def into_undistorted(self, name: str, size_wh: tuple[int, int], camera: Camera) -> PixelMap:
        """Pixel (h, w, 2) of the undistorted image for each pixel of the stored one."""
        if self._posed[name].readout_s:
            return self._rolling_into_undistorted(name, size_wh, camera)
        return self._undistorting_map(self._posed[name].source_camera.scaled(*size_wh), camera)

    def _roll_into_stored(self, name: str, camera: Camera, size_wh: tuple[int, int]) -> PixelMap:
        source = self._posed[name].source_camera.scaled(*size_wh)
        middle_n2 = self._distorting_map(camera, source).reshape(-1, 2).astype(np.float64)
        # The motion is that of the pixel where it is seen, a few pixels on: twice is enough.
        seen_n2 = middle_n2 + self._row_shift(name, middle_n2, size_wh)
        seen_n2 = middle_n2 + self._row_shift(name, seen_n2, size_wh)
        return seen_n2.reshape(camera.height, camera.width, 2).astype(np.float32)

    def _roll_into_undistorted(
        self, name: str, size_wh: tuple[int, int], camera: Camera
    ) -> PixelMap:
        source = self._posed[name].source_camera.scaled(*size_wh)
        seen_n2 = pixel_grid(source)
        middle_n2 = seen_n2 - self._row_shift(name, seen_n2, size_wh)
        undistorting_hw2 = self._undistorting_map(source, camera)
        # Distortion hardly changes over a few pixels: its map between them is a straight line.
        moved_n2 = sample_bilinear(undistorting_hw2, middle_n2)
        inside_n2 = np.clip(middle_n2, 0.0, np.array(size_wh) - 1.0)
        beyond_n2 = (middle_n2 - inside_n2) * [camera.fx / source.fx, camera.fy / source.fy]
        return (moved_n2 + beyond_n2).reshape(undistorting_hw2.shape).astype(np.float32)

    def _row_shift(
        self, name: str, xy_n2: NDArray[np.float64], size_wh: tuple[int, int]
    ) -> NDArray[np.float64]:
        """How far pixels are from where they would be at the middle row's time [px]."""
        readout_s = self._posed[name].readout_s
        motion = ImageMotion.load(self._frames.path(motion_item(name)))
        return readout_s * motion.row_motion(xy_n2, size_wh, readout_s)
