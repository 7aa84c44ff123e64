"""Spring (Mehl et al., "Spring: A High-Resolution High-Detail Dataset …", CVPR 2023)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mvrecon.datasets.flow_pairs import FlowDataSet, FlowSample, Parts, Truth, require_files
from mvrecon.formats.flow import read_flo5

# Truth has so many values to a pixel of the images, each way; they are in pixels of the images.
VALUES_PER_PX = 2
# Word of the folder, for people, frames from the first to the second image.
DIRECTIONS = (("FW", "future", 1), ("BW", "past", -1))


def _read(root: Path, split: str) -> Parts:
    for side in ("left", "right"):
        for word, direction, step in DIRECTIONS:
            pairs = [
                pair
                for scene in sorted((root / split).iterdir())
                if (scene / f"flow_{word}_{side}").is_dir()
                for pair in _pairs(scene, side, word, step)
            ]
            if pairs:
                yield f"Spring {side} {direction}", pairs


def _pairs(scene: Path, side: str, word: str, step: int) -> list[FlowSample]:
    images, flows = scene / f"frame_{side}", scene / f"flow_{word}_{side}"
    numbers = {int(path.stem[-4:]) for path in images.glob("frame_*.png")}
    for path in flows.glob("*.flo5"):
        numbers |= {int(path.stem[-4:]), int(path.stem[-4:]) + step}
    last = max(numbers, default=1) if step > 0 else min(numbers, default=1)
    pairs = []
    for number in sorted(numbers - {last}):
        first, second = (images / f"frame_{side}_{one:04d}.png" for one in (number, number + step))
        truth = flows / f"flow_{word}_{side}_{number:04d}.flo5"
        require_files([first, second, truth])
        pairs.append(
            FlowSample(
                f"{scene.name}-{number:04d}", first, second, partial(_truth, truth), (truth,)
            )
        )
    return pairs


def _truth(path: Path) -> Truth:
    """At every second value, as methods are trained and compared on it."""
    flow_hw2, valid_hw = read_flo5(path)
    every = slice(None, None, VALUES_PER_PX)
    return flow_hw2[every, every], valid_hw[every, every]


SPRING = FlowDataSet(
    name="spring",
    title="Spring",
    layout="ROOT/train/SSSS/frame_left/frame_left_NNNN.png and "
    "ROOT/train/SSSS/flow_FW_left/flow_FW_left_NNNN.flo5 (BW and right where they are there)",
    needs=(
        ("train/*/frame_left", "train/*/frame_right"),
        ("train/*/flow_FW_*", "train/*/flow_BW_*"),
    ),
    read=_read,
    splits=("train",),
)
