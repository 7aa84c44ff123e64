"""Key frames at an even spacing of image motion, each the sharpest of its surroundings."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from stages.frames.choosing.appearance import Look
from stages.frames.choosing.motion import Motion, MotionSince

# The sharpest frame is taken from this range around the wanted parallax.
WINDOW = (0.8, 1.3)
# With no frame in the window, a jump up to this many times the wanted parallax is kept whole.
MAX_JUMP = 2.5
# Whatever else speaks for it, a key frame has at least this part of the wanted parallax.
MIN_BRIDGE = 0.25
# Before the view runs out, that part of the wanted parallax is worth a key frame; with less, it is
# not distance that hides the corners, and poses would have little to hold on to. Where the picture
# is faint, flow needs the closer ones.
MIN_STEP = 0.5
# Bounds memory where motion is slow.
MAX_HELD = 30


def choose_spaced(looks: Iterable[Look], parallax: float, min_overlap: float) -> Iterator[Look]:
    """Choose frames that are `parallax` apart, closer where less of the view is found again.

    One pass; holds at most `MAX_HELD` frames. Blurred frames are chosen only where their
    absence would leave a jump.

    Args:
        looks: usable frames in order, of one image size.
        parallax: wanted median image motion between neighbours, as a fraction of the diagonal.
        min_overlap: the share of corners still seen falls below this only where it falls from
            one frame to the next, or where nothing moves.
    """
    stream = _Rewindable(looks)
    chosen = _first_sharp(stream)
    while chosen:
        yield chosen
        chosen = _next_spaced(chosen, stream, parallax, min_overlap)


def drop_needless_blurred(
    chosen: Iterable[Look], parallax: float, min_overlap: float
) -> Iterator[Look]:
    """Leave out the blurred of the chosen frames where the sharp ones beside them do without.

    Args:
        chosen: key frames in order.
        parallax: wanted between neighbours; sharp ones may be `MAX_JUMP` times as far apart.
        min_overlap: that they must share then.
    """
    sharp: Look | None = None
    blurred: list[Look] = []
    for look in chosen:
        if look.blur:
            blurred.append(look)
            continue
        if blurred and not (sharp and _joined(sharp, look, parallax, min_overlap)):
            yield from blurred
        blurred.clear()
        sharp = look
        yield look
    if sharp is None:
        yield from blurred


def _joined(first: Look, second: Look, parallax: float, min_overlap: float) -> bool:
    motion = MotionSince(first.grey_hw).measure(second.grey_hw)
    return motion.overlap >= min_overlap and motion.parallax <= MAX_JUMP * parallax


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
    is_faint: bool
    looks: list[Look] = field(default_factory=list)
    motions: list[Motion] = field(default_factory=list)

    def add(self, look: Look, motion: Motion) -> None:
        crowded = len(self.looks) >= MAX_HELD - 1
        before_due = not any(map(self._is_due, (*self.motions, motion)))
        if before_due and not self._is_thin(look, motion) and (crowded or not look.blur):
            # Before a frame is due only the last sharp one is of interest, as a bridge.
            self.looks.clear()
            self.motions.clear()
        self.looks.append(look)
        self.motions.append(motion)

    @property
    def complete(self) -> bool:
        """Whether it is time to choose; then there is one to choose."""
        thin = bool(self.looks) and self._is_thin(self.looks[-1], self.motions[-1])
        return thin or len(self.looks) >= MAX_HELD

    def best(self) -> int | None:
        """Index of the sharpest frame in the window, else of the last that shares enough view.

        None if there is still time for one that is farther away.
        """
        due = [i for i, motion in enumerate(self.motions) if self._is_due(motion)]
        shared = [i for i, motion in enumerate(self.motions) if motion.overlap >= self.min_overlap]
        if in_window := [i for i in due if i in shared]:
            return max(in_window, key=lambda i: (not self.looks[i].blur, self.looks[i].sharpness))
        if not due and not self.complete:
            return None
        least = (MIN_BRIDGE if self.is_faint else MIN_STEP) * self.parallax
        far = [i for i in shared if self.motions[i].parallax >= least and not self.looks[i].blur]
        return far[-1] if far else (due or range(len(self.looks)))[-1]

    def bridge(self) -> int | None:
        """Index of the frame farthest from the key frame, sharp and with motion if there is one."""
        return max(
            range(len(self.looks)),
            key=lambda i: (self._is_useful(i), not self.looks[i].blur, i),
            default=None,
        )

    def _is_due(self, motion: Motion) -> bool:
        return motion.parallax >= WINDOW[0] * self.parallax

    def _is_thin(self, look: Look, motion: Motion) -> bool:
        """Whether the view runs out; of a blurred frame that is not known."""
        moved = motion.parallax >= MIN_BRIDGE * self.parallax
        return moved and motion.overlap < self.min_overlap and not look.blur

    def _is_useful(self, index: int) -> bool:
        return self.motions[index].parallax >= MIN_BRIDGE * self.parallax


def _next_spaced(
    key: Look, stream: _Rewindable, parallax: float, min_overlap: float
) -> Look | None:
    """The key frame after `key`; what was read behind it is put back."""
    since_key = MotionSince(key.grey_hw)
    least = (1 + min_overlap) / 2 if since_key.is_faint else min_overlap
    held = _Held(parallax, least, since_key.is_faint)
    unseen: list[Look] = []  # blurred, after the last that is held
    beyond: Look | None = None
    jump = Motion(0.0, 0.0)
    while not held.complete and (look := stream.next()):
        motion = since_key.measure(look.grey_hw)
        if motion.lost and look.blur and len(unseen) < MAX_HELD:
            unseen.append(look)
            continue
        if motion.lost or motion.parallax > WINDOW[1] * parallax:
            beyond, jump = look, motion
            break
        held.add(look, motion)
        unseen.clear()
    best = held.best()
    small_jump = not jump.lost and jump.parallax <= MAX_JUMP * parallax
    if best is None and beyond and not (small_jump and not beyond.blur):
        best = held.bridge()
    if best is None:
        return beyond
    stream.put_back([*held.looks[best + 1 :], *unseen, *([beyond] if beyond else [])])
    return held.looks[best]


def _first_sharp(stream: _Rewindable) -> Look | None:
    first = look = stream.next()
    skipped: list[Look] = []
    while look is not None and look.blur and len(skipped) < MAX_HELD:
        skipped.append(look)
        look = stream.next()
    return look or first
