"""The pose stage: cameras of the key frames, sparse points, undistorted images."""

from __future__ import annotations

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.pose.config import PoseConfig


def run(context: StageContext[PoseConfig]) -> Summary:
    """Estimate the poses and write all that follows from them."""
    from stages.pose.run import run as run_stage

    return run_stage(context)


def check(config: PoseConfig) -> None:
    """Raise if the known poses cannot be read."""
    if config.known is not None:
        from mvrecon.datasets.given_poses import read_given_poses

        read_given_poses(config.known)


STAGE = Stage(
    name="pose",
    version=10,
    config=PoseConfig,
    needs=("frames", "flow"),
    run=run,
    reads_raw_input=True,
    check=check,
    publishes={
        "trajectory.txt": "trajectory.txt",
        "frames.csv": "frames.csv",
        "transforms.json": "transforms.json",
        "colmap": "colmap",
        "images": "images",
    },
)
