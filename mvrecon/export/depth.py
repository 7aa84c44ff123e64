"""Depth maps as pictures: PNG of 16 bits, EXR."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mvrecon.artifacts.depth import DepthMap
from mvrecon.errors import InputError
from mvrecon.export.source import require, require_package
from mvrecon.formats.images import write_png

STEPS = 65_000  # to the largest depth of the run: 16 bits hold a few more


def export_depth_png(run_dir: Path, out: Path) -> None:
    """Depth maps of 16 bits: depth = value / `depth_scale` of depth.json, 0 = none."""
    out.mkdir(parents=True, exist_ok=True)
    largest = max(float(depth_map.depth_hw.max()) for _, depth_map in _maps(run_dir))
    scale = STEPS / largest if largest > 0 else 1.0
    for name, depth_map in _maps(run_dir):
        write_png(out / f"{name}.png", np.round(depth_map.depth_hw * scale).astype(np.uint16))
    (out / "depth.json").write_text(json.dumps({"depth_scale": scale}))


def export_depth_exr(run_dir: Path, out: Path) -> None:
    """Depth maps in 32 bits, channel Z, in world units, 0 = none."""
    require_package("OpenEXR", "exr")
    import OpenEXR

    out.mkdir(parents=True, exist_ok=True)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    for name, depth_map in _maps(run_dir):
        channels = {"Z": np.ascontiguousarray(depth_map.depth_hw, np.float32)}
        with OpenEXR.File(header, channels) as file:
            file.write(str(out / f"{name}.exr"))


def _maps(run_dir: Path) -> Iterator[tuple[str, DepthMap]]:
    """Name and depth map of each key frame, one in memory at a time."""
    paths = sorted(require(run_dir, "depth").glob("*.npz"))
    if not paths:
        raise InputError(f"{run_dir / 'depth'} is empty", "Run the stage fusion again")
    for path in paths:
        yield path.stem, DepthMap.load(path)
