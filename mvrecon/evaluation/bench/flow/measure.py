"""Flow models on pairs with truth: each pair measured once, in a process of the model's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.flow import FlowPair
from mvrecon.datasets.flow_pairs import FlowSample
from mvrecon.engine.measure import Usage
from mvrecon.engine.partial import PartialArtifact
from mvrecon.engine.processes import channel
from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.engine.store import Artifact
from mvrecon.engine.threads import set_single_torch_thread
from mvrecon.errors import InputError
from mvrecon.evaluation.bench.cache import ResultCache
from mvrecon.evaluation.bench.flow.pictures import error_strip
from mvrecon.evaluation.metrics.flow import (
    FlowErrors,
    end_point_error,
    regional_errors,
    sparsification_epe_px,
)
from mvrecon.formats.images import read_rgb, write_jpeg

T = TypeVar("T")
Image = NDArray[np.uint8]
Estimate = Callable[[Image, Image], FlowPair]

# Bumped when the same model and pair would give another result.
VERSION = 2
PAIR_KIND, TIME_KIND = "flow-pair", "flow-time"
RESULT_ITEM, PICTURE_ITEM = "result.json", "pictures.jpg"
PICTURE_QUALITY = 95
DROPPED_SHARES = (0.0, 0.2, 0.5)
ORACLE_SHARE = 0.2
TIMED_SIZE = (640, 480)
TIMED_SHIFT_PX = 6
TIMED_RUNS = 3
WARM_UP_SIZE = (160, 128)


@dataclass(frozen=True)
class FlowVariant:
    """A model with its options.

    Attributes:
        label: for people, unique in a run.
        load: top-level function that gives the estimator of `config`, called in a child process.
        config: its argument.
        key: all of it that decides the result, files by their content.
    """

    label: str
    load: Callable[[Any], Estimate]
    config: Any
    key: Mapping[str, Any]


@dataclass(frozen=True)
class PairResult:
    """One model on one pair.

    Attributes:
        name: of the pair.
        regions: errors by region, `all` among them.
        sparse_px: mean end-point error at each of `DROPPED_SHARES` of least confident pixels.
        oracle_px: the same when the pixels of largest error are dropped, at `ORACLE_SHARE`.
        cpu_s: processor time of the estimate, both ways with confidence.
        peak_bytes: largest resident size of the process meanwhile.
        picture: image, truth, estimate and error side by side.
    """

    name: str
    regions: Mapping[str, FlowErrors]
    sparse_px: Sequence[float]
    oracle_px: float
    cpu_s: float
    peak_bytes: int
    picture: Path

    @property
    def epe_px(self) -> float:
        """Mean end-point error over the pair's valid pixels."""
        return self.regions["all"].epe_sum_px / self.regions["all"].pixels


def measure_part(
    cache_folder: Path, variant: FlowVariant, title: str, samples: Sequence[FlowSample]
) -> list[PairResult]:
    """Results of a model on the pairs of a part of a data set; what was measured before is kept.

    Raises:
        InputError: a file of a pair cannot be read.
        MvreconError: the model cannot be loaded.
    """
    cache = ResultCache(cache_folder)
    keys = [_pair_key(cache, variant, title, sample) for sample in samples]
    artifacts = make_missing(
        cache,
        PAIR_KIND,
        variant,
        jobs=list(zip(samples, keys, strict=True)),
        measure=partial(_measure_pair, title=title),
        what=f"{variant.label} on {title}",
    )
    return [_read_result(*result) for result in zip(samples, artifacts, strict=True)]


def make_missing(
    cache: ResultCache,
    kind: str,
    variant: FlowVariant,
    *,
    jobs: Sequence[tuple[T, Mapping[str, Any]]],
    measure: Callable[[Estimate, T, PartialArtifact], None],
    what: str,
) -> list[Artifact]:
    """The results of jobs; those that are not kept are made in one child process.

    Args:
        cache: of results.
        kind: of the results.
        variant: the model, loaded if a result is missing.
        jobs: what is measured, and the key of its result.
        measure: top-level function that writes the result of one.
        what: is done, for people.
    """
    cache.hashes.save()
    missing = [job for job in jobs if cache.find(kind, job[1]) is None]
    if missing:
        log = cache.folder / "store" / kind / "native.log"
        run_isolated(_make_each, (cache.folder, kind, variant, missing, measure), log, what)
    return [cache.get(kind, key) for _, key in jobs]


def measure_time(cache_folder: Path, variant: FlowVariant) -> tuple[float, int]:
    """Least processor seconds of several runs on a generated pair, and the peak memory."""
    cache = ResultCache(cache_folder)
    key = {"version": VERSION, "model": variant.key, "size": TIMED_SIZE, "runs": TIMED_RUNS}
    if cache.find(TIME_KIND, key) is None:
        log = cache_folder / "store" / TIME_KIND / "native.log"
        run_isolated(_measure_time, (cache_folder, variant, key), log, variant.label)
    result = json.loads(cache.get(TIME_KIND, key).path(RESULT_ITEM).read_text())
    return float(result["cpu_s"]), int(result["peak_bytes"])


