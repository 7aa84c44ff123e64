"""Several inputs of one scene become one model, each with a camera of its own."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from mvrecon.artifacts.frames import CameraPrior, FrameTable, InputPart
from mvrecon.artifacts.poses import POSES_ITEM, load_poses
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.similarity import align_similarity
from stages.frames.joining import join_tables
from stages.pose.config import PoseConfig
from stages.pose.matching.parts import across_pairs
from stages.pose.stage import run
from tests.stages.pose.scene import CAMERA, Relief, frame_table, pose_context, sideways_path

WIDE = Camera(240, 180, 165.0, 165.0, 119.5, 89.5)
EACH = 6


def two_clips(root, second_relief=None, config=None):
    """Two sequences that overlap in part, of cameras with different lenses."""
    poses = sideways_path(2 * EACH, 0.25)
    # The second walk is a little beside the first, and covers its second half.
    others = [pose.copy() for pose in poses[EACH // 2 : EACH // 2 + EACH]]
    for pose in others:
        pose[1, 3] += 0.15
    reliefs = Relief(), second_relief or Relief(camera=WIDE)
    walks = poses[:EACH], others
    images, flows, tables = [], {}, []
    for relief, walk in zip(reliefs, walks, strict=True):
        start = len(images)
        images += [relief.image(pose) for pose in walk]
        flows |= {(a + start, b + start): f for (a, b), f in relief.flows(walk).items()}
        prior = CameraPrior(replace(relief.camera, fx=200.0, fy=200.0), "default")
        table = frame_table(EACH, CAMERA, "default")
        tables.append(replace(table, frames=table.frames[:EACH], cameras=(prior,)))
    joined = join_tables(tables, ["a.mp4", "b.mov"], shared=False)
    return pose_context(root, images, flows, joined, config), [*walks[0], *walks[1]]


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    config = PoseConfig(bridges={"min_inliers": 15})
    context, truth = two_clips(tmp_path_factory.mktemp("two"), config=config)
    return context, truth, run(context)


def test_both_are_posed_in_one_model(solved) -> None:
    context, truth, summary = solved
    assert summary.numbers["models"] == 1
    frames = load_poses(context.out.path(POSES_ITEM))
    assert len(frames) == 2 * EACH
    found = np.stack([frame.world_from_cam[:3, 3] for frame in frames])
    centres = np.stack([pose[:3, 3] for pose in truth])
    error = align_similarity(found, centres).apply(found) - centres
    path = np.linalg.norm(np.diff(centres[:EACH], axis=0), axis=1).sum()
    assert np.sqrt((error**2).sum(axis=1).mean()) < 0.02 * path


def test_each_has_its_own_lens(solved) -> None:
    context, _, _ = solved
    focals = [frame.source_camera.fx for frame in load_poses(context.out.path(POSES_ITEM))]
    assert len(set(focals)) == 2
    assert focals[0] / focals[-1] == pytest.approx(CAMERA.fx / WIDE.fx, rel=0.03)


def test_the_rows_say_which_input_a_frame_is_from(solved) -> None:
    context, _, _ = solved
    with context.out.path("frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["source"] == "a.mp4/0.jpg"
    assert rows[EACH]["source"] == "b.mov/0.jpg"
    times = [float(row["timestamp_s"]) for row in rows]
    assert times == sorted(set(times))


def test_what_nothing_joins_is_told(tmp_path) -> None:
    context, _ = two_clips(tmp_path, second_relief=Relief(camera=WIDE, seed=7))
    summary = run(context)
    assert summary.numbers["posed_frames"] == EACH
    text = context.out.path("frames.csv").read_text()
    assert "nothing in b.mov looks like the rest" in text or "in a.mp4 looks" in text
    assert any("could not be posed" in warning for warning in summary.warnings)


def test_look_alikes_are_sought_in_other_inputs_only() -> None:
    rng = np.random.default_rng(0)
    places = rng.standard_normal((5, 16))
    descriptors = np.concatenate([places, places[::-1]]).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    pairs = across_pairs(descriptors, [range(5), range(5, 10)])
    assert {(row, 9 - row) for row in range(5)} <= set(pairs)
    assert all(first < 5 <= second for first, second in pairs)


def test_a_table_of_several_inputs_is_read_back(tmp_path) -> None:
    one = frame_table(3, CAMERA, "exif")
    joined = join_tables([one, one], ["a.mp4", "b.mov"], shared=False)
    assert len(joined.cameras) == 1
    assert len(join_tables([frame_table(3, CAMERA, "default")] * 2, ["a", "b"], True).cameras) == 1
    path = tmp_path / "frames.json"
    path.write_text(joined.to_json())
    again = FrameTable.load(path)
    assert again == joined
    assert again.parts[1] == InputPart("b.mov", "sequence", "made so", number=1)
    assert [len(part.key_frames) for part in again.by_part()] == [3, 3]
    path.write_text(one.to_json())
    assert "part" not in json.loads(path.read_text())["frames"][0]
    assert FrameTable.load(path).by_part() == [one]
