"""Volumes: errors on phantoms whose volume and surface are known; the memory of a large one."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from benchmarks.measures import running
from benchmarks.measures.running import GIB
from benchmarks.piece import Column, Piece, Place, Row, Table
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

SEED = 20
CUBIC, FLAT = (1.0, 1.0, 1.0), (0.7, 0.7, 1.5)
STAGES = ("load", "denoise", "segment", "mesh")
LARGE_SHAPE = (1000, 512, 512)


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
) -> Row:  # fmt: skip
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
    return {
        "phantom": f"{phantom.name}, {phantom.volume_mm3 / 1000:.3g} ml",
        "voxel": " × ".join(f"{step:g}" for step in spacing),
        "noise": noise,
        "options": " ".join(options) or "default",
        "volume": volume,
        "area": area,
        "off_mean": float(off.mean()),
        "off_most": float(off.max()),
        "pieces": len(pieces),
    }


def head_rows(folder: Path) -> Iterator[Row]:
    """The head of Shepp and Logan: its ventricles as dark pieces, and as labels."""
    shape, half = (64, 64, 64), 32.0
    grid = centered(shape, CUBIC)
    values = np.round(1000 * sampled(shepp_logan(half), shape, grid, 3)).astype(np.int16)
    skull, brain = SHEPP_LOGAN[:2]
    truth = (skull.volume - brain.volume) * half**3
    for value, told in ((500, "half-way outside"), (550, "between"), (600, "half-way inside")):
        run_dir = run(values, grid, folder, ["--threshold", str(value), "--mesh.min_piece", "0"])
        pieces = pieces_of(run_dir)
        error = sum(piece["volume_mm3"] for piece in pieces) / truth - 1
        part = f"skull by the value {value}, {told}, pieces: {len(pieces)}"
        yield {"part": part, "volume": error}
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
        yield {"part": f"label {label}, {voxels:,} voxels", "volume": volume / voxels - 1}


def run(
    values_kji: NDArray[Any], grid: NDArray[np.float64], folder: Path, options: list[str]
) -> Path:
    """A run of `mvrecon volume` on values; its folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    nibabel.save(nibabel.Nifti1Image(values_kji.transpose(2, 1, 0), grid), folder / "volume.nii")
    run_dir = folder / "run"
    if main(["volume", str(folder / "volume.nii"), "-o", str(run_dir), "-q", *options]) != 0:
        raise RuntimeError(f"mvrecon volume failed with {options}")
    return run_dir


def pieces_of(run_dir: Path) -> list[dict[str, Any]]:
    """The pieces that a run measured."""
    pieces: list[dict[str, Any]] = json.loads((run_dir / "pieces.json").read_text())["pieces"]
    return pieces


def large_rows(folder: Path) -> list[Row]:
    """A noisy body with a skeleton of rods, as large as a scan of all of it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path, run_dir = folder / "large.nii", folder / "run"
    write_large(path)
    options = ("--load.values=hounsfield", "--threshold=bone")
    running.run(path, run_dir, *options, command="volume")
    path.unlink()  # half a gigabyte
    rows: list[dict[str, Any]] = []
    for stage in STAGES:
        cost = running.recorded(run_dir, stage)
        rows.append({"stage": stage, "cpu_s": cost["cpu_s"], "peak_gib": cost["peak_bytes"] / GIB})
    faces = int(running.numbers(run_dir, "mesh")["faces"])
    return [*rows[:-1], rows[-1] | {"faces": faces}]


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


def measure_phantoms(place: Place) -> list[Row]:
    """A row for each phantom, spacing, noise and option."""
    return [phantom_row(*one, place.runs / "volumes" / "phantom") for one in phantoms()]


def measure_head(place: Place) -> list[Row]:
    """A row for each part of the head."""
    return list(head_rows(place.runs / "volumes" / "head"))


def measure_large(place: Place) -> list[Row]:
    """A row for each stage."""
    return large_rows(place.runs / "volumes" / "large")


TABLES = (
    Table(
        "volumes",
        "Volumes: phantoms",
        """
`mvrecon volume`: errors against the exact volume, area and surface of what was sampled; a voxel
is the shortest edge. Noise is a share of the contrast.
""",
        (
            Column("phantom", "phantom"),
            Column("voxel", "voxel [mm]"),
            Column("noise", "noise", ".0%"),
            Column("options", "options"),
            Column("volume", "volume error", "+.2%"),
            Column("area", "area error", "+.2%"),
            Column("off_mean", "surface, mean [voxel]", ".3f"),
            Column("off_most", "surface, largest [voxel]", ".3f"),
            Column("pieces", "pieces"),
        ),
        (Piece("volumes/phantoms", measure_phantoms, STAGES),),
    ),
    Table(
        "head",
        "Volumes: the head of Shepp and Logan",
        """
On 64³ voxels: the skull against its exact volume, labels against the volume of their voxels.
""",
        (Column("part", "part"), Column("volume", "volume error", "+.2%")),
        (Piece("head/labels", measure_head, STAGES, version=2),),
    ),
    Table(
        "large-volume",
        "Volumes: 512 × 512 × 1,000 voxels",
        """
A noisy body with a skeleton of rods, `mvrecon volume … --threshold bone`.
""",
        (
            Column("stage", "stage"),
            Column("cpu_s", "CPU s", ".0f"),
            Column("peak_gib", "peak GiB", ".2f"),
            Column("faces", "faces", ","),
        ),
        (Piece("large-volume/bone", measure_large, STAGES),),
    ),
)
