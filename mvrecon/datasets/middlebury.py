"""The Middlebury optical flow training pairs (Baker et al., IJCV 2011)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mvrecon.datasets.flow_pairs import FlowSample, require_files, require_some
from mvrecon.formats.flow import read_flo

NAME = "Middlebury"
LAYOUT = "ROOT/other-data/SCENE/frame10.png, frame11.png and ROOT/other-gt-flow/SCENE/flow10.flo"


def middlebury_pairs(root: Path) -> Iterator[FlowSample]:
    """The pairs with public ground truth, sorted by scene.

    Raises:
        InputError: no pair, or one whose images are missing.
    """
    return require_some(NAME, LAYOUT, root, _pairs(root))


def _pairs(root: Path) -> Iterator[FlowSample]:
    for truth in sorted(root.glob("other-gt-flow/*/flow10.flo")):
        scene = truth.parent.name
        first, second = (root / "other-data" / scene / f"frame{n}.png" for n in (10, 11))
        require_files(NAME, LAYOUT, [first, second])
        yield FlowSample(scene, first, second, partial(read_flo, truth))
