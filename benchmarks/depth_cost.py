"""What a depth map costs, part by part, and what training clips cost; depth_cost.md.

Everything is rendered, so that no data is needed.

python -m benchmarks.depth_cost [--frames 8] [--clips 6]
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import torch

from mvrecon.learning.precision import used_precision
from mvrecon.synthetic.training.clips.files import PosedClip
from mvrecon.synthetic.training.clips.posed_clips import make_clip
from mvrecon.synthetic.training.clips.render import texture_pyramid
from mvrecon.synthetic.training.clips.torch_clips import make_torch_clip
from mvrecon.synthetic.training.textures import procedural_textures
from stages.clip_pipeline import clip_estimator, flows_of_clip
from stages.depth.config import DepthConfig
from stages.depth.training.clip_starts import clip_starts

TABLE = Path(__file__).with_suffix(".md")
SEED = 77
SIZE_HW = (480, 640)
CLIP_SIZE_HW = (256, 320)
# Part → function (of a file), and who calls it where it has several callers.
PLANES = [
    ("prior from flow", "_prior", ""),
    ("planes: matching", "sweep_costs", ""),
    ("planes: aggregation", "aggregate", "coarse_sweep"),
]
REFINEMENT = [
    ("refinement: matching", "surface_costs", ""),
    ("refinement: aggregation", "aggregate", "refine_surface"),
]
PARTS: dict[str, list[tuple[str, str, str]]] = {
    "sweep": [*PLANES, ("upsampling", "upsample_by_color", ""), *REFINEMENT],
    "learned": [
        *PLANES,
        ("cues", "_cues", ""),
        ("agreement of the views", "with_agreement", ""),
        ("features", "_encode", ""),
        ("network: similarities", "similarities", ""),
        ("network: the rest", "network.py:forward", ""),
        ("filling in", "fill_by_planes", ""),
        *REFINEMENT,
    ],
}
INSIDE = {"network: the rest": ("network: similarities",)}

HEADER = """# What depth costs

Made by `python -m benchmarks.depth_cost --frames {frames} --clips {clips}`; CPU seconds, one
thread. The learned model computes in {precision} here.

"""


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=8, help="depth maps of each model")
    parser.add_argument("--clips", type=int, default=6, help="training clips of each renderer")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    textures_nhw3 = procedural_textures(16)
    clip = make_clip(SEED, texture_pyramid(textures_nhw3), (), "room", SIZE_HW)
    page = HEADER.format(
        frames=options.frames,
        clips=options.clips,
        precision=used_precision("auto", ("fp32", "bf16")),
    )
    page += f"## A map of {SIZE_HW[1]} × {SIZE_HW[0]}, 6 neighbours\n\n"
    page += "".join(_parts(model, clip, options.frames) for model in PARTS)
    page += f"## A training clip of 8 frames of {CLIP_SIZE_HW[1]} × {CLIP_SIZE_HW[0]}\n\n"
    page += _clips(textures_nhw3, options.clips)
    TABLE.write_text(page)
    print(page)


def _parts(model: str, clip: PosedClip, frames: int) -> str:
    """Table of one model's parts, over frames that are measured one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        config = DepthConfig.model_validate({"model": model})
        estimator = clip_estimator(clip, Path(folder), config)
        profile = cProfile.Profile(time.process_time)
        for row in range(min(frames, len(clip))):
            profile.runcall(estimator.depth_map, row)
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    count = min(frames, len(clip))
    total = _seconds(stats, "depth_map", "") / count
    parts = {part: _seconds(stats, name, caller) / count for part, name, caller in PARTS[model]}
    for part, inner in INSIDE.items():
        if part in parts:
            parts[part] -= sum(parts[name] for name in inner)
    parts["everything else"] = total - sum(parts.values())
    lines = [f"| {model} | s/map | share |", "|---|---|---|"]
    lines += [f"| {part} | {s:.3f} | {s / total:.0%} |" for part, s in parts.items()]
    lines.append(f"| **all** | **{total:.2f}** | |")
    return "\n".join(lines) + "\n\n"


def _seconds(stats: dict[Any, Any], name: str, caller: str) -> float:
    """Cumulative seconds of a function of the depth stage, from one caller or from all."""
    total = 0.0
    file_end, _, wanted = f"{os.sep}{name}".rpartition(":") if ":" in name else ("", "", name)
    for (file, _, function), (*_, cumulative, callers) in stats.items():
        own = f"stages{os.sep}depth" in file and file.endswith(file_end)
        if function != wanted or not own:
            continue
        from_caller = [cost[3] for (_, _, who), cost in callers.items() if who == caller]
        total += sum(from_caller) if caller else cumulative
    return total


def _clips(textures_nhw3: torch.Tensor, count: int) -> str:
    pyramid = texture_pyramid(textures_nhw3)
    renderers: dict[str, Callable[[int], PosedClip]] = {
        "Open3D, furnished scenes": lambda seed: make_clip(seed, pyramid, size_hw=CLIP_SIZE_HW),
        "torch, solids": lambda seed: make_torch_clip(seed, textures_nhw3, size_hw=CLIP_SIZE_HW),
    }
    lines = [
        "| renderer | s to render | clips/s | s for flow and first depth | clips/s in all |",
        "|---|---|---|---|---|",
    ]
    for name, make in renderers.items():
        clips, render_s = _timed(make, range(count))
        _, starts_s = _timed(
            lambda seed, clips=clips: clip_starts(clips[seed], seed, flows_of_clip), range(count)
        )
        lines.append(
            f"| {name} | {render_s:.2f} | {1 / render_s:.2f} | {starts_s:.2f} | "
            f"{1 / (render_s + starts_s):.2f} |"
        )
    return "\n".join(lines) + "\n"


def _timed(make: Callable[[int], Any], seeds: Sequence[int]) -> tuple[list[Any], float]:
    """What is made of each seed, and mean CPU seconds."""
    started = time.process_time()
    made = [make(seed) for seed in seeds]
    return made, (time.process_time() - started) / len(seeds)


if __name__ == "__main__":
    main()
