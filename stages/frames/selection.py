"""Which frames become key frames, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np

from mvrecon.errors import InputError, NotEnoughDataError
from stages.frames.appearance import DARK, DUPLICATE, UNREADABLE, Look, mark_blurred
from stages.frames.config import SelectionOptions
from stages.frames.motion import MotionSince
from stages.frames.spacing import choose_spaced

T = TypeVar("T")

# The first choice is this much finer than wanted, so that the spacing can be changed after it.
FINE = 0.25
# A clip with little motion gets a finer spacing until it has this many key frames.
FEW = 12
# Bounds the frames held in memory: so many times the key frames wanted.
CANDIDATES = 8
# A spacing that gives too few key frames becomes finer by this, again and again.
FINER = 0.7

FILM_MORE = "Film a scene with texture and light, moving sideways around it"


@dataclass(frozen=True)
class Limits:
    """What bounds the choice.

    Attributes:
        max_frames: at most so many key frames, unless `every_frame`.
        parallax: wanted image motion between key frames, as a fraction of the diagonal.
        every_frame: keep every frame that has no flaw.
        selection: the rest.
    """

    max_frames: int
    parallax: float
    every_frame: bool = False
    selection: SelectionOptions = field(default_factory=SelectionOptions)

    def spaced(self, looks: Iterable[Look], parallax: float) -> Iterator[Look]:
        """Choose frames that are `parallax` apart."""
        return choose_spaced(looks, parallax, self.selection.min_overlap)


@dataclass(frozen=True)
class Selection:
    """The outcome.

    Attributes:
        looks: all frames, without their pixels.
        kept: indices of the key frames, ascending.
        reasons: why the others were left out, by index.
        warnings: one sentence each.
    """

    looks: Sequence[Look]
    kept: Sequence[int]
    reasons: dict[int, str]
    warnings: Sequence[str] = ()


class _Log:
    """Passes frames on and keeps what is needed of each, without the pixels."""

    def __init__(self) -> None:
        self.looks: list[Look] = []

    def usable(self, looks: Iterable[Look]) -> Iterator[Look]:
        for look in looks:
            self.looks.append(replace(look, grey_hw=look.grey_hw[:0]))
            if not look.flaw:
                yield look


def select_from_sequence(looks: Iterable[Look], limits: Limits, path: Path) -> Selection:
    """Choose evenly spaced sharp key frames of a video, or of images in order.

    Args:
        looks: all frames in order.
        limits: bounds of the choice.
        path: of the input, for errors.

    Raises:
        InputError: fewer than two images can be read.
        NotEnoughDataError: one frame, or all dark, the same, or from one place.
    """
    log = _Log()
    fine = limits.parallax * FINE
    candidates: list[Look] = []
    held = fine
    marked = mark_blurred(looks, limits.selection.min_sharpness)
    for look in limits.spaced(log.usable(marked), fine):
        candidates.append(look)
        if len(candidates) > CANDIDATES * limits.max_frames:
            held *= 2
            candidates = list(limits.spaced(candidates, held))
    _require_motion(log.looks, len(candidates), fine, path)
    usable = [look.index for look in log.looks if not look.flaw]
    if limits.every_frame or len(usable) <= min(FEW, limits.max_frames):
        return Selection(log.looks, usable, _reasons(log.looks, usable))
    chosen, warnings = _thin(candidates, limits)
    kept = [look.index for look in chosen]
    gaps = sum(
        MotionSince(one.grey_hw).measure(next_one.grey_hw).lost
        for one, next_one in pairwise(chosen)
    )
    if gaps:
        warnings.append(f"{gaps} of {len(kept)} key frames share little view with the one before")
    return Selection(log.looks, kept, _reasons(log.looks, kept), warnings)


def select_from_set(looks: Iterable[Look], limits: Limits, path: Path) -> Selection:
    """Keep all images of a set that was chosen by hand, but for bad ones.

    Raises:
        InputError: fewer than two images can be read.
        NotEnoughDataError: one image, or all dark or the same.
    """
    marked = mark_blurred(looks, limits.selection.min_photo_sharpness)
    all_looks = [replace(look, grey_hw=look.grey_hw[:0]) for look in marked]
    usable = [look.index for look in all_looks if not look.flaw]
    _require_frames(all_looks, path)
    kept = [look.index for look in all_looks if not (look.flaw or look.blur)]
    warnings = []
    if limits.every_frame:
        kept = usable
    elif len(kept) > limits.max_frames:
        warnings.append(
            f"{len(kept) - limits.max_frames} of {len(kept)} good images were left out, evenly, "
            f"to keep to --frames.max {limits.max_frames}"
        )
        kept = _spread(kept, limits.max_frames)
    over = f"left out to keep to --frames.max {limits.max_frames}"
    reasons = {
        look.index: look.flaw or look.blur or over
        for look in all_looks
        if look.index not in set(kept)
    }
    return Selection(all_looks, kept, reasons, warnings)


def _thin(candidates: Sequence[Look], limits: Limits) -> tuple[list[Look], list[str]]:
    """Key frames out of finely spaced candidates, and warnings."""
    parallax = limits.parallax
    chosen = list(limits.spaced(candidates, parallax))
    wanted = min(FEW, limits.max_frames, len(candidates))
    while len(chosen) < wanted and parallax > FINE * limits.parallax:
        parallax *= FINER
        chosen = list(limits.spaced(candidates, parallax))
    if len(chosen) <= limits.max_frames:
        return chosen, []
    return _spread(chosen, limits.max_frames), [
        f"the spacing of key frames was raised to keep to --frames.max {limits.max_frames} "
        f"({len(chosen)} were due); raise it for a denser model"
    ]


def _spread(items: Sequence[T], count: int) -> list[T]:
    """`count` items at even distances, the first and the last among them."""
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def _reasons(looks: Sequence[Look], kept: Sequence[int]) -> dict[int, str]:
    """Why each frame that is not in `kept` was left out."""
    is_kept = set(kept)
    reasons = {}
    last = "000000"
    for look in looks:
        if look.index in is_kept:
            last = f"{look.index:06d}"
            continue
        redundant = f"redundant: little parallax since key frame {last}"
        reasons[look.index] = look.flaw or look.blur or redundant
    return reasons


def _require_frames(looks: Sequence[Look], path: Path) -> None:
    """Raise if not even two frames are of use."""
    usable = sum(not look.flaw for look in looks)
    if usable >= 2:
        return
    if any(look.flaw.startswith(UNREADABLE) for look in looks):
        raise InputError(f"{path} has fewer than two readable images", "Restore the files")
    if len(looks) == 1:
        raise NotEnoughDataError(f"{path} holds only one frame", FILM_MORE)
    if all(look.flaw == DARK for look in looks):
        raise NotEnoughDataError(f"{path} is all black", FILM_MORE)
    if sum(look.flaw.startswith(DUPLICATE) for look in looks):
        raise NotEnoughDataError(f"all frames of {path} are identical", FILM_MORE)
    raise NotEnoughDataError(f"{path} has fewer than two usable frames", FILM_MORE)


def _require_motion(looks: Sequence[Look], candidates: int, fine: float, path: Path) -> None:
    """Raise if there is nothing to triangulate."""
    _require_frames(looks, path)
    if candidates < 2:
        raise NotEnoughDataError(
            f"{path} was filmed with a static camera: nothing moves by more than "
            f"{fine:.1%} of the image",
            FILM_MORE,
        )
