"""HD1K (Kondermann et al., "The HCI Benchmark Suite", CVPR Workshops 2016)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mvrecon.datasets.flow_pairs import FlowDataSet, FlowSample, Parts, require_files
from mvrecon.formats.flow import read_kitti_flow

FLOWS, IMAGES = "hd1k_flow_gt/flow_occ", "hd1k_input/image_2"


def _read(root: Path, _split: str) -> Parts:
    """Flow from each frame of a sequence to the next; the last frame has none to go to."""
    numbers_of: dict[str, set[int]] = {}
    for path in [*(root / IMAGES).glob("*_*.png"), *(root / FLOWS).glob("*_*.png")]:
        sequence, _, last = path.stem.partition("_")
        numbers_of.setdefault(sequence, set()).add(int(last))
    pairs = []
    for sequence, numbers in sorted(numbers_of.items()):
        for number in range(min(numbers), max(numbers)):
            name, after = (f"{sequence}_{n:04d}" for n in (number, number + 1))
            first, second = (root / IMAGES / f"{one}.png" for one in (name, after))
            truth = root / FLOWS / f"{name}.png"
            require_files([first, second, truth])
            pairs.append(FlowSample(name, first, second, partial(read_kitti_flow, truth), (truth,)))
    yield "HD1K", pairs


HD1K = FlowDataSet(
    name="hd1k",
    title="HD1K",
    layout=f"ROOT/{IMAGES} and ROOT/{FLOWS}, each with SSSSSS_NNNN.png",
    needs=((IMAGES,), (FLOWS,)),
    read=_read,
)
