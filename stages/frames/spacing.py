"""Key frames at an even spacing of image motion, each the sharpest of its surroundings."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from stages.frames.appearance import Look
from stages.frames.motion import Motion, MotionSince

# The sharpest frame is taken from this range around the wanted parallax.
WINDOW = (0.8, 1.3)
# With no frame in the window, a jump up to this many times the wanted parallax is kept whole.
MAX_JUMP = 2.5
# Whatever else speaks for it, a key frame has at least this part of the wanted parallax.
MIN_BRIDGE = 0.25
# Bounds memory where motion is slow.
MAX_HELD = 30


def choose_spaced(looks: Iterable[Look], parallax: float, min_overlap: float) -> Iterator[Look]:
    """Choose frames that are `parallax` apart, closer where the view changes faster.

    One pass; holds at most `MAX_HELD` frames. Blurred frames are chosen only where their
    absence would leave a jump.

    Args:
        looks: usable frames in order, of one image size.
        parallax: wanted median image motion between neighbours, as a fraction of the diagonal.
        min_overlap: below this share of corners still seen, the next key frame is due.
    """
    stream = _Rewindable(looks)
    chosen = _first_sharp(stream)
    while chosen:
        yield chosen
        chosen = _next_spaced(chosen, stream, parallax, min_overlap)


class _Rewindable:
    """An iterator into which frames can be put back."""

    def __init__(self, looks: Iterable[Look]) -> None:
        self._put_back: deque[Look] = deque()
        self._rest = iter(looks)

    def next(self) -> Look | None:
        return self._put_back.popleft() if self._put_back else next(self._rest, None)

    def put_back(self, looks: list[Look]) -> None:
        self._put_back.extendleft(reversed(looks))


@dataclass
class _Held:
    """Frames since the last key frame from which the next one may be chosen."""

    parallax: float
    min_overlap: float
    looks: list[Look] = field(default_factory=list)
    motions: list[Motion] = field(default_factory=list)

    def add(self, look: Look, motion: Motion) -> None:
        crowded = len(self.looks) >= MAX_HELD - 1
        if not self._any_due(motion) and (crowded or not look.blur):
            # Before a frame is due only the last sharp one is of interest, as a bridge.
            self.looks.clear()
            self.motions.clear()
        self.looks.append(look)
        self.motions.append(motion)

    @property
    def full(self) -> bool:
        """Whether it is time to choose; then at least one frame is due."""
        return len(self.looks) >= MAX_HELD

    def sharpest_due(self) -> int | None:
        """Index of the best frame in the window."""
        due = [i for i, motion in enumerate(self.motions) if self._is_due(motion)]
        return max(
            due, key=lambda i: (not self.looks[i].blur, self.looks[i].sharpness), default=None
        )

    def bridge(self) -> int | None:
        """Index of the frame farthest from the key frame, sharp if there is one."""
        useful = [i for i, motion in enumerate(self.motions) if self._is_useful(motion)]
        return max(useful, key=lambda i: (not self.looks[i].blur, i), default=None)

    def _any_due(self, motion: Motion) -> bool:
        return any(map(self._is_due, (*self.motions, motion)))

    def _is_due(self, motion: Motion) -> bool:
        little_left = motion.overlap < self.min_overlap and self._is_useful(motion)
        return little_left or motion.parallax >= WINDOW[0] * self.parallax

    def _is_useful(self, motion: Motion) -> bool:
        return motion.parallax >= MIN_BRIDGE * self.parallax


def _next_spaced(
    key: Look, stream: _Rewindable, parallax: float, min_overlap: float
) -> Look | None:
    """The key frame after `key`; what was read behind it is put back."""
    since_key = MotionSince(key.grey_hw)
    held = _Held(parallax, min_overlap)
    beyond: Look | None = None
    jump = Motion(0.0, 0.0)
    while not held.full and (look := stream.next()):
        motion = since_key.measure(look.grey_hw)
        if motion.lost and look.blur:
            continue
        if motion.lost or motion.parallax > WINDOW[1] * parallax:
            beyond, jump = look, motion
            break
        held.add(look, motion)
    best = held.sharpest_due()
    small_jump = not jump.lost and jump.parallax <= MAX_JUMP * parallax
    if best is None and beyond and not (small_jump and not beyond.blur):
        best = held.bridge()
    if best is None:
        return beyond
    stream.put_back(held.looks[best + 1 :] + ([beyond] if beyond else []))
    return held.looks[best]


def _first_sharp(stream: _Rewindable) -> Look | None:
    first = look = stream.next()
    skipped: list[Look] = []
    while look is not None and look.blur and len(skipped) < MAX_HELD:
        skipped.append(look)
        look = stream.next()
    return look or first
