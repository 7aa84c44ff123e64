"""Poses of cameras that are not ordinary: a rolling shutter, a zoom, and neither.

One hand-held path over the desk is rendered three times: all rows at once, each row from its own
pose (the read-out takes the whole time to the next frame), and with a focal length that grows by
30 %. Each clip is posed with and without allowing for unusual cameras; then real sequences are.

Usage: python -m benchmarks.cameras CLIPS [--root DATA]
CLIPS keeps the rendered clips (about two minutes of two cores each).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mvrecon.engine.measure import versions
from mvrecon.engine.store import Store
from mvrecon.evaluation.run import evaluate_run
from mvrecon.synthetic.clip import Sensor, render_frames, write_ground_truth, write_video
from mvrecon.synthetic.shutter import film
from sample_data.desk import DESK_CAMERA, DESK_PATH, desk_scene

TABLE = Path(__file__).with_suffix(".md")
FPS, FRAMES, SEED, CRF = 30, 81, 3, 18
ZOOM = 1.3
REAL = {
    "redkitchen_100": "rgbd/redkitchen_100",
    "livingroom_synthetic": "rgbd/livingroom_synthetic",
    "phone_fox50": "posed/phone_fox50",
}
ROW = (
    "| {clip} | {allowed} | {ate:.4f} | {focal_px} | {mean_reprojection_error_px} | {readout} "
    "| {zoom} | {cpu_s:.1f} |"
)
HEAD = (
    "| clip | unusual cameras | ATE, % of path | focal length, px | reprojection error, px "
    "| read-out, of the frame time | zoom | CPU s of the pose stage |\n" + "|---" * 8 + "|"
)


def main() -> None:
    """Render what is missing, pose everything both ways, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--root", type=Path, help="folder with posed/ and rgbd/")
    options = parser.parse_args()
    inputs = {}
    for kind in ("global", "rolling", "zoom"):
        folder = options.clips / kind
        if not (folder / "clip.mp4").is_file():
            render(kind, folder)
        inputs[kind] = folder / "clip.mp4", folder / "ground_truth"
    if options.root:
        inputs |= {
            name: (options.root / place / "images", options.root / place)
            for name, place in REAL.items()
        }
    rows = [row for name, places in inputs.items() for row in pose(name, *places)]
    told = "; ".join(f"{name} {version}" for name, version in versions().items())
    TABLE.write_text(
        "# Cameras that are not ordinary\n\nBy `python -m benchmarks.cameras CLIPS --root DATA`;"
        f" {told}.\n\n{HEAD}\n" + "\n".join(rows) + "\n"
    )


def render(kind: str, folder: Path) -> None:
    """One clip with its ground truth, which is of the middle rows."""
    folder.mkdir(parents=True, exist_ok=True)
    times_s = np.arange(FRAMES) / FPS
    growth = np.arange(FRAMES) / (FRAMES - 1)
    views = film(
        DESK_PATH,
        DESK_CAMERA,
        times_s,
        SEED,
        readout_s=1 / FPS if kind == "rolling" else 0.0,
        focal_factors=list(1 + (ZOOM - 1) * growth) if kind == "zoom" else None,
    )
    scene, video = desk_scene(), folder / "clip.mp4"
    truth = folder / "ground_truth"
    write_ground_truth(truth, scene, views, times_s, depth_every=20, video=video)
    images = render_frames(scene, views, Sensor(exposure=1.5), supersampling=2)
    write_video(video, images, (DESK_CAMERA.width, DESK_CAMERA.height), FPS, CRF)


def pose(name: str, source: Path, truth: Path) -> Iterator[str]:
    """Rows of the table: without and with allowing for unusual cameras, on the same flow."""
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        command = [sys.executable, "-m", "mvrecon", "run", str(source), "-o", str(run_dir), "-q"]
        for allowed in ("false", "true"):
            options = ["--until", "pose", "--pose.mapping.unusual_cameras", allowed]
            subprocess.run([*command, *options], check=True)
            artifact = Store(run_dir / "store").latest("pose")
            assert artifact is not None
            numbers = artifact.read_summary()["numbers"]
            yield ROW.format(
                clip=name,
                allowed=allowed,
                ate=evaluate_run(run_dir, truth).trajectory.ate_percent_of_path,
                cpu_s=artifact.manifest["recorded"]["cpu_s"],
                readout=numbers.get("readout_share_of_frame_time", "–"),
                **{"zoom": "–"} | numbers,
            )


if __name__ == "__main__":
    main()
