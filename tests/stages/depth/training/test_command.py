from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mvrecon.errors import UsageError
from mvrecon.synthetic.training.clips.files import (
    clip_paths,
    depths_path,
    load_clip,
    load_clip_depths,
)
from stages.clip_pipeline import flows_of_clip
from stages.depth.learned.model import load_network
from stages.depth.learned.network import DepthNet
from stages.depth.training.clip_starts import NAME
from stages.depth.training.command import train_depth
from stages.depth.training.options import TrainDepthOptions
from stages.depth.training.samples import DepthSample, clip_sample, mirrored
from stages.depth.training.supervision import depth_loss, predict


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainDepthOptions:
    folder = tmp_path_factory.mktemp("training")
    options = TrainDepthOptions(folder=folder, minutes=5, count=1, renderer="torch")
    settings = replace(options.settings, steps=2, batch=1)
    options = options.model_copy(update={"settings": settings})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mvrecon.synthetic.training.clips.torch_clips.SIZES_HW", ((64, 96),))
        assert list(train_depth(options, flows_of_clip)) == []
    return options


def sample_of(options: TrainDepthOptions) -> DepthSample:
    (path,) = clip_paths(options.folder / "clips")
    return clip_sample(load_clip(path), load_clip_depths(depths_path(path, NAME)), [3], [0, 1])


def test_training_writes_weights_and_goes_on_where_it_was(trained: TrainDepthOptions) -> None:
    before = load_network(trained.folder / "depthnet.pt")
    longer = trained.model_copy(update={"settings": replace(trained.settings, steps=3)})
    assert list(train_depth(longer, flows_of_clip)) == []
    after = load_network(trained.folder / "depthnet.pt")
    with (trained.folder / "losses.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs)


def test_the_loss_falls_towards_the_truth(trained: TrainDepthOptions) -> None:
    sample = sample_of(trained)
    torch.manual_seed(0)
    with torch.no_grad():
        output = predict(DepthNet(), sample)
        known = torch.isfinite(sample.truth_rhw)
        truth = torch.where(known, sample.truth_rhw, 0.0) - output.scale_b.log()[:, None, None]
        losses = [
            float(depth_loss(replace(output, log_b1hw=log[:, None]), truth, known, sample))
            for log in (truth, torch.lerp(truth, output.log_b1hw[:, 0], 0.5), output.log_b1hw[:, 0])
        ]
    assert losses == sorted(losses)
    assert losses[0] < losses[-1]


def test_a_mirrored_sample_has_mirrored_depth(trained: TrainDepthOptions) -> None:
    sample = sample_of(trained)
    torch.manual_seed(0)
    network = DepthNet().eval()
    with torch.no_grad():
        plain, other = (predict(network, one) for one in (sample, mirrored(sample)))
    # The first level is the start, before any convolution that is not symmetric has a say.
    difference = plain.levels[0] - other.levels[0].flip(-1)
    assert float(difference.abs().max()) < 1e-4
    np.testing.assert_allclose(mirrored(mirrored(sample)).truth_rhw, sample.truth_rhw)


def test_an_unknown_kind_of_scene_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="kind of scene"):
        list(train_depth(TrainDepthOptions(folder=tmp_path, without="moon"), flows_of_clip))
