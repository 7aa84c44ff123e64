"""Whether the images of a folder are a sequence: measured, not assumed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mvrecon.errors import InputError
from mvrecon.formats.images import read_grey
from stages.frames.choosing.appearance import MOTION_SIZE_PX
from stages.frames.choosing.motion import Motion, MotionSince

SAMPLED_PAIRS = 40  # of a folder, however large, so that the look stays short
# So many of the neighbours must see the same, for flow to chain them; jumps are bridged.
MIN_NEIGHBOURS = 0.8
# Neighbours must be closer than far pairs: by that much in motion, where both can be measured.
MAX_RELATIVE_MOTION = 0.8
MIN_NUMBERED = 0.8  # of the names: a stray file must not make photos of a sequence


@dataclass(frozen=True)
class Order:
    """What is promised about neighbours.

    Attributes:
        kind: as in `FrameTable`.
        reason: how that was decided, one sentence.
        step: median motion between neighbours, as a fraction of the diagonal; 0 if unknown.
    """

    kind: Literal["sequence", "photos"]
    reason: str
    step: float = 0.0


def measure_order(paths: Sequence[Path]) -> Order:
    """Decide from names and from the images' overlap.

    Args:
        paths: the images in natural order.
    """
    if len(paths) < 3:
        return Order("photos", f"only {len(paths)} images")
    if not are_numbered([path.name for path in paths]):
        return Order("photos", "the names are not numbered")
    count = len(paths)
    starts = np.unique(np.linspace(0, count - 2, min(count - 1, SAMPLED_PAIRS)).round().astype(int))
    near = [_measure_pair(paths[i], paths[i + 1]) for i in starts]
    far = [_measure_pair(paths[i], paths[(i + count // 2) % count]) for i in starts]
    return order_of(near, far)


def order_of(near: Sequence[Motion], far: Sequence[Motion]) -> Order:
    """Decide from motions between neighbours and between images far apart in the order."""
    seen = sum(not motion.lost for motion in near)
    step, far_step = _median_parallax(near), _median_parallax(far)
    measured = f"{seen} of {len(near)} neighbours overlap"
    if seen < MIN_NEIGHBOURS * len(near):
        return Order("photos", f"only {measured}", step)
    far_seen = sum(not motion.lost for motion in far)
    far_measured = f"{far_seen} of {len(far)} distant pairs"
    if far_seen > 0.5 * len(far) and step > MAX_RELATIVE_MOTION * far_step:
        return Order("photos", f"{measured}, but so do {far_measured}, no farther apart", step)
    return Order("sequence", f"the names are numbered and {measured} (of {far_measured})", step)


def are_numbered(names: Sequence[str]) -> bool:
    """Whether most names are one pattern with a running number."""
    patterns = [re.sub(r"\d+(?=\D*$)", "#", name) for name in names]
    numbered = [pattern for pattern in patterns if "#" in pattern]
    commonest = max((numbered.count(pattern) for pattern in set(numbered)), default=0)
    return commonest >= MIN_NUMBERED * len(names)


def _measure_pair(first: Path, second: Path) -> Motion:
    try:
        first_hw, second_hw = (read_grey(path, MOTION_SIZE_PX) for path in (first, second))
    except InputError:
        return Motion(0.0, 0.0)
    return MotionSince(first_hw).measure(second_hw)


def _median_parallax(motions: Sequence[Motion]) -> float:
    measured = [motion.parallax for motion in motions if not motion.lost]
    return float(np.median(measured)) if measured else 0.0
