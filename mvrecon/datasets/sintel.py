"""MPI Sintel (Butler et al., "A Naturalistic Open Source Movie …", ECCV 2012)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from mvrecon.datasets.flow_pairs import (
    FlowDataSet,
    FlowSample,
    Mask,
    Parts,
    Truth,
    read_mask,
    require_files,
    visibility,
)
from mvrecon.formats.flow import read_flo

RENDER_PASSES = ("clean", "final")


def _read(root: Path, split: str) -> Parts:
    folder = root / split
    for render_pass in RENDER_PASSES:
        if (folder / render_pass).is_dir():
            yield f"Sintel {render_pass}", _pairs(folder, render_pass)


def _pairs(folder: Path, render_pass: str) -> list[FlowSample]:
    masks = {name for name in ("occlusions", "invalid") if (folder / name).is_dir()}
    scenes = {path.name for top in (render_pass, "flow") for path in (folder / top).iterdir()}
    pairs = []
    for scene in sorted(scenes):
        images = folder / render_pass / scene
        numbers = {int(path.stem[-4:]) for path in images.glob("frame_*.png")}
        # The last frame has no flow.
        numbers |= {int(path.stem[-4:]) + 1 for path in (folder / "flow" / scene).glob("*.flo")}
        for number in range(min(numbers, default=1), max(numbers, default=2)):
            first, second = (images / f"frame_{n:04d}.png" for n in (number, number + 1))
            truth = folder / "flow" / scene / f"frame_{number:04d}.flo"
            mask_files = {name: folder / name / scene / first.name for name in sorted(masks)}
            require_files([first, second, truth, *mask_files.values()])
            pairs.append(
                FlowSample(
                    f"{scene}-{number:04d}",
                    first,
                    second,
                    partial(_truth, truth, mask_files.get("invalid")),
                    (truth, *mask_files.values()),
                    partial(_regions, truth, mask_files),
                )
            )
    return pairs


def _truth(truth: Path, invalid: Path | None) -> Truth:
    flow_hw2, valid_hw = read_flo(truth)
    return flow_hw2, valid_hw if invalid is None else valid_hw & ~read_mask(invalid)


def _regions(truth: Path, mask_files: Mapping[str, Path]) -> Mapping[str, Mask]:
    regions: dict[str, Mask] = {}
    if "occlusions" in mask_files:
        regions |= visibility(~read_mask(mask_files["occlusions"]))
    if "invalid" in mask_files:
        regions["with_invalid"] = np.ones(read_flo(truth)[1].shape, bool)
    return regions


SINTEL = FlowDataSet(
    name="sintel",
    title="Sintel",
    layout="ROOT/training/clean/SCENE/frame_NNNN.png (and final/), "
    "ROOT/training/flow/SCENE/frame_NNNN.flo; where there are occlusions/ and invalid/, "
    "SCENE/frame_NNNN.png in them",
    needs=(("training/flow",), ("training/clean", "training/final")),
    read=_read,
)
