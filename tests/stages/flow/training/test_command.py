from __future__ import annotations

import csv
import multiprocessing
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from mvrecon.atomic import TEMPORARY_PREFIX
from mvrecon.errors import NotEnoughDataError, UsageError
from mvrecon.learning.settings import TrainingSettings
from mvrecon.learning.training import CHECKPOINT, LOSSES, Trainer, train
from mvrecon.synthetic.training.batch import Draws, FlowPairs
from mvrecon.synthetic.training.clips.scenes import KINDS
from mvrecon.synthetic.training.pairs.mixture import scene_pairs
from mvrecon.synthetic.training.textures import procedural_textures
from stages.flow.models.mvflow.network import STRIDE, Mvflow
from stages.flow.training import supervision
from stages.flow.training.adaptation import ClipPairs, unsupervised
from stages.flow.training.command import train_flow
from stages.flow.training.options import STRIDE_PX, TrainFlowOptions
from stages.flow.training.supervision import SyntheticPairs
from stages.flow.training.validation import validate, validation_clips, validation_pairs
from tests.stages.flow.scenes import texture
from tests.stages.flow.training.toy import (
    CPU,
    NETWORK,
    new_data,
    new_trainer,
    nothing,
    train_in_a_process,
)


@pytest.fixture(scope="module")
def data() -> SyntheticPairs:
    return new_data()


def test_steps_on_one_batch_reduce_the_loss(data: SyntheticPairs):
    trainer, sample = new_trainer(), data[1]
    losses = [trainer.train_step(sample)["loss"] for _ in range(15)]
    assert losses[-1] < 0.8 * losses[0]


def test_the_first_steps_train_matching_alone(data: SyntheticPairs):
    trainer, sample = new_trainer(), data[0]
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    losses = [trainer.train_step(sample)["loss"] for _ in range(10)]
    assert losses[-1] < 0.9 * losses[0]
    changed = {
        name.split(".")[0]
        for name, value in trainer.model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"encoder", "log_sharpness"}


def test_a_killed_run_continues_to_the_same_state(data: SyntheticPairs, tmp_path: Path):
    process = multiprocessing.get_context("spawn").Process(
        target=train_in_a_process, args=(tmp_path, torch.get_num_threads())
    )
    process.start()
    while process.is_alive() and not (tmp_path / CHECKPOINT).is_file():
        time.sleep(0.02)
    process.kill()
    process.join()
    resumed, whole = new_trainer(), new_trainer()
    resumed.load(tmp_path / CHECKPOINT)
    assert resumed.step >= 2
    for step in range(resumed.step + 2):
        whole.train_step(data[step])
    while resumed.step < whole.step:
        resumed.train_step(data[resumed.step])
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)
        assert torch.equal(resumed.averaged[name], whole.averaged[name])


def test_a_piece_of_training_leaves_its_records(data: SyntheticPairs, tmp_path: Path):
    pairs = validation_pairs(data.textures_nhw3, 2, (64, 96))

    def check(network: Mvflow) -> dict[str, float]:
        return validate(network, pairs, tmp_path / "validation.png")

    rows = train(new_trainer(), data, tmp_path, 10.0, check)
    first = next(rows)
    rows.close()
    assert first["step"] == 3
    assert first["validation_start_epe_px"] > 0.0
    assert first["validation_kept_epe_px"] > 0.0
    with (tmp_path / LOSSES).open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    picture = cv2.imread(str(tmp_path / "validation.png"))
    assert picture.shape == (2 * 64, 5 * 96, 3)
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == 2


def test_validation_has_kinds_of_scene_that_training_never_has(tmp_path: Path):
    pairs = validation_clips(procedural_textures(8), 4, (64, 96))
    assert len(pairs.start_b2hw) == 4
    torch.manual_seed(1)
    numbers = validate(Mvflow(NETWORK), pairs, tmp_path / "validation.png")
    of_kinds = [numbers[f"validation_start_{kind}_epe_px"] for kind in KINDS]
    assert min(of_kinds) > 0.0
    assert np.mean(of_kinds) == pytest.approx(numbers["validation_start_epe_px"], rel=1e-4)
    assert 0.0 < numbers["validation_far_share"] <= 1.0


def test_a_half_written_checkpoint_is_not_read(data: SyntheticPairs, tmp_path: Path):
    trainer = new_trainer()
    trainer.train_step(data[0])
    trainer.save(tmp_path / CHECKPOINT)
    (tmp_path / f"{TEMPORARY_PREFIX}{CHECKPOINT}").write_bytes(b"broken off")
    rows = train(new_trainer(), data, tmp_path, 0.0, nothing)
    assert list(rows) == []
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == 2


def test_adaptation_lowers_the_energy_of_a_clip():
    whole = texture(110, 150, 3)
    frames = [np.ascontiguousarray(whole[i : i + 80, 2 * i : 2 * i + 112]) for i in range(4)]
    settings = TrainingSettings(batch=1, size_hw=(64, 64), learning_rate=3e-3, warmup_steps=1)
    sample = ClipPairs(frames, settings)[0]
    spoilt = type(sample)(
        sample.first_b3hw,
        sample.second_b3hw,
        sample.forward_b2hw + 1.0,
        sample.backward_b2hw - 1.0,
    )
    torch.manual_seed(1)
    trainer = Trainer(Mvflow(NETWORK), settings, unsupervised, CPU)
    losses = [trainer.train_step(spoilt)["loss"] for _ in range(15)]
    assert losses[-1] < 0.95 * losses[0]


def test_adaptation_needs_frames_that_hold_a_crop():
    settings = TrainingSettings(batch=1, size_hw=(64, 96))
    with pytest.raises(NotEnoughDataError, match="fewer than two"):
        ClipPairs([texture(80, 112, 1)], settings)
    with pytest.raises(NotEnoughDataError, match="smaller than"):
        ClipPairs([texture(40, 112, 1)] * 2, settings)


def test_sizes_batches_and_steps_are_chosen_and_checked(tmp_path: Path):
    options = TrainFlowOptions(folder=tmp_path, size_hw=(192, 256), batch=3, steps=100)
    settings = options.settings
    assert (settings.size_hw, settings.batch, settings.steps) == ((192, 256), 3, 100)
    assert settings.decay_steps == 40
    assert STRIDE_PX == STRIDE
    for wrong in ({"size_hw": (100, 256)}, {"batch": 0}, {"steps": -1}, {"stepz": 3}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            TrainFlowOptions(folder=tmp_path, **wrong)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_an_error(tmp_path: Path):
    with pytest.raises(UsageError, match="no CUDA"):
        next(train_flow(TrainFlowOptions(folder=tmp_path, device="cuda")))


def test_single_pairs_come_from_both_kinds_of_scene(monkeypatch: pytest.MonkeyPatch):
    asked = []

    def note(
        textures: Tensor, draws: Draws, size: tuple[int, int], layered: int, rigid: int
    ) -> FlowPairs:
        asked.append((layered, rigid))
        return scene_pairs(textures, draws, size, 1, 0)

    monkeypatch.setattr(supervision, "scene_pairs", note)
    settings = TrainingSettings(batch=1, size_hw=(64, 96))
    pairs = SyntheticPairs(procedural_textures(2), settings, feature_steps=100)
    for step in range(4):
        pairs[step]
    assert asked == [(1, 0), (0, 1), (1, 0), (0, 1)]
