"""The Middlebury optical flow training pairs (Baker et al., IJCV 2011)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mvrecon.datasets.flow_pairs import FlowDataSet, FlowSample, Parts, require_files
from mvrecon.formats.flow import read_flo


def _read(root: Path, _split: str) -> Parts:
    """The scenes with public truth; others have images only."""
    pairs = []
    for folder in sorted(path for path in root.glob("other-gt-flow/*") if path.is_dir()):
        truth = folder / "flow10.flo"
        first, second = (root / "other-data" / folder.name / f"frame{n}.png" for n in (10, 11))
        require_files([first, second, truth])
        pairs.append(FlowSample(folder.name, first, second, partial(read_flo, truth), (truth,)))
    yield "Middlebury", pairs


MIDDLEBURY = FlowDataSet(
    name="middlebury",
    title="Middlebury",
    layout="ROOT/other-data/SCENE/frame10.png, frame11.png and ROOT/other-gt-flow/SCENE/flow10.flo",
    needs=(("other-gt-flow",), ("other-data",)),
    read=_read,
)
