"""Frames of several inputs in one table, one input after the other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mvrecon.artifacts.frames import CameraPrior, FrameRecord, FrameTable, InputPart, Kind
from mvrecon.errors import UsageError
from mvrecon.formats.frame_view import FrameView

if TYPE_CHECKING:
    from stages.frames.config import FramesConfig

FRAME = re.compile(r"frame (\d{6})")
# Between the last frame of an input and the first of the next, so that times only grow.
PAUSE_S = 1.0


def require_joinable(paths: Sequence[Path], config: FramesConfig) -> None:
    """Raise where options cannot hold for several inputs.

    Raises:
        UsageError: masks of several videos, whose frames have the same numbers; the same twice.
    """
    if config.masks is not None and len(paths) > 1 and not all(path.is_dir() for path in paths):
        raise UsageError(
            "--masks cannot tell the frames of several videos apart",
            "Give folders of images, whose masks are named after them",
        )
    for path, times in Counter(path.resolve() for path in paths).items():
        if times > 1:
            raise UsageError(f"{path} was given {times} times", "Give each input once")


def input_names(paths: Sequence[Path]) -> list[str]:
    """What people call the inputs: file names, with the folder where two are the same."""
    names = Counter(path.name for path in paths)
    return [
        path.name if names[path.name] == 1 else f"{path.resolve().parent.name}_{path.name}"
        for path in paths
    ]


def join_tables(
    tables: Sequence[FrameTable],
    names: Sequence[str],
    shared: bool,
    taken: Sequence[tuple[int, FrameView | None]] | None = None,
) -> FrameTable:
    """One table of all frames; indices and times go on from one input to the next.

    Args:
        tables: of each input.
        names: of the inputs.
        shared: whether equal priors are one camera whatever they come from; else only those that
            are given or from EXIF.
        taken: number of the input that each table is of, and what is taken of its frames; each
            is of an input of its own if None.
    """
    cameras: list[CameraPrior] = []
    frames: list[FrameRecord] = []
    parts: list[InputPart] = []
    start_s = 0.0
    for number, (table, name) in enumerate(zip(tables, names, strict=True)):
        places = [_place(prior, cameras, shared) for prior in table.cameras]
        earlier_s = start_s
        first_s = min(frame.timestamp_s for frame in table.frames)
        for frame in table.frames:
            index = len(frames)
            time_s = frame.timestamp_s - first_s + earlier_s
            start_s = max(start_s, time_s + PAUSE_S)
            frames.append(
                replace(
                    frame,
                    index=index,
                    reason=_renumbered(frame.reason, index - frame.index),
                    name=f"{index:06d}" if frame.name else "",
                    timestamp_s=round(time_s, 6),
                    camera=places[frame.camera] if frame.name else 0,
                    part=number,
                )
            )
        source, view = taken[number] if taken else (number, None)
        parts.append(InputPart(name, table.kind, table.kind_reason, source, view))
    kind: Kind = "sequence" if all(part.kind == "sequence" for part in parts) else "photos"
    told = [f"{part.name}: {part.kind}, {part.kind_reason}" for part in parts]
    reason = "; ".join(told) if len(parts) > 1 else parts[0].kind_reason
    return FrameTable(kind, reason, tuple(cameras), tuple(frames), tuple(parts))


def _renumbered(reason: str, shift: int) -> str:
    """A reason that names key frames by the numbers that they have now."""
    return FRAME.sub(lambda match: f"frame {int(match[1]) + shift:06d}", reason)


def _place(prior: CameraPrior, cameras: list[CameraPrior], shared: bool) -> int:
    """Number of the camera, which is new unless it is known to be one that is there."""
    if prior in cameras and (shared or prior.source != "default"):
        return cameras.index(prior)
    cameras.append(prior)
    return len(cameras) - 1
