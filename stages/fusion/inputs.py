"""What the fusion stage reads, view by view."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, image_item
from mvrecon.artifacts.images import read_key_frame
from mvrecon.artifacts.poses import left_out_items, load_moving_mask, load_views
from mvrecon.engine.stage import StageContext
from mvrecon.multiview.neighbors import choose_neighbors
from stages.fusion.config import FusionConfig

RgbImage = NDArray[np.uint8]


@dataclass(frozen=True)
class ImagedDepth:
    """A depth map with the image of the same camera.

    Attributes:
        rgb_hw3: uint8, of the depth map's size.
        depth: the map.
    """

    rgb_hw3: RgbImage
    depth: DepthMap


class FusionInputs:
    """Depth maps and images of the posed key frames that have depth, read when needed.

    Views are told by their row among these.

    Args:
        context: of the stage.
    """

    def __init__(self, context: StageContext[FusionConfig]) -> None:
        self.config = context.config
        self._depths, self._pose = context.inputs["depth"], context.inputs["pose"]
        self.frames, self._points = load_views(context.inputs["frames"], self._pose)
        table = FrameTable.load(context.inputs["frames"].path(FRAMES_ITEM))
        self.in_order = table.kind == "sequence"
        remembered = self.config.neighbors + context.workers + 1
        self.neighbors = lru_cache(maxsize=None)(self._choose_neighbors)
        self.depth = lru_cache(remembered)(self._read_depth)
        self.image = lru_cache(remembered)(self._read_image)

    def name(self, row: int) -> str:
        """Name of a key frame."""
        return self.frames[row].name

    def view(self, row: int) -> ImagedDepth:
        """A view with its image."""
        return ImagedDepth(self.image(row), self.depth(row))

    def moving(self, row: int, shape_hw: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """Where something moves by itself (h, w); None if that was not looked for."""
        return load_moving_mask(self._pose, self.name(row), shape_hw)

    def files(self, row: int, imaged: int) -> list[Path]:
        """Files that the fusion of a view reads.

        Args:
            row: of the view.
            imaged: so many of its neighbours are looked at with their images.
        """
        neighbors = self.neighbors(row)
        depths = [depth_item(self.name(one)) for one in (row, *neighbors)]
        images = [image_item(self.name(one)) for one in (row, *neighbors[:imaged])]
        masks = left_out_items(self._pose, self.name(row))
        return [
            *(self._depths.path(item) for item in depths),
            *(self._pose.path(item) for item in (*images, *masks)),
        ]

    def _choose_neighbors(self, row: int) -> list[int]:
        """Rows of the views whose depth is brought into a view, the best first."""
        return choose_neighbors(
            self.frames, self._points, row, self.config.neighbors, self.in_order
        )

    def _read_depth(self, row: int) -> DepthMap:
        return DepthMap.load(self._depths.path(depth_item(self.name(row))))

    def _read_image(self, row: int) -> RgbImage:
        height, width = self.depth(row).depth_hw.shape
        return read_key_frame(self._pose, self.name(row), (width, height))
