"""pycolmap's own pipeline on a folder of images: SIFT, matching, incremental mapping.

A process of its own, so that its CPU seconds are, too; the largest model stays in WORK/model.

python -m benchmarks.measures.poses.peer IMAGES WORK sequence|photos
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pycolmap

MAX_SIZE_PX = 1024
MAX_FEATURES = 4096
THREADS = 2
SEED = 0


def main() -> None:
    """Run the pipeline; print CPU seconds of its steps as JSON."""
    images, work, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    pycolmap.logging.minloglevel = int(pycolmap.logging.Level.ERROR.value)
    pycolmap.set_random_seed(SEED)
    database = work / "database.db"
    cpu_s = {
        "extract": _cpu_of(lambda: _extract(database, images)),
        "match": _cpu_of(lambda: _match(database, kind)),
        "map": _cpu_of(lambda: _map(database, images, work)),
    }
    print(json.dumps(cpu_s))


def _cpu_of(step: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    step()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _extract(database: Path, images: Path) -> None:
    options = pycolmap.FeatureExtractionOptions(
        max_image_size=MAX_SIZE_PX, num_threads=THREADS, use_gpu=False
    )
    options.sift.max_num_features = MAX_FEATURES
    pycolmap.extract_features(
        database,
        images,
        camera_mode=pycolmap.CameraMode.SINGLE,
        extraction_options=options,
        device=pycolmap.Device.cpu,
    )


def _match(database: Path, kind: str) -> None:
    match = pycolmap.match_sequential if kind == "sequence" else pycolmap.match_exhaustive
    options = pycolmap.FeatureMatchingOptions(num_threads=THREADS, use_gpu=False)
    match(database, matching_options=options, device=pycolmap.Device.cpu)


def _map(database: Path, images: Path, work: Path) -> None:
    options = pycolmap.IncrementalPipelineOptions(num_threads=THREADS, random_seed=SEED)
    models = pycolmap.incremental_mapping(database, images, work / "models", options)
    if models:
        largest = max(models.values(), key=lambda model: model.num_reg_images())
        (work / "model").mkdir()
        largest.write_binary(work / "model")


if __name__ == "__main__":
    main()
