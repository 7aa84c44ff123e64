"""Volumes: errors on phantoms whose volume and surface are known, and the memory of a large one.

python -m benchmarks.volumes --runs DIR [--large]
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import REPOSITORY, markdown, recorded
from mvrecon.cli import main
from mvrecon.formats.mesh import read_mesh_ply
from mvrecon.synthetic.phantoms import (
    SHEPP_LOGAN,
    Phantom,
    centered,
    sampled,
    shell,
    shepp_logan,
    sphere,
    torus,
)

TABLE = REPOSITORY / "benchmarks" / "volumes.md"
SEED = 20
CUBIC, FLAT = (1.0, 1.0, 1.0), (0.7, 0.7, 1.5)
STAGES = ("load", "denoise", "segment", "mesh")
LARGE_SHAPE = (1000, 512, 512)
HEADINGS = (
    "phantom", "voxel [mm]", "noise", "options", "volume error", "area error",
    "surface, mean [voxel]", "surface, largest [voxel]", "pieces",
)  # fmt: skip


def phantoms() -> Iterator[tuple[Phantom, tuple[float, float, float], float, list[str]]]:
    """Phantom, spacing, deviation of the noise as a share of the contrast, options."""
    for radius in (6.2, 10.2, 20.3):
        yield sphere(radius), CUBIC, 0.0, []
    yield sphere(20.3), CUBIC, 0.0, ["--mesh.smooth", "0"]
    yield sphere(20.3), CUBIC, 0.0, ["--mesh.max_faces", "3000"]
    yield shell(22.2, 15.1), CUBIC, 0.0, []
    yield torus(20.0, 8.1), CUBIC, 0.0, []
    for one in (sphere(20.3), shell(22.2, 15.1), torus(20.0, 8.1)):
        yield one, FLAT, 0.0, []
    for options in ([], ["--denoise.method", "none"]):
        yield sphere(20.3), CUBIC, 0.2, options


def phantom_row(
    phantom: Phantom, spacing: tuple[float, float, float], noise: float, options: list[str],
    folder: Path,
) -> list[str]:  # fmt: skip
    """One line of the table."""
    reach = 2 * max(math.cbrt(phantom.volume_mm3), 12.0) * (1.6 if phantom.name == "torus" else 1)
    reach = min(reach, 100.0)
    shape = tuple(round(reach / step) for step in spacing[::-1])
    grid = centered(shape, spacing)
    grid[:3, 3] += 0.3  # no symmetry helps
    values = sampled(phantom.density, shape, grid, samples=4)
    values += np.random.default_rng(SEED).normal(0, 1000 * noise + 1e-9, shape)
    run_dir = run(values.round().astype(np.int16), grid, folder, options)
    pieces = pieces_of(run_dir)
    mesh = read_mesh_ply(run_dir / "mesh.ply")
    off = phantom.distance(mesh.points.xyz_n3.astype(np.float64)) / min(spacing)
    volume = sum(piece["volume_mm3"] for piece in pieces) / phantom.volume_mm3 - 1
    area = sum(piece["area_mm2"] for piece in pieces) / phantom.area_mm2 - 1
    size = f"{phantom.name}, {phantom.volume_mm3 / 1000:.3g} ml"
    return [
        size, " × ".join(f"{step:g}" for step in spacing), f"{noise:.0%}",
        " ".join(options) or "default", f"{volume:+.2%}", f"{area:+.2%}", f"{off.mean():.3f}",
        f"{off.max():.3f}", str(len(pieces)),
    ]  # fmt: skip


def head_rows(folder: Path) -> Iterator[list[str]]:
    """The head of Shepp and Logan: its ventricles as dark pieces, and as labels."""
    shape, half = (64, 64, 64), 32.0
    grid = centered(shape, CUBIC)
    values = np.round(1000 * sampled(shepp_logan(half), shape, grid, 3)).astype(np.int16)
    skull, brain = SHEPP_LOGAN[:2]
    run_dir = run(values, grid, folder, ["--threshold", "500", "--mesh.min_piece", "0"])
    (piece, *_) = pieces_of(run_dir)
    truth = (skull.volume - brain.volume) * half**3
    yield ["skull by the value 500", f"{piece['volume_mm3'] / truth - 1:+.2%}"]
    x = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
    xyz = x[..., ::-1] @ grid[:3, :3].T + grid[:3, 3]
    labels = np.zeros(shape, np.uint8)
    for label, one in enumerate(SHEPP_LOGAN, 1):
        labels[one.contains(xyz / half)] = label
    run_dir = run(labels, grid, folder, ["--load.values", "labels", "--mesh.min_piece", "0"])
    for label in np.unique(labels[labels > 0]):
        name = f"label_{label}"
        volume = sum(p["volume_mm3"] for p in pieces_of(run_dir) if p["part"] == name)
        voxels = int(np.count_nonzero(labels == label))
        yield [f"label {label}, {voxels:,} voxels", f"{volume / voxels - 1:+.2%}"]


def run(
    values_kji: NDArray[Any], grid: NDArray[np.float64], folder: Path, options: list[str]
) -> Path:
    """A run of `mvrecon volume` on values; its folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    nibabel.save(nibabel.Nifti1Image(values_kji.transpose(2, 1, 0), grid), folder / "volume.nii")
    run_dir = folder / "run"
    if main(["volume", str(folder / "volume.nii"), "-o", str(run_dir), "-q", *options]) != 0:
        raise SystemExit(f"mvrecon volume failed with {options}")
    return run_dir


