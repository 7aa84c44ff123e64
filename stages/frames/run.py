"""The frames stage's run: what decodes happens in a child process, here is the book-keeping."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, image_item, mask_item
from mvrecon.artifacts.image_motion import motion_item
from mvrecon.engine.stage import StageContext, Summary
from stages.frames.decode import KeyFrameSettings, choose_from_input, write_key_frames
from stages.frames.decoding import decoding
from stages.frames.joining import input_names, join_tables, require_joinable
from stages.frames.views import name_of

if TYPE_CHECKING:
    from stages.frames.config import FramesConfig

# Written before the table, whose presence tells that the choice is made.
WARNINGS_ITEM = "warnings.json"


def make_frames(context: StageContext[FramesConfig]) -> Summary:
    """Choose the key frames, then store them; both resume after an interruption."""
    out = context.out
    if not out.has(FRAMES_ITEM):
        table, warnings = _choose(context)
        out.write_text(WARNINGS_ITEM, json.dumps(warnings, indent=1))
        out.write_text(FRAMES_ITEM, table.to_json())
    table = FrameTable.load(out.path(FRAMES_ITEM))
    warnings = json.loads(out.path(WARNINGS_ITEM).read_text())
    context.say(f"{table.kind}: {table.kind_reason}")
    _store_images(context, table)
    return _summarize(table, warnings)


def _choose(context: StageContext[FramesConfig]) -> tuple[FrameTable, list[str]]:
    """The key frames of each input, in one table."""
    paths, config = context.raw_inputs, context.config
    require_joinable(paths, config)
    if config.max is not None and len(paths) > 1:
        config = config.model_copy(update={"max": max(config.max // len(paths), 2)})
    tables, names, taken = [], [], []
    warnings: list[str] = []
    for number, (path, name) in enumerate(zip(paths, input_names(paths), strict=True)):
        chosen, told = decoding(context, choose_from_input, path, config)
        warnings += [f"{name}: {warning}" for warning in told] if len(paths) > 1 else told
        for view, table in chosen:
            tables.append(table)
            names.append(f"{name}{name_of(view)}")
            taken.append((number, view))
    if taken == [(0, None)]:
        return tables[0], warnings
    return join_tables(tables, names, config.cameras == "shared", taken), warnings


def _store_images(context: StageContext[FramesConfig], table: FrameTable) -> None:
    """Decode the key frames that are missing into the scratch folder, then store them."""
    decoded = context.out.scratch()
    parts = table.by_part()
    files = {image_item(frame.name): f"{frame.name}.jpg" for frame in table.key_frames}
    for part in parts:
        if part.kind == "sequence":
            files |= {motion_item(frame.name): f"{frame.name}.npz" for frame in part.key_frames}
    lacking = {
        Path(file).stem
        for item, file in files.items()
        if not context.out.has(item) and not (decoded / file).is_file()
    }
    config = context.config
    for number, part in enumerate(parts):
        source, view = (
            (table.parts[number].number, table.parts[number].view) if table.parts else (0, None)
        )
        path = context.raw_inputs[source]
        settings = KeyFrameSettings(
            config.max_size, config.jpeg_quality, config.start_s, config.masks, view
        )
        first = part.frames[0].index
        missing = {f.index - first: f.name for f in part.key_frames if f.name in lacking}
        if missing:
            in_order = part.kind == "sequence"
            decoding(context, write_key_frames, path, missing, decoded, settings, in_order)

    masks = (mask_item(frame.name) for frame in table.key_frames)
    files |= {item: file for item in masks if (decoded / (file := _mask_file(item))).is_file()}

    def move(item: str) -> None:
        def save(path: Path) -> None:
            shutil.copyfile(decoded / files[item], path)

        context.out.write(item, save)

    context.make_items(list(files), move, "key frame")


def _mask_file(item: str) -> str:
    """Name of a mask in the scratch folder."""
    return f"{Path(item).name.partition('.')[0]}.png"


def _summarize(table: FrameTable, warnings: list[str]) -> Summary:
    key_frames = table.key_frames
    kinds_of_reason = ["redundant", "left out", "blurred", "duplicate", "dark", "unreadable"]
    dropped = {
        f"{kind.replace(' ', '_')}_frames": sum(
            frame.reason.startswith(kind) and not frame.name for frame in table.frames
        )
        for kind in kinds_of_reason
    }
    camera = table.camera_of(key_frames[0])
    return Summary(
        numbers={
            "frames": len(table.frames),
            "key_frames": len(key_frames),
            **dropped,
            "poses_only_frames": sum(frame.poses_only for frame in key_frames),
            "cuts": sum(frame.after_cut for frame in table.frames),
            "kind": table.kind,
            "kind_reason": table.kind_reason,
            "width_px": camera.width,
            "height_px": camera.height,
            "cameras": len(table.cameras),
            "focal_px": round(camera.fx, 2),
            "focal_source": table.cameras[key_frames[0].camera].source,
        },
        warnings=warnings,
    )
