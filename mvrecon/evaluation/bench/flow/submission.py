"""Flow of KITTI's testing pairs in the form that its server takes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mvrecon.atomic import replacing
from mvrecon.datasets.kitti import KittiYear, kitti_testing_pairs
from mvrecon.engine import channel
from mvrecon.engine.isolate import run_isolated
from mvrecon.engine.store import PartialArtifact
from mvrecon.evaluation.bench.cache import ResultCache
from mvrecon.evaluation.bench.flow.measure import VERSION, Estimate, FlowVariant, load_warm
from mvrecon.formats.flow import KITTI_OFFSET, KITTI_SCALE, write_kitti_flow
from mvrecon.formats.images import read_rgb

KIND, ITEM = "flow-submission", "flow.png"
# The server wants a vector at each pixel; longer ones than the format holds are cut.
LARGEST_PX = (np.iinfo(np.uint16).max - float(KITTI_OFFSET)) / float(KITTI_SCALE)


@dataclass(frozen=True)
class TestingPair:
    """A pair to estimate and the key of the result."""

    first: Path
    second: Path
    key: Mapping[str, Any]


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
    pairs = {
        name: TestingPair(
            first,
            second,
            {
                "version": VERSION,
                "model": variant.key,
                "files": [cache.hashes.of(path) for path in (first, second)],
            },
        )
        for name, first, second in kitti_testing_pairs(year, root)
    }
    cache.hashes.save()
    missing = [pair for pair in pairs.values() if cache.find(KIND, pair.key) is None]
    if missing:
        log = cache_folder / "store" / KIND / "native.log"
        run_isolated(_estimate, (cache_folder, variant, missing), log, f"{variant.label} testing")
    target = folder / year.submission
    target.mkdir(parents=True, exist_ok=True)
    for name, pair in pairs.items():
        artifact = cache.find(KIND, pair.key)
        assert artifact is not None
        with replacing(target / name) as temporary:
            shutil.copyfile(artifact.path(ITEM), temporary)
    return target


def _estimate(cache_folder: Path, variant: FlowVariant, pairs: Sequence[TestingPair]) -> None:
    cache = ResultCache(cache_folder)
    estimate = load_warm(variant)
    for done, pair in enumerate(pairs, start=1):

        def write(out: PartialArtifact, pair: TestingPair = pair) -> None:
            _estimate_pair(estimate, pair, out)

        cache.make(KIND, pair.key, write)
        channel.report_progress(done, len(pairs), "pair")


def _estimate_pair(estimate: Estimate, pair: TestingPair, out: PartialArtifact) -> None:
    flow_hw2 = estimate(read_rgb(pair.first), read_rgb(pair.second)).forward_hw2
    clipped_hw2 = np.clip(flow_hw2, -LARGEST_PX, LARGEST_PX)
    out.write(ITEM, lambda path: write_kitti_flow(path, clipped_hw2))
