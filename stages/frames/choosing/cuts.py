"""Cuts: where a video goes on with another scene from one frame to the next."""

from __future__ import annotations

from stages.frames.choosing.appearance import Look
from stages.frames.choosing.motion import MotionSince, block_means, mean_difference

# Between frames of a video that are no farther apart, no camera leaves all behind that it saw.
MAX_STEP_S = 0.25
# Mean difference of blocks in grey levels: of one scene it is seldom as large from frame to frame,
# of two it is hardly smaller; the rest is left to the corners, which cost more.
CHANGED_LEVELS = 6.0


class CutFinder:
    """Finds cuts in a stream of usable frames.

    Attributes:
        found: indices of the first frames after a cut.
    """

    def __init__(self) -> None:
        self.found: list[int] = []
        self._last: Look | None = None

    def look(self, look: Look) -> None:
        """Compare the next frame with the one before."""
        if self._last is not None and _is_cut(self._last, look):
            self.found.append(look.index)
        self._last = look


def _is_cut(first: Look, second: Look) -> bool:
    step_s = second.timestamp_s - first.timestamp_s
    if not 0 < step_s <= MAX_STEP_S or first.grey_hw.shape != second.grey_hw.shape:
        return False
    if first.blur or second.blur:
        return False
    change = mean_difference(block_means(first.grey_hw), block_means(second.grey_hw))
    return change > CHANGED_LEVELS and MotionSince(first.grey_hw).measure(second.grey_hw).lost
