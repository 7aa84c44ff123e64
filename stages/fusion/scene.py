"""What the fusion stage reads, view by view."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, image_item
from mvrecon.artifacts.images import read_key_frame
from mvrecon.artifacts.poses import (
    POINTS_ITEM,
    POSES_ITEM,
    SparsePoints,
    load_moving_mask,
    load_poses,
    moving_mask_item,
)
from mvrecon.engine.stage import StageContext
from mvrecon.multiview.consensus import fuse
from mvrecon.multiview.neighbors import choose_neighbors
from stages.fusion.config import FusionConfig
from stages.fusion.recurrent.cues import MATCHED_VIEWS, Cues, ImagedDepth, RgbImage, find_cues

if TYPE_CHECKING:
    from stages.fusion.completion.model import Fill


class Scene:
    """Depth maps and images of all posed key frames, read when needed.

    Args:
        context: of the stage.
    """

    def __init__(self, context: StageContext[FusionConfig]) -> None:
        self.config = context.config
        self._depths, self._pose = context.inputs["depth"], context.inputs["pose"]
        self.frames = load_poses(self._pose.path(POSES_ITEM))
        self._points = SparsePoints.load(self._pose.path(POINTS_ITEM))
        table = FrameTable.load(context.inputs["frames"].path(FRAMES_ITEM))
        self.in_order = table.kind == "sequence"
        remembered = self.config.neighbors + context.workers + 1
        self.neighbors = lru_cache(maxsize=None)(self._choose_neighbors)
        self.depth = lru_cache(remembered)(self._read_depth)
        self._image = lru_cache(MATCHED_VIEWS + context.workers + 1)(self._read_image)
        self._fill = _fill_of(self.config)

    def name(self, row: int) -> str:
        """Name of a key frame."""
        return self.frames[row].name

    def view(self, row: int) -> ImagedDepth:
        """A view with its image."""
        return ImagedDepth(self._image(row), self.depth(row))

    def consensus(self, row: int) -> DepthMap:
        """The geometric fusion of a view."""
        others = [self.depth(other) for other in self.neighbors(row)]
        return self.finished(row, fuse(self.depth(row), others, self.config.tolerance))

    def cues(self, row: int) -> Cues:
        """What the learned fusion is told of a view."""
        neighbors = self.neighbors(row)
        return find_cues(
            self.view(row),
            [self.depth(other) for other in neighbors],
            [self.view(other) for other in neighbors[:MATCHED_VIEWS]],
            self.config.tolerance,
        )

    def files(self, row: int) -> list[Path]:
        """All that the fusion of a view depends on, besides the views before it."""
        neighbors = self.neighbors(row)
        depths = [depth_item(self.name(one)) for one in (row, *neighbors)]
        images = [image_item(self.name(one)) for one in (row, *neighbors[:MATCHED_VIEWS])]
        masks = self._pose.names(moving_mask_item(self.name(row)))
        return [
            *(self._depths.path(item) for item in depths),
            *(self._pose.path(item) for item in (*images, *masks)),
        ]

    def finished(self, row: int, fused: DepthMap) -> DepthMap:
        """A result without the pixels of moving things, completed if that is wanted.

        Neighbours may know what lies behind one, but the picture does not show it.
        """
        moving_hw = load_moving_mask(self._pose, self.name(row), fused.depth_hw.shape)
        measured = fused.without(moving_hw)
        if self._fill is None:
            return measured
        from stages.fusion.completion.model import Incomplete, completed_depth

        incomplete = Incomplete.of(self._image(row), measured, moving_hw)
        return replace(measured, completed_hw=completed_depth(incomplete, self._fill))

    def _choose_neighbors(self, row: int) -> list[int]:
        """Rows of the views whose depth is brought into a view, the best first."""
        return choose_neighbors(
            self.frames, self._points, row, self.config.neighbors, self.in_order
        )

    def _read_depth(self, row: int) -> DepthMap:
        return DepthMap.load(self._depths.path(depth_item(self.name(row))))

    def _read_image(self, row: int) -> RgbImage:
        size_wh = self.depth(row).depth_hw.shape[::-1]
        return read_key_frame(self._pose, self.name(row), size_wh)


def _fill_of(config: FusionConfig) -> Fill | None:
    if config.completion == "none":
        return None
    # torch takes its time to load, and only this needs it.
    from stages.fusion.completion.model import load_fill

    return load_fill(config)
