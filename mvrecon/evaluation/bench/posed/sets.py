"""Posed sets to run the pipeline on: where they are, and what the pipeline is given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from mvrecon.datasets.posed import PosedSet, load_posed_set
from mvrecon.errors import InputError

DEPTH = 3
CAMERAS = "cameras.json"


@dataclass(frozen=True)
class BenchSet:
    """A posed set and its images.

    Attributes:
        title: path below the benchmark's root.
        truth: the set.
        raw_input: folder of its images, or its video.
    """

    title: str
    truth: PosedSet
    raw_input: Path

    @property
    def has_depth(self) -> bool:
        """Whether true depth or a true surface is there."""
        return bool(self.truth.mesh_file) or any(image.depth_file for image in self.truth.images)

    @property
    def truth_files(self) -> list[Path]:
        """All files that the truth is read from."""
        names = [CAMERAS, self.truth.mesh_file, *(i.depth_file for i in self.truth.images)]
        return [self.truth.root / name for name in dict.fromkeys(names) if name]


def find_posed_sets(root: Path) -> list[BenchSet]:
    """The sets with `cameras.json` at most three folders below `root`, by path.

    Raises:
        InputError: one cannot be understood, or has no images.
    """
    patterns = ["/".join([*["*"] * depth, CAMERAS]) for depth in range(DEPTH + 1)]
    files = sorted({path for pattern in patterns for path in root.glob(pattern)})
    return [_bench_set(root, path.parent) for path in files]


def _bench_set(root: Path, folder: Path) -> BenchSet:
    truth = load_posed_set(folder)
    title = folder.relative_to(root).as_posix() if folder != root else root.resolve().name
    return BenchSet(title, truth, _raw_input(truth))


def _raw_input(truth: PosedSet) -> Path:
    folders = {(truth.root / image.file).parent for image in truth.images}
    first = truth.root / truth.images[0].file if truth.images else truth.root / "images"
    if len(folders) == 1 and first.is_file():
        return folders.pop()
    video = json.loads((truth.root / CAMERAS).read_text()).get("video")
    if video and Path(truth.root, video).is_file():
        return Path(truth.root, video).resolve()
    missing = truth.root / video if video else first
    raise InputError(
        f"the posed set {truth.root} is not complete: {missing} is missing",
        "Expected all images of cameras.json in one folder, or its video",
    )
