"""FlyingChairs (Dosovitskiy et al., "FlowNet", ICCV 2015)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mvrecon.datasets.flow_pairs import FlowSample, require_files, require_some
from mvrecon.formats.flow import read_flo

NAME = "FlyingChairs"
LAYOUT = "ROOT/NNNNN_img1.ppm, NNNNN_img2.ppm (or .png) and NNNNN_flow.flo"


def flyingchairs_pairs(root: Path) -> Iterator[FlowSample]:
    """All pairs, sorted by number.

    Raises:
        InputError: no pair, or one whose images are missing.
    """
    return require_some(NAME, LAYOUT, root, _pairs(root))


def _pairs(root: Path) -> Iterator[FlowSample]:
    for truth in sorted(root.glob("*_flow.flo")):
        number = truth.name.removesuffix("_flow.flo")
        suffix = ".png" if (root / f"{number}_img1.png").is_file() else ".ppm"
        first, second = (root / f"{number}_img{n}{suffix}" for n in (1, 2))
        require_files(NAME, LAYOUT, [first, second])
        yield FlowSample(number, first, second, partial(read_flo, truth))
