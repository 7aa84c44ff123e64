"""What of a run is the same to the bit, and by how much the rest differs.

python -m benchmarks.tools.same_results --runs DIR [--markdown FILE]

One clip is reconstructed again and again: unchanged, with other numbers of threads, and as a
processor with fewer vector instructions would, which the libraries can be told to be. Each run is
compared with the first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.piece import REPOSITORY, markdown
from mvrecon.artifacts.depth import DepthMap
from mvrecon.artifacts.poses import POSES_ITEM, load_poses
from mvrecon.engine.store import Artifact, Store
from mvrecon.formats.mesh import read_mesh_ply
from mvrecon.geometry.raycasting import TriangleScene
from mvrecon.geometry.similarity import Similarity
from stages.pipeline import STAGE_NAMES

CLIP = REPOSITORY / "sample_data" / "clip.mp4"
SMALL = ("--frames.max_size=256", "--frames.end_s=1", "--depth.max_size=128")
SMALL += ("--surface.mesh.max_faces=3000", "--mend=none", "--workers=2")
FP32 = tuple(f"--{name}.precision=fp32" for name in ("flow.mvflow", "depth.learned"))
FP32 += ("--fusion.recurrent.precision=fp32",)
TORCH_AVX2 = {"ATEN_CPU_CAPABILITY": "avx2"}
TORCH_PLAIN = {"ATEN_CPU_CAPABILITY": "default"}
ONEDNN_AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
ONEDNN_SSE = {"ONEDNN_MAX_CPU_ISA": "SSE41"}
BLAS_AVX2 = {"OPENBLAS_CORETYPE": "Haswell", "MKL_CBWR": "AVX2"}
NUMPY_AVX2 = {"NPY_DISABLE_CPU_FEATURES": "X86_V4,AVX512_ICL,AVX512_SPR"}
OPENCV_AVX2 = {"OPENCV_CPU_DISABLE": "AVX512-SKX"}
OPENCV_SSE = {"OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,AVX,FP16"}


@dataclass(frozen=True)
class Variant:
    """A way to run."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()


VARIANTS = (
    Variant("the first run"),
    Variant("again"),
    Variant("1 thread", options=("--workers=1",)),
    Variant("4 threads", options=("--workers=4",)),
    Variant(
        "all as on a processor with AVX2 only",
        TORCH_AVX2 | ONEDNN_AVX2 | OPENCV_AVX2 | BLAS_AVX2 | NUMPY_AVX2,
        FP32,
    ),
    Variant("all as without AVX", TORCH_PLAIN | ONEDNN_SSE | OPENCV_SSE | BLAS_AVX2, FP32),
    Variant("torch with AVX2", TORCH_AVX2),
    Variant("torch without AVX", TORCH_PLAIN),
    Variant("oneDNN with AVX2", ONEDNN_AVX2),
    Variant("OpenCV with AVX2", OPENCV_AVX2),
    Variant("OpenCV with SSE", OPENCV_SSE),
    Variant("BLAS and NumPy with AVX2", BLAS_AVX2 | NUMPY_AVX2),
    Variant("networks in 32 bits", options=FP32),
)


def make(variant: Variant, run_dir: Path) -> dict[str, Artifact]:
    """Run it, or take what an earlier call made; results by stage."""
    command = [sys.executable, "-m", "mvrecon", "run", str(CLIP), "-o", str(run_dir)]
    subprocess.run(
        [*command, *SMALL, *variant.options],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **variant.environment},
    )
    store = Store(run_dir / "store")
    found = {stage: store.latest(stage) for stage in STAGE_NAMES}
    return {stage: artifact for stage, artifact in found.items() if artifact}


def compared(first: Mapping[str, Artifact], other: Mapping[str, Artifact]) -> dict[str, float]:
    """How far the geometry of two runs is apart, after the best similarity between their paths."""
    poses = [load_poses(run["pose"].path(POSES_ITEM)) for run in (first, other)]
    by_name = [{frame.name: frame.world_from_cam for frame in frames} for frames in poses]
    names = [name for name in by_name[0] if name in by_name[1]]
    ours_n44, theirs_n44 = (np.array([one[name] for name in names]) for one in by_name)
    similarity = aligned(theirs_n44, ours_n44)
    moved_n44 = np.array([similarity.apply_to_pose(pose_44) for pose_44 in theirs_n44])
    length = np.ptp(ours_n44[:, :3, 3], axis=0).max()
    turns_n33 = np.swapaxes(ours_n44[:, :3, :3], 1, 2) @ moved_n44[:, :3, :3]
    # From the sine, which small angles keep their digits in.
    skew_n33 = turns_n33 - np.swapaxes(turns_n33, 1, 2)
    sines_n = np.linalg.norm(skew_n33.reshape(len(names), 9), axis=1) / np.sqrt(8)
    offsets_n = np.linalg.norm(ours_n44[:, :3, 3] - moved_n44[:, :3, 3], axis=1)
    return {
        "poses": len(names) / max(map(len, by_name)),
        "rotation_deg": float(np.degrees(np.arcsin(np.clip(sines_n, 0, 1))).max()),
        "position_percent": float(100 * offsets_n.max() / length),
        **_depth_difference(first["fusion"], other["fusion"], similarity.scale),
        **_mesh_difference(first["surface"], other["surface"], similarity),
    }