def _pair_key(
    cache: ResultCache, variant: FlowVariant, title: str, sample: FlowSample
) -> dict[str, Any]:
    files = (sample.first, sample.second, *sample.truth_files)
    return {
        "version": VERSION,
        "model": variant.key,
        "part": title,  # the same file may be read in two ways, as disparity from left or right
        "files": [cache.hashes.of(path) for path in files],
    }


def _make_each(
    cache_folder: Path,
    kind: str,
    variant: FlowVariant,
    jobs: Sequence[tuple[T, Mapping[str, Any]]],
    measure: Callable[[Estimate, T, PartialArtifact], None],
) -> None:
    """In the child: each pair alone in one thread, so that time and memory are its own."""
    cache = ResultCache(cache_folder)
    estimate = load_warm(variant)
    for done, (pair, key) in enumerate(jobs, start=1):
        cache.make(kind, key, partial(measure, estimate, pair))
        channel.report_progress(done, len(jobs), "pair")


def _measure_time(cache_folder: Path, variant: FlowVariant, key: Mapping[str, Any]) -> None:
    estimate = load_warm(variant)
    usages = []
    for _ in range(TIMED_RUNS):
        first, second = generated_pair(TIMED_SIZE, TIMED_SHIFT_PX)
        with Usage() as usage:
            estimate(first, second)
        usages.append(usage)
    result = {
        "cpu_s": min(usage.cpu_s for usage in usages),
        "peak_bytes": max(usage.peak_bytes for usage in usages),
    }
    ResultCache(cache_folder).make(
        TIME_KIND, key, lambda out: out.write_text(RESULT_ITEM, json.dumps(result))
    )


def generated_pair(size: tuple[int, int], shift_px: int) -> tuple[Image, Image]:
    """Texture at several scales and the same moved to the left; arrays of their own each time."""
    width, height = size
    rng = np.random.default_rng(0)
    texture_hw3 = np.zeros((height, width + shift_px, 3))
    for cell_px in (4, 16, 64):
        cells = rng.uniform(0, 255 / 3, (height // cell_px + 2, width // cell_px + 2, 3))
        texture_hw3 += cv2.resize(cells, (width + shift_px, height), interpolation=cv2.INTER_LINEAR)
    image_hw3 = np.round(texture_hw3).astype(np.uint8)
    return image_hw3[:, :width].copy(), image_hw3[:, shift_px:].copy()


def load_warm(variant: FlowVariant) -> Estimate:
    """The estimator after a first small pair, which pays for what is made once."""
    cv2.setNumThreads(1)
    estimate = variant.load(variant.config)
    set_single_torch_thread()
    estimate(*generated_pair(WARM_UP_SIZE, 2))
    return estimate


def _measure_pair(estimate: Estimate, sample: FlowSample, out: PartialArtifact, title: str) -> None:
    first, second, truth_hw2, valid_hw, regions = _read_pair(sample, title)
    with Usage() as usage:
        pair = estimate(first, second)
    flow_hw2, confidence_hw = pair.forward_hw2, pair.forward_confidence_hw
    error_hw = end_point_error(flow_hw2, truth_hw2)
    error_n = error_hw[valid_hw]
    errors = regional_errors(flow_hw2, truth_hw2, valid_hw, regions)
    result = {
        "regions": {name: asdict(region) for name, region in errors.items()},
        "sparse_px": sparsification_epe_px(error_n, confidence_hw[valid_hw], DROPPED_SHARES),
        "oracle_px": sparsification_epe_px(error_n, -error_n, (ORACLE_SHARE,))[0],
        "cpu_s": usage.cpu_s,
        "peak_bytes": usage.peak_bytes,
    }
    strip = error_strip(first, truth_hw2, valid_hw, flow_hw2, error_hw)
    out.write(PICTURE_ITEM, lambda path: write_jpeg(path, strip, PICTURE_QUALITY, False))
    out.write_text(RESULT_ITEM, json.dumps(result))


def _read_pair(
    sample: FlowSample, title: str
) -> tuple[Image, Image, NDArray[np.float32], NDArray[np.bool_], Mapping[str, NDArray[np.bool_]]]:
    try:
        first, second = read_rgb(sample.first), read_rgb(sample.second)
        truth_hw2, valid_hw = sample.read_truth()
        regions = sample.read_regions()
    except InputError as error:
        raise InputError(
            f"{title}, pair {sample.name} ({sample.first.parent}): {error.what}", error.remedy
        ) from error
    shapes = {first.shape[:2], second.shape[:2], truth_hw2.shape[:2]}
    shapes |= {mask_hw.shape for mask_hw in regions.values()}
    remedy = "Restore the files from their data set"
    if len(shapes) > 1:
        what = f"{title}, pair {sample.name}: images, truth and masks differ in size ({shapes})"
        raise InputError(what, remedy)
    if not valid_hw.any():
        raise InputError(f"{title}, pair {sample.name}: the truth has no valid pixel", remedy)
    return first, second, truth_hw2, valid_hw, regions


def _read_result(sample: FlowSample, artifact: Artifact) -> PairResult:
    result = json.loads(artifact.path(RESULT_ITEM).read_text())
    result["regions"] = {name: FlowErrors(**region) for name, region in result["regions"].items()}
    return PairResult(name=sample.name, picture=artifact.path(PICTURE_ITEM), **result)
