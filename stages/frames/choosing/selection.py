"""Which frames become key frames, and why the others do not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mvrecon.errors import InputError, NotEnoughDataError
from stages.frames.choosing.appearance import (
    DARK,
    DUPLICATE,
    NO_PICTURE,
    UNREADABLE,
    Look,
    mark_blurred,
)
from stages.frames.choosing.cuts import CutFinder
from stages.frames.choosing.motion import MIN_OVERLAP
from stages.frames.choosing.shared_view import MIN_SHARE, SPAN, SharedViews, keep_joined
from stages.frames.choosing.spacing import choose_spaced, drop_needless_blurred
from stages.frames.config import SelectionOptions

# The first choice is this much finer than wanted, so that the spacing can be changed after it.
FINE = 0.25
# A clip with little motion gets a finer spacing until it has this many key frames.
FEW = 12
# Of those of the first choice, so many times `FEW` are held until there are that many key frames.
CANDIDATES = 8
# A spacing that gives too few key frames becomes finer by this, again and again.
FINER = 0.7

JOINS = "kept for poses, as it alone joins the frames beside it"
FILM_MORE = "Film a scene with texture and light, moving sideways around it"


@dataclass(frozen=True)
class Limits:
    """What bounds the choice.

    Attributes:
        max_frames: at most so many key frames, unless `every_frame`; None: as many as it takes.
        parallax: wanted image motion between key frames, as a fraction of the diagonal.
        every_frame: keep every frame that has no flaw.
        selection: the rest.
    """

    max_frames: int | None
    parallax: float
    every_frame: bool = False
    selection: SelectionOptions = field(default_factory=SelectionOptions)

    @property
    def few(self) -> int:
        """So many key frames are chosen however little moves."""
        return FEW if self.max_frames is None else min(FEW, self.max_frames)

    def spaced(self, looks: Iterable[Look], parallax: float) -> Iterator[Look]:
        """Choose frames that are `parallax` apart."""
        return choose_spaced(looks, parallax, self.selection.min_overlap)

    def key_frames(self, candidates: Iterable[Look], parallax: float) -> Iterator[Look]:
        """Key frames out of finely spaced candidates."""
        chosen = self.spaced(candidates, parallax)
        return drop_needless_blurred(chosen, parallax, self.selection.min_overlap)

    def views(self) -> SharedViews:
        """What must be known of the key frames' views; far ones matter if some must go."""
        return SharedViews(1 if self.max_frames is None else SPAN)


@dataclass(frozen=True)
class Selection:
    """The outcome.

    Attributes:
        looks: all frames, without their pixels.
        kept: indices of the key frames, ascending.
        reasons: why the others were left out, and what is wrong with those for poses only, by
            index.
        warnings: one sentence each.
        poses_only: indices of key frames that are blurred, but alone join those beside them.
        cuts: indices of the first frames after a cut to another scene.
    """

    looks: Sequence[Look]
    kept: Sequence[int]
    reasons: dict[int, str]
    warnings: Sequence[str] = ()
    poses_only: frozenset[int] = frozenset()
    cuts: frozenset[int] = frozenset()


class _Log:
    """Passes frames on and keeps what is needed of each, without the pixels."""

    def __init__(self) -> None:
        self.looks: list[Look] = []
        self.cuts = CutFinder()

    def usable(self, looks: Iterable[Look]) -> Iterator[Look]:
        for look in looks:
            self.looks.append(_without_pixels(look))
            if not look.flaw:
                self.cuts.look(look)
                yield look


