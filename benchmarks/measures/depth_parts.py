"""What a depth map costs, part by part, and what training clips cost; of rendered clips."""

from __future__ import annotations

import cProfile
import os
import pstats
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import torch

from benchmarks.piece import Column, Piece, Place, Row, Table
from mvrecon.learning.precision import used_precision
from mvrecon.synthetic.training.clips.files import PosedClip
from mvrecon.synthetic.training.clips.posed_clips import make_clip
from mvrecon.synthetic.training.clips.render import texture_pyramid
from mvrecon.synthetic.training.clips.torch_clips import make_torch_clip
from mvrecon.synthetic.training.textures import procedural_textures
from stages.clip_pipeline import clip_estimator, flows_of_clip
from stages.depth.config import DepthConfig
from stages.depth.training.clip_starts import clip_starts

SEED, MAPS, CLIPS = 77, 4, 3
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


def measure_parts(_: Place, model: str) -> list[Row]:
    """A row for each part of a model's maps."""
    _one_thread()
    clip = make_clip(SEED, texture_pyramid(procedural_textures(16)), (), "room", SIZE_HW)
    with tempfile.TemporaryDirectory() as folder:
        config = DepthConfig.model_validate({"model": model})
        estimator = clip_estimator(clip, Path(folder), config)
        profile = cProfile.Profile(time.process_time)
        for row in range(min(MAPS, len(clip))):
            profile.runcall(estimator.depth_map, row)
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    count = min(MAPS, len(clip))
    total = _seconds(stats, "depth_map", "") / count
    parts = {part: _seconds(stats, name, caller) / count for part, name, caller in PARTS[model]}
    for part, inner in INSIDE.items():
        if part in parts:
            parts[part] -= sum(parts[name] for name in inner)
    parts["everything else"] = total - sum(parts.values())
    precision = used_precision("auto", ("fp32", "bf16")) if model == "learned" else "fp32"
    parts["all"] = total
    return [
        {
            "model": f"{model} ({precision})",
            "part": part,
            "cpu_s": seconds,
            "share": seconds / total,
        }
        for part, seconds in parts.items()
    ]


def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


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


def measure_clips(_: Place) -> list[Row]:
    """A row for each renderer of training clips."""
    _one_thread()
    textures_nhw3 = procedural_textures(16)
    pyramid = texture_pyramid(textures_nhw3)
    renderers: dict[str, Callable[[int], PosedClip]] = {
        "Open3D, furnished scenes": lambda seed: make_clip(seed, pyramid, size_hw=CLIP_SIZE_HW),
        "torch, solids": lambda seed: make_torch_clip(seed, textures_nhw3, size_hw=CLIP_SIZE_HW),
    }
    rows: list[Row] = []
    for name, make in renderers.items():
        clips, render_s = _timed(make, range(CLIPS))
        _, starts_s = _timed(
            lambda seed, clips=clips: clip_starts(clips[seed], seed, flows_of_clip), range(CLIPS)
        )
        rows.append({"renderer": name, "render_s": render_s, "starts_s": starts_s})
    return rows


def _timed(make: Callable[[int], Any], seeds: Sequence[int]) -> tuple[list[Any], float]:
    """What is made of each seed, and mean CPU seconds."""
    started = time.process_time()
    made = [make(seed) for seed in seeds]
    return made, (time.process_time() - started) / len(seeds)


TABLES = (
    Table(
        "depth-parts",
        "What a depth map costs, part by part",
        f"""
Maps of {SIZE_HW[1]} × {SIZE_HW[0]} of a rendered room with 6 neighbours, one thread; {MAPS} maps
of each model.
""",
        (
            Column("model", "model"),
            Column("part", "part"),
            Column("cpu_s", "CPU s a map", ".3f"),
            Column("share", "share", ".0%"),
        ),
        tuple(
            Piece(
                f"depth-parts/{model}",
                partial(measure_parts, model=model),
                ("depth",),
                ("depth/depthnet.pt",) if model == "learned" else (),
            )
            for model in PARTS
        ),
    ),
    Table(
        "training-clips",
        "What a training clip costs",
        f"""
CPU seconds for a clip of 8 frames of {CLIP_SIZE_HW[1]} × {CLIP_SIZE_HW[0]}, one thread; {CLIPS}
clips of each renderer.
""",
        (
            Column("renderer", "renderer"),
            Column("render_s", "to render", ".2f"),
            Column("starts_s", "flow and first depth", ".2f"),
        ),
        (Piece("training-clips/both", measure_clips, ("flow", "depth")),),
    ),
)
