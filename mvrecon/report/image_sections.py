"""Key frames, flow, depth and confidence as pictures, and what was left out as it moves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap
from mvrecon.artifacts.flow import FlowPair
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, image_item
from mvrecon.artifacts.poses import POSES_ITEM, load_poses, moving_mask_item
from mvrecon.formats.flow_colours import flow_to_rgb
from mvrecon.formats.images import read_pixels
from mvrecon.report.contents import ReportInput, Section
from mvrecon.report.pictures import (
    Picture,
    captioned,
    confidence_rgb,
    depth_limits,
    depth_rgb,
    read_rgb,
    spread,
)
from mvrecon.report.verdict import depth_paths

# A page of every picture would weigh too much to send; frames.csv has all rows.
MAX_THUMBNAILS = 60
MAX_FLOW_PAIRS = 6
MAX_DEPTH_MAPS = 8
MAX_DROPPED_ROWS = 2000
THUMBNAIL_PX = 240
PICTURE_PX = 420
MAX_PICTURES = 6
MIN_SHARE = 0.005  # of the pixels: less is noise of the mask, not a thing
MOVING_RGB = (235, 60, 50)
OPACITY = 0.55


def frames_section(report: ReportInput) -> Section | None:
    """Key frames as thumbnails, and why the others were dropped."""
    path = report.item("frames", FRAMES_ITEM)
    if path is None:
        return None
    table = FrameTable.load(path)
    key_frames = table.key_frames
    posed = _posed_names(report)
    is_named = table.kind == "photos" or table.is_joined
    thumbnails = []
    for index in spread(len(key_frames), MAX_THUMBNAILS):
        frame = key_frames[index]
        image_hw3 = read_rgb(report.item("frames", image_item(frame.name)))
        if image_hw3 is None:
            continue
        told = table.source_of(frame) if is_named else f"{frame.timestamp_s:.2f} s"
        lost = posed is not None and frame.name not in posed
        caption = f"{frame.name} · {told}" + (" · no position" if lost else "")
        thumbnails.append(captioned(image_hw3, caption, THUMBNAIL_PX))
    dropped = [frame for frame in table.frames if not frame.name]
    return {
        "key_frames": len(key_frames),
        "frames": len(table.frames),
        "kind": table.kind,
        "kind_reason": table.kind_reason,
        "inputs": [
            [
                part.name,
                one.kind,
                len(one.frames),
                len(one.key_frames),
                "–" if posed is None else sum(frame.name in posed for frame in one.key_frames),
            ]
            for part, one in zip(table.parts, table.by_part(), strict=False)
            if table.is_joined
        ],
        "thumbnails": thumbnails,
        "dropped": len(dropped),
        "reasons": [
            [frame.index, table.source_of(frame), f"{frame.timestamp_s:.3f}", frame.reason]
            for frame in dropped[:MAX_DROPPED_ROWS]
        ],
    }


def _posed_names(report: ReportInput) -> set[str] | None:
    path = report.item("pose", POSES_ITEM)
    return None if path is None else {frame.name for frame in load_poses(path)}


def flow_section(report: ReportInput) -> Section | None:
    """Several pairs: first frame, flow as colours, confidence."""
    folder = report.stage("flow").folder
    paths = sorted(folder.glob("flow/*.npz")) if folder is not None else []
    if not paths:
        return None
    shown = [_flow_pictures(report, paths[i]) for i in spread(len(paths), MAX_FLOW_PAIRS)]
    return {"pairs": len(paths), "shown": shown}


def _flow_pictures(report: ReportInput, path: Path) -> list[dict[str, str]]:
    pair = FlowPair.load(path)
    first, _, second = path.stem.partition("_")
    return _row(
        read_rgb(report.item("frames", image_item(first))),
        f"{first} → {second}",
        flow_to_rgb(pair.forward_hw2),
        "flow",
        pair.forward_confidence_hw,
    )


def depth_section(report: ReportInput) -> Section | None:
    """Several key frames: image, depth, confidence."""
    paths = depth_paths(report)
    if not paths:
        return None
    source = paths[0].parent.parent
    return {
        "maps": len(paths),
        "stage": "fusion" if report.stage("fusion").folder == source else "depth",
        "shown": [_depth_pictures(report, paths[i]) for i in spread(len(paths), MAX_DEPTH_MAPS)],
    }


def _depth_pictures(report: ReportInput, path: Path) -> list[dict[str, str]]:
    depth_map = DepthMap.load(path)
    limits = depth_limits(depth_map.depth_hw)
    return _row(
        read_rgb(report.item("pose", image_item(path.stem))),
        path.stem,
        depth_rgb(depth_map.depth_hw, limits),
        f"depth {limits[0]:.3g} … {limits[1]:.3g}",
        depth_map.confidence_hw,
    )


def _row(
    photo_hw3: Picture | None,
    photo_caption: str,
    result_hw3: Picture,
    result_caption: str,
    confidence_hw: NDArray[np.float32],
) -> list[dict[str, str]]:
    """Photo (if there is one), result and its confidence."""
    pictures = [
        (photo_hw3, photo_caption),
        (result_hw3, result_caption),
        (confidence_rgb(confidence_hw), f"confidence, mean {confidence_hw.mean():.2f}"),
    ]
    return [
        captioned(image_hw3, caption, PICTURE_PX)
        for image_hw3, caption in pictures
        if image_hw3 is not None
    ]


def moving_section(report: ReportInput) -> Section | None:
    """Several key frames with their masks in colour; None if nothing moves."""
    folder = report.stage("pose").folder
    paths = sorted(folder.glob(moving_mask_item("*"))) if folder is not None else []
    shares = {path: _mask(path).mean() for path in paths}
    moving = [path for path, share in shares.items() if share > MIN_SHARE]
    pictures = []
    for path in (moving[i] for i in spread(len(moving), MAX_PICTURES)):
        image_hw3 = read_rgb(report.item("pose", image_item(path.stem)))
        if image_hw3 is not None:
            caption = f"{path.stem}, {shares[path]:.0%} moves"
            pictures.append(captioned(_painted(image_hw3, _mask(path)), caption, PICTURE_PX))
    if not pictures:
        return None
    return {"moving": len(moving), "frames": len(paths), "pictures": pictures}


def _mask(path: Path) -> NDArray[np.bool_]:
    return np.asarray(read_pixels(path, "grey") > 127)


def _painted(image_hw3: NDArray[np.uint8], mask_hw: NDArray[np.bool_]) -> NDArray[np.uint8]:
    size = image_hw3.shape[1], image_hw3.shape[0]
    is_moving_hw = cv2.resize(mask_hw.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    painted_hw3 = image_hw3.astype(np.float32)
    painted_hw3[is_moving_hw] *= 1.0 - OPACITY
    painted_hw3[is_moving_hw] += OPACITY * np.array(MOVING_RGB, np.float32)
    return painted_hw3.astype(np.uint8)
