"""Key frames, flow, depth and confidence as pictures."""

from __future__ import annotations

from pathlib import Path

from mvrecon.artifacts.depth import DepthMap
from mvrecon.artifacts.flow import FlowPair
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, image_item
from mvrecon.artifacts.poses import POSES_ITEM, load_poses
from mvrecon.formats.flow_colours import flow_to_rgb
from mvrecon.report.contents import ReportInput
from mvrecon.report.markup import picture, section, table
from mvrecon.report.pictures import (
    confidence_rgb,
    depth_limits,
    depth_rgb,
    read_rgb,
    spread,
)
from mvrecon.report.verdict import depth_paths

MAX_THUMBNAILS = 60
MAX_FLOW_PAIRS = 6
MAX_DEPTH_MAPS = 8
MAX_DROPPED_ROWS = 2000
THUMBNAIL_PX = 240
PICTURE_PX = 420


def frames_section(report: ReportInput) -> str:
    """Key frames as thumbnails, and why the others were dropped."""
    path = report.item("frames", FRAMES_ITEM)
    if path is None:
        return ""
    table_of_frames = FrameTable.load(path)
    key_frames = table_of_frames.key_frames
    posed = _posed_names(report)
    thumbnails = []
    for index in spread(len(key_frames), MAX_THUMBNAILS):
        frame = key_frames[index]
        image_hw3 = read_rgb(report.item("frames", image_item(frame.name)))
        if image_hw3 is None:
            continue
        lost = posed is not None and frame.name not in posed
        caption = f"{frame.name} · {frame.timestamp_s:.2f} s"
        if table_of_frames.kind == "photos":
            caption = f"{frame.name} · {frame.source}"
        thumbnails.append(
            picture(image_hw3, caption + (" · no position" if lost else ""), THUMBNAIL_PX)
        )
    shown = f" ({len(thumbnails)} shown)" if len(thumbnails) < len(key_frames) else ""
    note = (
        f"{len(key_frames)} of {len(table_of_frames.frames)} frames were kept{shown}; "
        f"taken as {table_of_frames.kind}: {table_of_frames.kind_reason}"
    )
    body = f'<div class="grid">{"".join(thumbnails)}</div>{_dropped(table_of_frames)}'
    return section("frames", "Key frames", note, body)


def _dropped(frames: FrameTable) -> str:
    dropped = [frame for frame in frames.frames if not frame.name]
    if not dropped:
        return ""
    rows = [
        [str(frame.index), frame.source, f"{frame.timestamp_s:.3f}", frame.reason]
        for frame in dropped[:MAX_DROPPED_ROWS]
    ]
    more = len(dropped) - len(rows)
    rest = f"<p class='note'>… and {more} more; frames.csv has them all.</p>" if more > 0 else ""
    body = table(["index", "source", "time [s]", "reason"], rows)
    return (
        f"<details><summary>{len(dropped)} frames dropped, and why</summary>{body}{rest}</details>"
    )


def _posed_names(report: ReportInput) -> set[str] | None:
    path = report.item("pose", POSES_ITEM)
    return None if path is None else {frame.name for frame in load_poses(path)}


def flow_section(report: ReportInput) -> str:
    """Several pairs: first frame, flow as colours, confidence."""
    folder = report.stage("flow").folder
    paths = sorted(folder.glob("flow/*.npz")) if folder is not None else []
    if not paths:
        return ""
    rows = "".join(_flow_row(report, paths[i]) for i in spread(len(paths), MAX_FLOW_PAIRS))
    legend = (
        "<p class='note'>Confidence: 0 <span class='legend confidence'></span> 1. "
        "Invisible in the second frame means not confident.</p>"
    )
    note = (
        f"{len(paths)} pairs. The colour tells the direction of motion, "
        "its strength how far (Middlebury's colours)."
    )
    return section("flow", "Optical flow", note, rows + legend)


def _flow_row(report: ReportInput, path: Path) -> str:
    pair = FlowPair.load(path)
    first, _, second = path.stem.partition("_")
    image_hw3 = read_rgb(report.item("frames", image_item(first)))
    photo = picture(image_hw3, f"{first} → {second}", PICTURE_PX) if image_hw3 is not None else ""
    confidence = pair.forward_confidence_hw
    return (
        f'<div class="row">{photo}'
        + picture(flow_to_rgb(pair.forward_hw2), "flow", PICTURE_PX)
        + picture(
            confidence_rgb(confidence), f"confidence, mean {confidence.mean():.2f}", PICTURE_PX
        )
        + "</div>"
    )


def depth_section(report: ReportInput) -> str:
    """Several key frames: image, depth, confidence."""
    paths = depth_paths(report)
    if not paths:
        return ""
    source = paths[0].parent.parent
    stage = "fusion" if report.stage("fusion").folder == source else "depth"
    rows = "".join(_depth_row(report, paths[i]) for i in spread(len(paths), MAX_DEPTH_MAPS))
    legend = (
        "<p class='note'>Depth: near <span class='legend depth'></span> far, dark where there is "
        "none. Confidence: 0 <span class='legend confidence'></span> 1.</p>"
    )
    note = f"{len(paths)} depth maps of the {stage} stage; each has a colour scale of its own."
    return section("depth", "Depth and confidence", note, rows + legend)


def _depth_row(report: ReportInput, path: Path) -> str:
    depth_map = DepthMap.load(path)
    image_hw3 = read_rgb(report.item("pose", image_item(path.stem)))
    photo = picture(image_hw3, path.stem, PICTURE_PX) if image_hw3 is not None else ""
    limits = depth_limits(depth_map.depth_hw)
    confidence = depth_map.confidence_hw
    return (
        f'<div class="row">{photo}'
        + picture(
            depth_rgb(depth_map.depth_hw, limits),
            f"depth {limits[0]:.3g} … {limits[1]:.3g}",
            PICTURE_PX,
        )
        + picture(
            confidence_rgb(confidence), f"confidence, mean {confidence.mean():.2f}", PICTURE_PX
        )
        + "</div>"
    )
