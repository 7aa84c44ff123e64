"""What two versions of the program make of the same inputs, side by side.

Runs of the one lie in OLD, of the other in NEW, under the same names; beside each, where there is
ground truth, what `mvrecon eval RUN --dataset SET --json NAME.json` wrote.

Usage: python -m benchmarks.pipeline_change OLD NEW [--sets a,b]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import markdown
from mvrecon.engine.store import Artifact, Store

TABLE = Path(__file__).with_suffix(".md")
STAGES = ("frames", "flow", "pose", "depth", "fusion", "surface", "texture")
GIB = 2**30
HEADINGS = (
    "set",
    "version",
    f"CPU s ({', '.join(STAGES)})",
    "peak GiB",
    "posed",
    "focal px",
    "remedies tried",
    "ATE, % of path",
    "AbsRel",
    "F at 1 %",
    "precision",
    "recall",
    "PSNR dB",
    "faces",
)
FIGURES = (
    ("trajectory.ate_percent_of_path", ".3f"),
    ("depth.trajectory_scale.abs_rel", ".4f"),
    ("surface.errors.f_score", ".3f"),
    ("surface.errors.precision", ".3f"),
    ("surface.errors.recall", ".3f"),
    ("image.errors.psnr_db", ".2f"),
)
HEADER = """# The whole pipeline, before and after

Made by `python -m benchmarks.pipeline_change OLD NEW`: runs of `mvrecon run INPUT --workers 1` by
two versions, default preset, given only the images, and `mvrecon eval` of each by its own version.

Columns as in [pipeline.md](pipeline.md), but that processor time and peak are those that the stages
recorded. *PSNR*: of `mesh.ply`, which has its colours at the vertices.

"""


def main() -> None:
    """Read both folders, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--sets", help="names, in their order; all of NEW if not given")
    options = parser.parse_args()
    names = sorted(path.name for path in options.new.iterdir() if (path / "store").is_dir())
    if options.sets:
        names = options.sets.split(",")
    rows = [
        _row(folder, name, version)
        for name in names
        for folder, version in ((options.old, "before"), (options.new, "after"))
    ]
    TABLE.write_text(HEADER + markdown(HEADINGS, rows))


def _row(folder: Path, name: str, version: str) -> Sequence[str]:
    store = Store(folder / name / "store")
    found = {stage: artifact for stage in STAGES if (artifact := store.latest(stage))}
    cpu_s = [float(artifact.manifest["recorded"]["cpu_s"]) for artifact in found.values()]
    peak = max(artifact.manifest["recorded"]["peak_bytes"] for artifact in found.values())
    pose, surface = _numbers(found["pose"]), _numbers(found["surface"])
    judged = [
        artifact for stage in ("mend_pose", "mend_depth") if (artifact := store.latest(stage))
    ]
    file = folder / f"{name}.json"
    figures = json.loads(file.read_text()) if file.is_file() else {}
    return [
        name,
        version,
        f"{sum(cpu_s):.0f} ({', '.join(f'{seconds:.0f}' for seconds in cpu_s)})",
        f"{peak / GIB:.2f}",
        f"{pose['posed_frames']}/{pose['key_frames']}",
        f"{pose['focal_px']:.1f}",
        str(sum(_numbers(artifact)["attempts"] for artifact in judged)) if judged else "–",
        *(_figure(figures, path.split("."), form) for path, form in FIGURES),
        f"{surface['faces']:,}",
    ]


def _numbers(artifact: Artifact) -> dict[str, Any]:
    numbers: dict[str, Any] = dict(artifact.read_summary()["numbers"])
    return numbers


def _figure(figures: Any, path: Sequence[str], form: str) -> str:
    for step in path:
        figures = (figures or {}).get(step)
    return "–" if figures is None else format(figures, form)


if __name__ == "__main__":
    main()
