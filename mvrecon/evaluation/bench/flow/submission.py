"""Flow of KITTI's testing pairs in the form that its server takes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from mvrecon.atomic import replacing
from mvrecon.datasets.kitti import KittiYear, kitti_testing_pairs
from mvrecon.engine.partial import PartialArtifact
from mvrecon.evaluation.bench.cache import ResultCache
from mvrecon.evaluation.bench.flow.measure import VERSION, Estimate, FlowVariant, make_missing
from mvrecon.formats.flow import KITTI_OFFSET, KITTI_SCALE, write_kitti_flow
from mvrecon.formats.images import read_rgb

# The first and the second image of a pair.
ImageFiles = tuple[Path, ...]

KIND, ITEM = "flow-submission", "flow.png"
# The server wants a vector at each pixel; longer ones than the format holds are cut.
LARGEST_PX = (np.iinfo(np.uint16).max - float(KITTI_OFFSET)) / float(KITTI_SCALE)


def write_submission(
    cache_folder: Path, variant: FlowVariant, year: KittiYear, root: Path, folder: Path
) -> Path:
    """Write a 16-bit PNG for each testing pair; what was estimated before is kept.

    The archive to send is a zip of the folder's content: the files in its root for 2012, in
    `flow/` for 2015.

    Returns:
        The folder with the files.

    Raises:
        InputError: there are no testing pairs, or files are missing.
    """
    cache = ResultCache(cache_folder)
    jobs: dict[str, tuple[ImageFiles, dict[str, Any]]] = {}
    for name, *files in kitti_testing_pairs(year, root):
        hashes = [cache.hashes.of(path) for path in files]
        jobs[name] = tuple(files), {"version": VERSION, "model": variant.key, "files": hashes}
    artifacts = make_missing(
        cache,
        KIND,
        variant,
        jobs=list(jobs.values()),
        measure=_estimate_pair,
        what=f"{variant.label} testing",
    )
    target = folder / year.submission
    target.mkdir(parents=True, exist_ok=True)
    for name, artifact in zip(jobs, artifacts, strict=True):
        with replacing(target / name) as temporary:
            shutil.copyfile(artifact.path(ITEM), temporary)
    return target


def _estimate_pair(estimate: Estimate, files: ImageFiles, out: PartialArtifact) -> None:
    flow_hw2 = estimate(*map(read_rgb, files)).forward_hw2
    clipped_hw2 = np.clip(flow_hw2, -LARGEST_PX, LARGEST_PX)
    out.write(ITEM, lambda path: write_kitti_flow(path, clipped_hw2))
