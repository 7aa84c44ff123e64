"""Share of the pictures that is masked as moving: of clips in which nothing moves, and of others.

Usage: python -m benchmarks.moving CLIPS --runs DIR [--root DATA] [--sets NAME,…]
CLIPS keeps the rendered clips (a minute or two of a core each). Runs that are there are taken up.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks.common import REPOSITORY, markdown
from benchmarks.static_clips import CLIPS, clip_path
from mvrecon.engine.store import Artifact, Store
from mvrecon.formats.images import read_pixels

TABLE = Path(__file__).with_suffix(".md")
# Below the data's root: the place, and what moves there.
REAL: Mapping[str, tuple[str, str]] = {
    "phone_fox50": ("posed/phone_fox50/images", "nothing"),
    "redkitchen_100": ("rgbd/redkitchen_100/images", "nothing"),
    "livingroom_synthetic": ("rgbd/livingroom_synthetic/images", "nothing"),
    "strecha_fountain11": ("posed/strecha_fountain11/images", "nothing"),
    "vggt_room": ("videos/vggt_room.mp4", "nothing"),
    "kitti_odometry_30": ("posed/kitti_odometry_30/images", "perhaps cars"),
    "cotracker_teddy": ("videos/cotracker_teddy.mp4", "a toy, and the arms that move it"),
    "vda_Tokyo-Walk": ("videos/vda_Tokyo-Walk_rgb.mp4", "people"),
}
COLUMNS = (
    "clip",
    "what moves",
    "masked, mean %",
    "masked, most of a frame %",
    "seen to be still %",
    "flow trusted %",
    "key frames posed",
)
HEADER = """# What is masked as moving

Made by `python -m benchmarks.moving CLIPS --runs DIR --root DATA --sets {sets}`. *Masked*: of all
pixels of the posed key frames. No truth is known of the real clips; rendered things that move are
in `tests/stages/pose/moving` (at least 90 % of them masked, at most 0.2 % of the rest).

"""


def main() -> None:
    """Render what is missing, pose everything, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--root", type=Path, help="folder of the real sets")
    parser.add_argument("--sets", default=",".join(("sample", *CLIPS, *REAL)))
    options = parser.parse_args()
    rows = []
    for name in options.sets.split(","):
        source, moves = _source(name, options.clips, options.root)
        run_dir = options.runs / name.replace(" ", "_")
        command = [sys.executable, "-m", "mvrecon", "run", str(source), "-o", str(run_dir)]
        subprocess.run([*command, "-q", "--until", "pose", "--mend", "none"], check=True)
        rows.append((name, moves, *_figures(Store(run_dir / "store"))))
    TABLE.write_text(HEADER.format(sets=options.sets) + markdown(COLUMNS, rows))


def _source(name: str, clips: Path, root: Path | None) -> tuple[Path, str]:
    if name == "sample":
        return REPOSITORY / "sample_data/clip.mp4", "nothing"
    if name in CLIPS:
        return clip_path(clips, name), "nothing"
    if root is None:
        raise SystemExit(f"{name} needs --root")
    return root / REAL[name][0], REAL[name][1]


def _figures(store: Store) -> Iterator[str]:
    flow, pose = (_latest(store, stage) for stage in ("flow", "pose"))
    masks = [pose.path(item) for item in pose.names("moving/")]
    shares = [float((read_pixels(path, "grey") > 127).mean()) for path in masks]
    numbers = pose.read_summary()["numbers"]
    yield f"{100 * np.mean(shares):.2f}"
    yield f"{100 * max(shares):.2f}"
    yield f"{numbers['still_percent']:.0f}"
    yield f"{100 * flow.read_summary()['numbers']['mean_confidence']:.0f}"
    yield f"{numbers['posed_frames']} of {numbers['key_frames']}"


def _latest(store: Store, stage: str) -> Artifact:
    artifact = store.latest(stage)
    assert artifact is not None
    return artifact


if __name__ == "__main__":
    main()