def pieces_of(run_dir: Path) -> list[dict[str, Any]]:
    """The pieces that a run measured."""
    pieces: list[dict[str, Any]] = json.loads((run_dir / "pieces.json").read_text())["pieces"]
    return pieces


def large_rows(folder: Path) -> list[list[str]]:
    """A noisy body with a skeleton of rods, as large as a scan of all of it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "large.nii"
    if not path.is_file():
        write_large(path)
    run_dir = folder / "run"
    options = ["--load.values", "hounsfield", "--threshold", "bone"]
    if main(["volume", str(path), "-o", str(run_dir), *options]) != 0:
        raise SystemExit("mvrecon volume failed")
    costs = {stage: recorded(run_dir, stage) for stage in STAGES}
    return [
        [stage, f"{cost['cpu_s']:.0f}", f"{cost['peak_bytes'] / 2**30:.2f}"]
        for stage, cost in costs.items()
    ]


def write_large(path: Path) -> None:
    """512 × 512 × 1,000 voxels, slice by slice."""
    slices, rows, columns = LARGE_SHAPE
    image = nibabel.Nifti1Image(np.zeros((1, 1, 1), np.int16), np.diag([0.8, 0.8, 1.0, 1.0]))
    header = image.header.copy()
    header.set_data_shape((columns, rows, slices))
    header["vox_offset"] = 352
    random = np.random.default_rng(SEED)
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    body = ((x - 256) / 200) ** 2 + ((y - 256) / 130) ** 2 < 1
    with path.open("wb") as file:
        file.write(header.binaryblock + bytes(4))
        for k in range(slices):
            values = np.where(body, np.float32(40), np.float32(-1000))
            for rod in range(12):
                angle = 2 * math.pi * (rod / 12 + k / 400)
                center = 256 + 150 * math.cos(angle), 256 + 95 * math.sin(angle)
                radius = np.hypot(x - center[0], y - center[1])
                values += 700 * np.clip(14 - radius, 0, 1) - 500 * np.clip(9 - radius, 0, 1)
            values += random.normal(0, 20, values.shape).astype(np.float32)
            file.write(values.round().astype("<i2").tobytes())


def run_all() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--large", action="store_true", help="also 512 × 512 × 1,000 voxels")
    options = parser.parse_args()
    text = "`python -m benchmarks.volumes --runs DIR --large`\n\n"
    text += (
        "Errors against the exact volume, area and surface of what was sampled; a voxel is the\n"
    )
    text += "shortest edge. Noise is a share of the contrast.\n\n"
    rows = [phantom_row(*one, options.runs / "phantom") for one in phantoms()]
    text += markdown(HEADINGS, rows)
    text += (
        "\nThe head of Shepp and Logan on 64³ voxels: the skull against its exact volume, labels\n"
    )
    text += "against the volume of their voxels.\n\n"
    text += markdown(["part", "volume error"], head_rows(options.runs / "head"))
    if options.large:
        text += "\n512 × 512 × 1,000 voxels, a noisy body with a skeleton of rods,\n"
        text += "`--threshold bone`:\n\n"
        text += markdown(
            ["stage", "CPU [s]", "peak memory [GiB]"], large_rows(options.runs / "large")
        )
    TABLE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_all()