class _First:
    """Passes candidates on, and holds the first of them while they may be needed."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.spacing = limits.parallax * FINE
        self.seen = 0
        self.needed = True
        self.held: list[Look] = []

    def record(self, candidates: Iterable[Look]) -> Iterator[Look]:
        for look in candidates:
            self.seen += 1
            if self.needed:
                self.held.append(look)
            if len(self.held) > CANDIDATES * FEW:
                self.spacing *= 2
                self.held = list(self.limits.spaced(self.held, self.spacing))
            yield look

    def stop(self) -> None:
        self.needed = False
        self.held.clear()


def select_from_sequence(looks: Iterable[Look], limits: Limits, path: Path) -> Selection:
    """Choose evenly spaced sharp key frames of a video, or of images in order.

    One pass; the images of a bounded number of frames are held.

    Args:
        looks: all frames in order.
        limits: bounds of the choice.
        path: of the input, for errors.

    Raises:
        InputError: fewer than two images can be read.
        NotEnoughDataError: one frame, or all dark, the same, or from one place.
    """
    log, first, views = _Log(), _First(limits), limits.views()
    fine = limits.parallax * FINE
    marked = mark_blurred(looks, limits.selection.min_sharpness)
    candidates = first.record(limits.spaced(log.usable(marked), fine))
    chosen: list[Look] = []
    for look in limits.key_frames(candidates, limits.parallax):
        views.add(look.grey_hw)
        chosen.append(_without_pixels(look))
        if len(chosen) >= limits.few:
            first.stop()
    _require_motion(log.looks, first.seen, fine, path)
    usable = [look.index for look in log.looks if not look.flaw]
    cuts = frozenset(log.cuts.found)
    if limits.every_frame or len(usable) <= limits.few:
        return Selection(log.looks, usable, _reasons(log.looks, usable), cuts=cuts)
    if len(chosen) < limits.few:
        chosen = _closer(first.held, limits)
        views = limits.views()
        for look in chosen:
            views.add(look.grey_hw)
    return replace(_outcome(log.looks, chosen, views, limits.max_frames), cuts=cuts)


def select_from_set(
    looks: Iterable[Look], limits: Limits, path: Path, in_order: bool = False
) -> Selection:
    """Keep all images of a set that was chosen by hand, but for bad ones.

    Args:
        looks: all images.
        limits: bounds of the choice.
        path: of the input, for errors.
        in_order: neighbours overlap; then a blurred image that alone joins two others stays.

    Raises:
        InputError: fewer than two images can be read.
        NotEnoughDataError: one image, or all dark or the same.
    """
    log, views = _Log(), limits.views()
    good = log.usable(mark_blurred(looks, limits.selection.min_photo_sharpness))
    if in_order:
        good = drop_needless_blurred(good, math.inf, MIN_OVERLAP)
    chosen = []
    for look in good:
        if look.blur and not in_order:
            continue
        if limits.max_frames is not None:
            views.add(look.grey_hw)
        chosen.append(_without_pixels(look))
    _require_frames(log.looks, path)
    if limits.every_frame:
        usable = [look.index for look in log.looks if not look.flaw]
        return Selection(log.looks, usable, _reasons(log.looks, usable))
    return _outcome(log.looks, chosen, views, limits.max_frames)


def _closer(candidates: Sequence[Look], limits: Limits) -> list[Look]:
    """Key frames at a finer spacing, for there are few."""
    parallax = limits.parallax
    chosen: list[Look] = []
    wanted = min(limits.few, len(candidates))
    while len(chosen) < wanted and parallax > FINE * limits.parallax:
        parallax *= FINER
        chosen = list(limits.key_frames(candidates, parallax))
    return chosen


def _outcome(
    looks: Sequence[Look], chosen: Sequence[Look], views: SharedViews, most: int | None
) -> Selection:
    """What is left of the chosen when there may be `most`, and what it costs."""
    places = list(range(len(chosen)))
    warnings = []
    left_out = ""
    if most is not None and len(chosen) > most:
        places, needed = keep_joined(views, most)
        left_out = f"left out to keep to --frames.max {most}"
        warnings.append(_cost(views, places, needed, most))
    shares = views.along(places) if len(views) else []
    gaps = sum(share < MIN_SHARE for share in shares)
    if gaps:
        warnings.append(f"{gaps} of {len(places)} key frames share little view with the one before")
    kept = [chosen[i] for i in places]
    reasons = _reasons(looks, [look.index for look in kept])
    dropped = {look.index for look in chosen} - {look.index for look in kept}
    reasons |= dict.fromkeys(dropped, left_out)
    poses_only = {look.index: f"{look.blur}; {JOINS}" for look in kept if look.blur}
    return Selection(
        looks, [look.index for look in kept], reasons | poses_only, warnings, frozenset(poses_only)
    )


def _cost(views: SharedViews, places: Sequence[int], needed: int, most: int) -> str:
    """What is lost by keeping only some of the key frames."""
    all_shares, shares = views.along(range(len(views))), views.along(places)
    cost = (
        f"{len(views)} key frames were wanted, --frames.max {most} keeps {len(places)}: neighbours "
        f"share {min(shares):.0%} of their view at worst ({min(all_shares):.0%} with all), "
        f"{np.median(shares):.0%} usually ({np.median(all_shares):.0%})"
    )
    return f"{cost}; {needed} at least keep them joined" if needed > most else cost


def _without_pixels(look: Look) -> Look:
    # Not an empty slice, which would hold the whole.
    return replace(look, grey_hw=NO_PICTURE)


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
    if bad := [look.flaw for look in looks if look.flaw.startswith(UNREADABLE)]:
        raise InputError(
            f"{path} has fewer than two usable images ({bad[0]})", "Give two or more that are"
        )
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