def aligned(source_n44: np.ndarray, target_n44: np.ndarray) -> Similarity:
    """The similarity between two paths; its rotation is that of the cameras on average.

    Positions alone leave it open where the path is short and straight.
    """
    turns_33 = (target_n44[:, :3, :3] @ np.swapaxes(source_n44[:, :3, :3], 1, 2)).sum(axis=0)
    u_33, _, vt_33 = np.linalg.svd(turns_33)
    rotation_33 = u_33 @ vt_33
    turned_n3 = source_n44[:, :3, 3] @ rotation_33.T
    target_n3 = target_n44[:, :3, 3]
    centred_n3 = turned_n3 - turned_n3.mean(axis=0)
    scale = float((centred_n3 * (target_n3 - target_n3.mean(axis=0))).sum() / (centred_n3**2).sum())
    return Similarity(scale, rotation_33, target_n3.mean(axis=0) - scale * turned_n3.mean(axis=0))


def _depth_difference(first: Artifact, other: Artifact, scale: float) -> dict[str, float]:
    relative: list[np.ndarray] = []
    for item in first.names("depth/"):
        if item not in other.names(item):
            continue
        ours_hw = DepthMap.load(first.path(item)).depth_hw
        theirs_hw = DepthMap.load(other.path(item)).depth_hw * scale
        both_hw = (ours_hw > 0) & (theirs_hw > 0)
        relative.append(np.abs(theirs_hw - ours_hw)[both_hw] / ours_hw[both_hw])
    median, high = 100 * np.percentile(np.concatenate(relative), [50, 95])
    return {"depth_median_percent": float(median), "depth_95_percent": float(high)}


def _mesh_difference(first: Artifact, other: Artifact, similarity: Similarity) -> dict[str, float]:
    ours, theirs = (read_mesh_ply(run.path("mesh.ply")) for run in (first, other))
    moved_n3 = similarity.apply(theirs.points.xyz_n3.astype(np.float64))
    distances_n = TriangleScene(ours.points.xyz_n3, ours.faces_m3).distance(moved_n3)
    extent = np.ptp(ours.points.xyz_n3, axis=0).max()
    median, high = 100 * np.percentile(distances_n, [50, 95]) / extent
    return {"mesh_median_percent": float(median), "mesh_95_percent": float(high)}


HEAD = """\
# The same results

`python -m benchmarks.tools.same_results --runs DIR`: a second of the sample clip at 256 px; each
run beside the first.

"""
HEADINGS = (
    "run",
    "first stage with other bytes",
    "rotation, at most [°]",
    "position, at most [% of the path]",
    "depth, median, 95 % [%]",
    "mesh, median, 95 % [% of its extent]",
)


def row(
    variant: Variant, first: Mapping[str, Artifact], other: Mapping[str, Artifact]
) -> list[str]:
    """A line of the table."""
    stages = [stage for stage in STAGE_NAMES if first[stage].digest != other[stage].digest]
    if not stages:
        return [variant.name, "none", "0", "0", "0", "0"]
    figures = compared(first, other)
    return [
        variant.name,
        stages[0],
        f"{figures['rotation_deg']:.2g}",
        f"{figures['position_percent']:.2g}",
        f"{figures['depth_median_percent']:.2g}, {figures['depth_95_percent']:.2g}",
        f"{figures['mesh_median_percent']:.2g}, {figures['mesh_95_percent']:.2g}",
    ]


def main() -> None:
    """Run all variants; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    rows: list[list[str]] = []
    first: dict[str, Artifact] = {}
    for number, variant in enumerate(VARIANTS):
        made = make(variant, options.runs / f"{number:02}")
        first = first or made
        rows.append(row(variant, first, made))
        print(json.dumps(rows[-1]), flush=True)
    if options.markdown:
        options.markdown.write_text(HEAD + markdown(HEADINGS, rows))


if __name__ == "__main__":
    main()
