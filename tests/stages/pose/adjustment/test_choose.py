"""An ordinary camera stays one; a rolling shutter and a zoom are found, and their paths right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mvrecon.geometry.similarity import align_similarity
from stages.pose.adjustment.choose import Shutter, explain_errors
from tests.stages.pose.adjustment.scene import FRAME_S, Shot, shoot


def explain(shot: Shot, calibrated: bool = False) -> Shutter | None:
    return explain_errors(
        shot.model,
        shot.times_s,
        shot.motions,
        frame_s=FRAME_S,
        scale_px=0.2,
        calibrated=calibrated,
    )


def path_error(shot: Shot, found: Shutter) -> float:
    """Largest distance of a camera from the truth, as a share of the path."""
    truth, own = (
        np.array([-pose[:3, :3].T @ pose[:3, 3] for pose in poses])
        for poses in (shot.cam_from_world_n44, [i.cam_from_world for i in found.model.images])
    )
    moved = align_similarity(own, truth).apply(own)
    return float(np.linalg.norm(moved - truth, axis=1).max() / np.ptp(truth[:, 0]))


def test_an_ordinary_camera_is_left_alone() -> None:
    assert explain(shoot()) is None


@pytest.mark.parametrize("share", [0.9, 0.5, -0.6])
def test_a_rolling_shutter_is_found(share: float) -> None:
    shot = shoot(readout_s=share * FRAME_S)
    found = explain(shot)
    assert found is not None
    assert found.readout_s == pytest.approx(share * FRAME_S, rel=0.05)
    assert found.zoom == 1.0
    assert path_error(shot, found) < 0.002
    assert found.model.cameras[1].fx == pytest.approx(500.0, rel=0.005)
    assert found.model.error_px_n.mean() < 0.1


def test_a_zoom_gives_each_image_its_focal_length() -> None:
    shot = shoot(zoom=1.3)
    found = explain(shot)
    assert found is not None
    assert found.readout_s == 0.0
    assert found.zoom == pytest.approx(1.3, rel=0.01)
    focal_px = [found.model.cameras[image.camera_id].fx for image in found.model.images]
    assert focal_px == pytest.approx(500.0 * 1.3 ** (np.arange(12) / 11), rel=0.01)
    assert path_error(shot, found) < 0.004


def test_both_at_once() -> None:
    shot = shoot(readout_s=0.8 * FRAME_S, zoom=1.3)
    found = explain(shot)
    assert found is not None
    assert found.readout_s == pytest.approx(0.8 * FRAME_S, rel=0.1)
    assert found.zoom == pytest.approx(1.3, rel=0.02)


def test_known_intrinsics_stay() -> None:
    shot = shoot(readout_s=0.9 * FRAME_S)
    known = replace(shot.model.cameras[1], fx=500.0, fy=500.0)
    found = explain(replace(shot, model=replace(shot.model, cameras={1: known})), calibrated=True)
    assert found is not None
    assert found.readout_s == pytest.approx(0.9 * FRAME_S, rel=0.05)
    assert found.model.cameras == {1: known}


def test_without_neighbouring_frames_no_shutter_is_claimed() -> None:
    shot = shoot(readout_s=0.9 * FRAME_S)
    found = explain(replace(shot, motions={}))
    assert found is None or found.readout_s == 0.0


def test_too_few_frames_tell_nothing() -> None:
    assert explain(shoot(readout_s=FRAME_S, frames=4)) is None
