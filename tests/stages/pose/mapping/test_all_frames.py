"""The frames between key frames of a whole video."""

from dataclasses import replace

import numpy as np

from mvrecon.artifacts.poses import POSES_ITEM, load_poses
from mvrecon.formats.trajectory import read_trajectory
from stages.pose.config import PoseConfig
from stages.pose.mapping.all_frames import pose_other_frames
from stages.pose.stage import run
from tests.media import write_video
from tests.stages.pose.scene import CAMERA, Relief, frame_table, pose_context, sideways_path
from tests.stages.pose.world.test_canonical import relief_model


def test_the_stage_poses_every_frame_of_a_video(tmp_path):
    relief = Relief()
    poses = sideways_path(15, 0.1)
    images = [relief.image(pose) for pose in poses]
    colour = [np.repeat(image[..., None], 3, axis=2) for image in images]
    video = write_video(tmp_path / "clip.mp4", colour, crf=5)
    keys = range(0, 15, 2)
    table = frame_table(15, CAMERA, "given")
    frames = [
        replace(
            frame, source=str(row), **({} if row in keys else {"name": "", "reason": "redundant"})
        )
        for row, frame in enumerate(table.frames[:15])
    ]
    context = pose_context(
        tmp_path,
        images[::2],
        relief.flows(poses[::2]),
        replace(table, frames=tuple(frames)),
        PoseConfig(all_frames=True),
    )
    context.raw_input = video
    numbers = run(context).numbers
    assert (numbers["other_frames"], numbers["posed_other_frames"]) == (7, 7)
    trajectory = read_trajectory(context.out.path("trajectory.txt"))
    np.testing.assert_allclose(trajectory.timestamp_s_n, np.arange(15) * 0.1, atol=1e-6)
    key_frames = load_poses(context.out.path(POSES_ITEM))
    steps = np.linalg.norm(np.diff(trajectory.world_from_cam_n44[:, :3, 3], axis=0), axis=1)
    true_steps = np.linalg.norm(np.diff(np.stack(poses)[:, :3, 3], axis=0), axis=1)
    scale = steps.sum() / true_steps.sum()
    assert len(key_frames) == 8
    np.testing.assert_allclose(steps / scale, true_steps, atol=0.25 * true_steps.mean())


def test_photos_and_unreadable_frames_have_nothing_in_between(tmp_path):
    context = pose_context(tmp_path, [], {}, frame_table(0, CAMERA, "given"))
    photos = frame_table(5, CAMERA, "given", kind="photos")
    assert pose_other_frames(context, photos, relief_model()) == {}
    sequence = frame_table(5, CAMERA, "given")
    broken = replace(sequence.frames[-1], reason="unreadable: cut short")
    sequence = replace(sequence, frames=(*sequence.frames[:-1], broken))
    assert pose_other_frames(context, sequence, relief_model()) == {}
