from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mvrecon.errors import InputError, NotEnoughDataError
from mvrecon.synthetic.training.clips.files import clip_path, clip_paths, held_out
from stages.clip_pipeline import depths_by_stage
from stages.depth.config import DepthConfig
from stages.fusion.recurrent.model import fuse_in_turn, load_network
from stages.fusion.recurrent.network import FusionNetwork, FusionOutput
from stages.fusion.recurrent.step import prepare
from stages.fusion.training.command import (
    objective,
    train_fusion,
)
from stages.fusion.training.data import (
    ClipSequences,
    median_error,
    read_frames,
    truth_of,
)
from stages.fusion.training.losses import normals, single_loss, temporal_loss
from stages.fusion.training.options import FUSION as DEFAULT
from stages.fusion.training.options import TrainFusionOptions
from tests.stages.fusion.clips import write_clips

DEPTHS = depths_by_stage(DepthConfig(model="sweep"))
SETTINGS = replace(DEFAULT, batch=1, size_hw=(96, 128), steps=3, validate_every=2, save_every=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder, 10)
    return folder


@pytest.fixture(scope="module")
def frames(folder: Path):
    return read_frames(clip_path(folder, 0), DEPTHS, folder / "cues")


def perfect_output(frame, view) -> tuple[FusionOutput, object]:
    truth = truth_of(frame, view)
    log = truth.log_inverse_bhw
    return FusionOutput(
        log, log[:, 2::4, 2::4], torch.zeros(1, 2, *log.shape[1:]), torch.zeros(1)
    ), truth


def test_the_truth_is_the_minimum_of_the_losses(frames) -> None:
    view = prepare(frames[0].imaged, frames[0].cues)
    output, truth = perfect_output(frames[0], view)
    best, error = single_loss(output, truth)
    assert float(error.abs().max()) == 0
    for change in (0.05, -0.05):
        worse, _ = single_loss(
            output._replace(log_inverse_bhw=output.log_inverse_bhw + change), truth
        )
        assert float(worse) > float(best) + 0.03


def test_a_static_point_that_keeps_its_error_costs_nothing(frames) -> None:
    truths = [truth_of(frame, prepare(frame.imaged, frame.cues)) for frame in frames[:2]]
    steady = [torch.full_like(truth.log_inverse_bhw, 0.1) for truth in truths]
    assert float(temporal_loss(steady[1], truths[1], steady[0], truths[0])) < 1e-6
    assert float(temporal_loss(0 * steady[1], truths[1], steady[0], truths[0])) > 0.03


def test_a_plane_has_one_normal() -> None:
    k_33 = torch.tensor([[60.0, 0, 19.5], [0, 70.0, 14.5], [0, 0, 1]]).double()
    v, u = torch.meshgrid(torch.arange(30.0), torch.arange(40.0), indexing="ij")
    normal = torch.tensor([0.3, -0.2, 0.9]) / np.linalg.norm([0.3, -0.2, 0.9])
    inverse = normal[0] * (u - 19.5) / 60 + normal[1] * (v - 14.5) / 70 + normal[2]
    found = normals(inverse.log()[None], k_33[None])
    torch.testing.assert_close(
        found, normal[None, :, None, None].expand_as(found), atol=1e-3, rtol=0
    )


def test_mirrored_and_cut_frames_stay_consistent(frames) -> None:
    """A point's place in the world, mirrored, is the place of its mirrored pixel."""
    frame = frames[1].cropped(16, 32, (96, 112)).mirrored()
    depth, original = frame.imaged.depth, frames[1].imaged.depth
    v, u = 20, 30
    before_u, before_v = 32 + (112 - 1 - u), 16 + v
    assert depth.depth_hw[v, u] == original.depth_hw[before_v, before_u]
    points = [
        one.world_from_cam @ np.append(np.linalg.inv(one.k_33) @ [x, y, 1] * one.depth_hw[y, x], 1)
        for one, x, y in ((depth, u, v), (original, before_u, before_v))
    ]
    np.testing.assert_allclose(points[0], points[1] * [-1, 1, 1, 1], rtol=1e-6)
    assert prepare(frame.imaged, frame.cues) is not None


def test_the_same_step_has_the_same_sample(folder: Path) -> None:
    used, unseen = held_out(clip_paths(folder))
    assert [path.stem for path in unseen] == ["000009"] and len(used) == 9
    first, again = (ClipSequences(used, DEPTHS, folder / "cues", SETTINGS, 3)[5] for _ in range(2))
    assert len(first.views) == 3
    assert first.views[2][0].image.shape[-2:] == SETTINGS.size_hw
    torch.testing.assert_close(first.views[2][0].evidence, again.views[2][0].evidence)


def test_training_improves_on_what_it_is_given(folder: Path) -> None:
    """A few steps on one sample: less error than the consensus."""
    torch.manual_seed(0)
    settings = replace(SETTINGS, size_hw=(64, 96))
    sample = ClipSequences(held_out(clip_paths(folder))[0], DEPTHS, folder / "cues", settings, 2)[0]
    network = FusionNetwork()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(15):
        optimizer.zero_grad()
        loss, numbers = objective(network, sample)
        loss.backward()
        optimizer.step()
    assert numbers["error"] < 0.95 * numbers["consensus_error"]


def test_it_trains_resumes_and_exports(folder: Path, tmp_path: Path) -> None:
    options = TrainFusionOptions(folder=tmp_path, clips=folder, minutes=5, settings=SETTINGS)
    shorter = options.model_copy(update={"settings": replace(SETTINGS, steps=2)})
    figures = list(train_fusion(shorter, DEPTHS))
    assert figures[0]["abs_rel_forward"] > 0 and figures[0]["flicker_input"] > 0
    list(train_fusion(options, DEPTHS))
    with (tmp_path / "losses.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    assert (tmp_path / "validation.png").stat().st_size > 0
    network = load_network(tmp_path / "fusion.pt")
    clip = read_frames(clip_path(folder, 9), DEPTHS, tmp_path / "cues-sweep")
    assert median_error(clip) < 0.06
    views = [prepare(frame.imaged, frame.cues) for frame in clip]
    assert len(list(fuse_in_turn(network, views))) == len(clip)


def test_too_few_clips_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clip"):
        list(train_fusion(TrainFusionOptions(folder=tmp_path / "out", clips=tmp_path), DEPTHS))
    write_clips(tmp_path, 1)
    with pytest.raises(NotEnoughDataError, match="to validate"):
        list(train_fusion(TrainFusionOptions(folder=tmp_path / "out", clips=tmp_path), DEPTHS))
