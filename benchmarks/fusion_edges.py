"""Where fused depth is wrong: at the edges of things or within them; how far confidence tells.

python -m benchmarks.fusion_edges --root DATA --runs DIR/runs [--sets livingroom_synthetic]

Each result of the fusion stage that the runs' stores still hold is a row.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap
from mvrecon.datasets.posed import load_posed_set
from mvrecon.evaluation.metrics.trajectory import align_poses
from mvrecon.evaluation.run.depth import TrueDepth
from mvrecon.evaluation.run.files import match_frames, read_key_frames
from mvrecon.geometry.camera import Camera

# Relative jump of the true depth between neighbouring pixels that is an edge.
JUMP = 0.05
REACH_PX = 6
WRONG = 0.05
# Below this the surface stage does not look at a pixel.
LEAST_CONFIDENCE = 0.15

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Pixels:
    """All pixels of one region with a truth and an estimate.

    Attributes:
        ratio_n: estimate / truth.
        confidence_n: of the estimate.
        of_all: share of the region in all pixels.
    """

    ratio_n: NDArray[np.float32]
    confidence_n: NDArray[np.float32]
    of_all: float

    def figures(self) -> list[float]:
        """Share, AbsRel, shares too near and too far, bias; then of what the surface sees."""
        error_n = np.abs(self.ratio_n - 1)
        seen_n = self.confidence_n >= LEAST_CONFIDENCE
        weight_n = self.confidence_n[seen_n]
        wrong_n = error_n[seen_n] > WRONG
        return [
            self.of_all,
            float(error_n.mean()),
            float((self.ratio_n < 1 - WRONG).mean()),
            float((self.ratio_n > 1 + WRONG).mean()),
            float(np.median(self.ratio_n) - 1),
            float(seen_n.mean()),
            float((wrong_n * weight_n).sum() / weight_n.sum()),
        ]


HEADINGS = (
    "region",
    "of all pixels",
    "AbsRel",
    "> 5 % too near",
    "> 5 % too far",
    "median error",
    "confidence ≥ 0.15",
    "weight that is wrong",
)


def edges(truth_hw: NDArray[np.float32]) -> Mask:
    """Pixels within a few of a jump of the true depth."""
    kernel = np.ones((3, 3), np.uint8)
    known_hw = truth_hw > 0
    near_hw = cv2.erode(np.where(known_hw, truth_hw, np.float32(1e9)), kernel)
    far_hw = cv2.dilate(np.where(known_hw, truth_hw, np.float32(0)), kernel)
    jump_hw = known_hw & (far_hw > (1 + JUMP) * near_hw)
    return cv2.dilate(jump_hw.astype(np.uint8), np.ones((2 * REACH_PX + 1,) * 2, np.uint8)) > 0


def fused_results(run_dir: Path) -> Iterator[tuple[str, Path]]:
    """Name of the method and folder of the depth maps of each result in a run's store."""
    found = {}
    for path in sorted((run_dir / "store" / "fusion").glob("*/manifest.json")):
        manifest = json.loads(path.read_text())
        found[manifest["digest"]] = manifest["key_parts"]["config"]["model"], path.parent / "depth"
    yield from sorted(found.values())


def regions(run_dir: Path, dataset: Path) -> Iterator[tuple[str, Mapping[str, Pixels]]]:
    """For each method the pixels at edges, those within surfaces, and all."""
    posed_set = load_posed_set(dataset)
    matched = match_frames(read_key_frames(run_dir), posed_set)
    alignment = align_poses(
        np.stack([frame.world_from_cam for frame in matched]),
        np.stack([frame.truth.world_from_cam for frame in matched]),
    )
    truth = TrueDepth(posed_set)
    for method, folder in fused_results(run_dir):
        parts: dict[str, list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = {}
        for frame in matched:
            depth = DepthMap.load(folder / f"{frame.name}.npz")
            (height, width), k_33 = depth.depth_hw.shape, depth.k_33
            camera = Camera(width, height, k_33[0, 0], k_33[1, 1], k_33[0, 2], k_33[1, 2])
            truth_hw = truth.along(frame, camera)
            both_hw = (truth_hw > 0) & (depth.depth_hw > 0)
            edge_hw = edges(truth_hw)
            for name, part_hw in (("edges", edge_hw), ("interior", ~edge_hw)):
                chosen_hw = both_hw & part_hw
                ratio_n = depth.depth_hw[chosen_hw] * alignment.scale / truth_hw[chosen_hw]
                parts.setdefault(name, []).append(
                    (ratio_n.astype(np.float32), depth.confidence_hw[chosen_hw])
                )
        joined = {
            name: [np.concatenate(one) for one in zip(*p, strict=True)] for name, p in parts.items()
        }
        count = sum(len(values[0]) for values in joined.values())
        yield method, {n: Pixels(v[0], v[1], len(v[0]) / count) for n, v in joined.items()}


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--sets", default="livingroom_synthetic,redkitchen_100")
    options = parser.parse_args()
    print("| set | method | " + " | ".join(HEADINGS) + " |")
    print("|---" * (len(HEADINGS) + 2) + "|")
    for name in options.sets.split(","):
        for method, by_region in regions(options.runs / name, options.root / name):
            for region, pixels in by_region.items():
                cells = [f"{value:.1%}" for value in pixels.figures()]
                print(f"| {name} | {method} | {region} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
