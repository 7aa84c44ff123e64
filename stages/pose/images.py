"""The key frames' images: as the frames stage stored them, and as the pose stage does."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import image_item, mask_item
from mvrecon.artifacts.image_maps import ImageMaps
from mvrecon.artifacts.poses import PosedFrame, excluded_mask_item
from mvrecon.engine.stage import StageContext
from mvrecon.formats.images import read_pixels, write_jpeg, write_png
from stages.pose.config import PoseConfig
from stages.pose.undistortion import undistort_image

# Hardly to be told from the original, at a third of the size of 100.
JPEG_QUALITY = 95


def stored_image(context: StageContext[PoseConfig], name: str) -> Path:
    """The image of a key frame, as the frames stage left it."""
    return context.inputs["frames"].path(image_item(name))


def load_grey(context: StageContext[PoseConfig], name: str) -> NDArray[np.uint8]:
    """Grey image (h, w) of a key frame, as the frames stage left it."""
    return read_pixels(stored_image(context, name), "grey")


def load_kept(context: StageContext[PoseConfig], name: str) -> NDArray[np.bool_] | None:
    """What a given mask leaves (h, w) of a key frame as it is stored; None without a mask."""
    item = mask_item(name)
    if item not in context.inputs["frames"].names(item):
        return None
    return np.asarray(read_pixels(context.inputs["frames"].path(item), "grey") > 127)


def write_excluded(context: StageContext[PoseConfig], frame: PosedFrame, maps: ImageMaps) -> None:
    """Mark what a given mask leaves out of the undistorted image; nothing without a mask."""
    source = mask_item(frame.name)
    if source not in context.inputs["frames"].names(source):
        return
    excluded_hw = np.bitwise_not(read_pixels(context.inputs["frames"].path(source), "grey"))
    size_wh = frame.source_camera.width, frame.source_camera.height
    if frame.camera != frame.source_camera.pinhole() or frame.readout_s:
        excluded_hw = undistort_image(
            excluded_hw, maps.into_stored(frame.name, frame.camera, size_wh)
        )
    context.out.write(excluded_mask_item(frame.name), lambda path: write_png(path, excluded_hw))


def write_undistorted(source: Path, frame: PosedFrame, maps: ImageMaps, path: Path) -> None:
    """Undistort one image; a copy if there is nothing to do."""
    if frame.camera == frame.source_camera.pinhole() and not frame.readout_s:
        shutil.copyfile(source, path)
        return
    size_wh = frame.source_camera.width, frame.source_camera.height
    undistorted_hw3 = undistort_image(
        read_pixels(source), maps.into_stored(frame.name, frame.camera, size_wh)
    )
    write_jpeg(path, undistorted_hw3, JPEG_QUALITY, full_colour=False)
