"""What surfaces are worth, and cost, within a fixed size and as fine as the depth deserves.

Each set is run once; then only the surface stage is made again: within the limits that there were
before scenes were built in bricks, and by default.

Usage: python -m benchmarks.surfaces --root DATA --runs DIR [--sets a,b]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common import REPOSITORY, markdown, recorded
from benchmarks.surface_figures import aligned_by_surface, floating_share
from mvrecon.engine.measure import versions
from mvrecon.engine.store import Store
from mvrecon.evaluation.run import evaluate_run

TABLE = Path(__file__).with_suffix(".md")
# Input and ground truth, relative to the data; the sample clip is bundled.
SETS = {
    "sample": ("clip.mp4", "ground_truth"),
    "redkitchen_100": ("rgbd/redkitchen_100/images", "rgbd/redkitchen_100"),
    "redkitchen_500": ("rgbd/redkitchen_500/images", "rgbd/redkitchen_500"),
    "livingroom_synthetic": ("rgbd/livingroom_synthetic/images", "rgbd/livingroom_synthetic"),
    "phone_fox50": ("posed/phone_fox50/images", "posed/phone_fox50"),
}
LIMITS = {
    "volume.resolution": "1.5",
    "volume.max_blocks": "10000",
    "volume.see_through": "1000",
    "mesh.face_density": "10",
    "mesh.max_faces": "300000",
    "cloud.point_density": "10",
    "cloud.max_points": "500000",
}
VARIANTS: dict[str, dict[str, str]] = {"within 10,000 blocks": LIMITS, "default": {}}
HEADINGS = (
    "set",
    "surface",
    "voxel, world units",
    "blocks",
    "faces",
    "points",
    "F at 1 %",
    "precision",
    "recall",
    "F at 2 cm",
    "F at 5 cm",
    "scale left by the poses",
    "F at 1 %, aligned by surface",
    "at 2 cm",
    "at 5 cm",
    "PSNR dB",
    "in front of trusted depth, %",
    "CPU s",
    "peak MB",
)
THRESHOLDS_M = (0.02, 0.05)


def main() -> None:
    """Make what is missing, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder with posed/ and rgbd/")
    parser.add_argument("--runs", type=Path, required=True, help="run directories are kept here")
    parser.add_argument("--sets", default=",".join(SETS))
    options = parser.parse_args()
    rows = [
        row
        for name in options.sets.split(",")
        for row in measure(name, options.root, options.runs / name)
    ]
    told = "; ".join(f"{name} {version}" for name, version in versions().items())
    TABLE.write_text(
        "# Surfaces\n\nBy `python -m benchmarks.surfaces --root DATA --runs DIR`; CPU seconds and"
        f" peak memory are of the surface stage alone; {told}.\n\n{markdown(HEADINGS, rows)}"
    )


def measure(name: str, root: Path, run_dir: Path) -> Iterator[list[str]]:
    """Rows of one set."""
    base = REPOSITORY / "sample_data" if name == "sample" else root
    source, truth = (base / place for place in SETS[name])
    for variant, options in VARIANTS.items():
        command = [sys.executable, "-m", "mvrecon", "run", str(source), "-o", str(run_dir), "-q"]
        for option, value in options.items():
            command += [f"--surface.{option}", value]
        subprocess.run(command, check=True)
        artifact = Store(run_dir / "store").latest("surface")
        assert artifact is not None
        numbers = artifact.read_summary()["numbers"]
        cost = recorded(run_dir, "surface")
        yield [
            name,
            variant,
            f"{numbers['voxel_size']:.4f}",
            str(numbers["blocks"]),
            str(numbers["faces"]),
            str(numbers["cloud_points"]),
            *figures(run_dir, truth),
            f"{cost['cpu_s']:.0f}",
            f"{cost['peak_bytes'] / 1e6:.0f}",
        ]


def figures(run_dir: Path, truth: Path) -> Iterator[str]:
    """All between the numbers of points and the CPU seconds; "–" where unknown."""
    found = evaluate_run(run_dir, truth, parts=("surface", "image"))
    if found.surface:
        errors = found.surface.errors
        yield from (f"{value:.3f}" for value in (errors.f_score, errors.precision, errors.recall))
        for threshold in THRESHOLDS_M:
            at = evaluate_run(run_dir, truth, threshold=threshold, parts=("surface",)).surface
            assert at is not None
            yield f"{at.errors.f_score:.3f}"
        aligned = aligned_by_surface(run_dir, truth, (errors.threshold, *THRESHOLDS_M))
        assert aligned is not None
        yield f"{aligned.scale:.3f}"
        yield from (f"{f_score:.3f}" for f_score in aligned.f_scores)
    else:
        yield from ["–"] * 9
    yield f"{found.image.errors.psnr_db:.1f}" if found.image else "–"
    yield f"{100 * floating_share(run_dir):.2f}"


if __name__ == "__main__":
    main()
