"""The optical flow data sets that there are readers for, and where they are under a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mvrecon.datasets.flow_pairs import FlowDataSet, FlowSample
from mvrecon.datasets.flyingchairs import FLYINGCHAIRS
from mvrecon.datasets.flyingthings3d import FLYINGTHINGS3D, FLYINGTHINGS3D_STEREO
from mvrecon.datasets.hd1k import HD1K
from mvrecon.datasets.kitti import KITTI_FLOW, KITTI_STEREO
from mvrecon.datasets.middlebury import MIDDLEBURY
from mvrecon.datasets.sintel import SINTEL
from mvrecon.datasets.spring import SPRING
from mvrecon.errors import InputError

FLOW_SETS = (
    MIDDLEBURY,
    *KITTI_FLOW,
    SINTEL,
    SPRING,
    HD1K,
    FLYINGCHAIRS,
    FLYINGTHINGS3D,
    FLYINGTHINGS3D_STEREO,
    *KITTI_STEREO,
)
DEPTH = 3


def find_flow_sets(root: Path) -> list[tuple[FlowDataSet, Path]]:
    """The data sets at most three folders below `root`, by data set, then by path."""
    folders = list(_folders(root, DEPTH))
    return [
        (data_set, folder)
        for data_set in FLOW_SETS
        for folder in folders
        if data_set.recognises(folder)
    ]


def read_flow_sets(root: Path) -> dict[str, list[FlowSample]]:
    """The pairs of every data set under `root`, default splits, by the title of the part.

    Raises:
        InputError: there is none, or one is incomplete.
    """
    found = find_flow_sets(root)
    if not found:
        titles = ", ".join(data_set.title for data_set in FLOW_SETS)
        raise InputError(
            f"no flow data set under {root}", f"Expected at least one, in its own layout: {titles}"
        )
    parts: dict[str, list[FlowSample]] = {}
    for data_set, folder in found:
        for title, pairs in data_set.parts(folder).items():
            parts[f"{title} ({folder.name})" if title in parts else title] = pairs
    return parts


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    yield folder
    if depth:
        for child in sorted(folder.iterdir() if folder.is_dir() else []):
            if child.is_dir() and not child.name.startswith("."):
                yield from _folders(child, depth - 1)
