"""Render the sample clip and its ground truth (about four minutes on two cores).

Usage: python -m sample_data.render [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np

from mvrecon.synthetic.clip import Sensor, render_frames, write_ground_truth, write_video
from mvrecon.synthetic.render import View
from sample_data.desk import DESK_CAMERA, DESK_PATH, desk_scene

FPS = 30
FRAMES = 81
PATH_SEED = 3
CRF = 18
DEPTH_EVERY = 20


def main(folder: Path) -> None:
    """Write `clip.mp4` and `ground_truth/` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = desk_scene()
    times_s = np.arange(FRAMES) / FPS
    views = [View(DESK_CAMERA, pose) for pose in DESK_PATH.poses(times_s, PATH_SEED)]
    video = folder / "clip.mp4"
    write_ground_truth(
        folder / "ground_truth", scene, views, times_s, depth_every=DEPTH_EVERY, video=video
    )
    images = render_frames(scene, views, Sensor(exposure=1.5))
    write_video(video, images, (DESK_CAMERA.width, DESK_CAMERA.height), FPS, CRF)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
