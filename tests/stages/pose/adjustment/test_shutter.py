"""Where an unusual camera is looked for, and that it reaches what the stage gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvrecon.artifacts.frames import CameraPrior, FrameRecord, FrameTable
from mvrecon.artifacts.image_motion import motion_item
from mvrecon.engine.context import RunContext
from stages.pose.adjustment.shutter import find_shutter
from stages.pose.config import PoseConfig
from stages.pose.options import MappingOptions
from stages.pose.run import adjusted
from tests.stages.pose.adjustment.scene import FRAME_S, STEP, Shot, shoot
from tests.stages.pose.scene import pose_context

SHOT = shoot(readout_s=0.9 * FRAME_S)


def table_of(shot: Shot, kind: str = "sequence") -> FrameTable:
    count = STEP * len(shot.times_s)
    records = [
        FrameRecord(i, f"{i:06d}" * (i % STEP == 0), str(i), i * FRAME_S, 0, 1.0, "")
        for i in range(count)
    ]
    prior = CameraPrior(shot.model.cameras[1], "default")
    return FrameTable(kind, "made so", (prior,), tuple(records))


def context_of(
    folder: Path, shot: Shot, table: FrameTable, allowed: bool = True
) -> RunContext[PoseConfig]:
    config = PoseConfig(mapping=MappingOptions(unusual_cameras=allowed))
    images = [np.zeros((8, 8), np.uint8)] * len(table.key_frames)
    context = pose_context(folder, images, {}, table, config)
    for name, motion in shot.motions.items():
        path = context.inputs["frames"].path(motion_item(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        motion.save(path)
    return context


def test_the_shutter_of_a_sequence_is_found_in_what_the_frames_stage_left(tmp_path: Path) -> None:
    table = table_of(SHOT)
    found = find_shutter(context_of(tmp_path, SHOT, table), table, SHOT.model)
    assert found is not None
    assert found.readout_share == pytest.approx(0.9, abs=0.03)
    assert found.readout_s == pytest.approx(0.9 * FRAME_S, rel=0.03)
    assert 0.5 < found.gain < 1.0
    moved = [
        np.abs(own.xy_k2 - seen.xy_k2).max()
        for own, seen in zip(found.model.images, SHOT.model.images, strict=True)
    ]
    assert min(moved) > 0.5


@pytest.mark.parametrize("reason", ["photos", "refused", "several cameras"])
def test_it_is_not_looked_for(tmp_path: Path, reason: str) -> None:
    table = table_of(SHOT, "photos" if reason == "photos" else "sequence")
    context = context_of(tmp_path, SHOT, table, allowed=reason != "refused")
    model = SHOT.model
    if reason == "several cameras":
        images = (replace(model.images[0], camera_id=2), *model.images[1:])
        model = replace(model, images=images, cameras={1: model.cameras[1], 2: model.cameras[1]})
    assert find_shutter(context, table, model) is None


def test_points_are_not_found_again_as_by_an_ordinary_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_this(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("stages.pose.run.lengthen_tracks", not_this)
    table = table_of(SHOT)
    model, shutter = adjusted(context_of(tmp_path, SHOT, table), table, SHOT.model)
    assert shutter is not None
    assert model is shutter.model
