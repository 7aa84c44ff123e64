from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.artifacts.frames import image_item
from mvrecon.errors import InputError, NotEnoughDataError, UsageError
from mvrecon.learning.weights import export_weights
from mvrecon.synthetic.training.clips.files import clip_path
from stages.clip_pipeline import depths_by_stage
from stages.depth.config import DepthConfig
from stages.fusion.completion import model as completion
from stages.fusion.completion.model import (
    MEASURED,
    Incomplete,
    LearnedFill,
    completed_depth,
    inpainting_fill,
    load_fill,
    load_network,
)
from stages.fusion.completion.network import (
    CompletionNetwork,
    CompletionSettings,
    Gaussian,
    divergence,
)
from stages.fusion.config import CompletionOptions
from stages.fusion.recurrent.network import FusionNetwork
from stages.fusion.training.completion.command import (
    objective,
    train_completion,
)
from stages.fusion.training.completion.data import (
    HoleSamples,
    MeasuredView,
    blobs,
    clip_views,
    hide,
)
from stages.fusion.training.completion.validation import (
    nearest_fill,
    plane_fill,
    smooth_fill,
)
from stages.fusion.training.options import COMPLETION as DEFAULT
from stages.fusion.training.options import TrainCompletionOptions
from tests.stages.fusion.clips import write_clips
from tests.stages.fusion.pipeline import MASKED, fuse

DEPTHS = depths_by_stage(DepthConfig())
SMALL = CompletionSettings(widths=(16, 16, 16, 16), latent=2)
SETTINGS = replace(DEFAULT, batch=2, size_hw=(96, 128), steps=3, validate_every=2, save_every=1)


def tilted_plane(hole: tuple[slice, slice]) -> tuple[np.ndarray, Incomplete]:
    """A plane with a hole, behind an image without any texture."""
    v_hw, u_hw = np.mgrid[0:64, 0:96]
    depth_hw = (1 / (0.2 + 0.001 * u_hw + 0.002 * v_hw)).astype(np.float32)
    measured_hw = np.ones(depth_hw.shape, bool)
    measured_hw[hole] = False
    gray_hw3 = np.full((64, 96, 3), 128, np.uint8)
    spoilt_hw = np.where(measured_hw, depth_hw, np.float32(99))
    return depth_hw, Incomplete(gray_hw3, spoilt_hw, measured_hw, ~measured_hw)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder, 10)
    return folder


@pytest.mark.parametrize("model", ["none", "geometric", "forward"])
def test_what_was_guessed_is_kept_apart(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measured depth is the same with and without, and what is trusted is not guessed."""
    weights = tmp_path / "fusion.pt"
    network = FusionNetwork()
    export_weights(network, network.settings, weights)
    plain = fuse(tmp_path, weights, model=model, frames=3)
    maps = [DepthMap.load(plain.path(name)) for name in plain.names("depth/")]
    threshold = float(np.median(np.concatenate([one.confidence_hw.ravel() for one in maps])))
    monkeypatch.setattr(completion, "MEASURED", threshold)
    completed = fuse(tmp_path, weights, model=model, frames=3, completion="inpainting")
    unmasked_hw = np.ones(maps[0].depth_hw.shape, bool)
    unmasked_hw[MASKED] = False
    for name, before in zip(plain.names("depth/"), maps, strict=True):
        after = DepthMap.load(completed.path(name))
        assert before.completed_hw is None
        assert np.array_equal(before.depth_hw[unmasked_hw], after.depth_hw[unmasked_hw])
        assert np.array_equal(before.confidence_hw[unmasked_hw], after.confidence_hw[unmasked_hw])
        guessed_hw = after.completed_hw > 0
        assert not guessed_hw[after.confidence_hw > threshold + 1e-3].any()
        assert guessed_hw[after.confidence_hw < threshold - 1e-3].all()
        assert guessed_hw[MASKED][2:-2, 2:-2].all()
        assert not guessed_hw.all()


def test_a_plane_is_completed_exactly_by_a_plane() -> None:
    depth_hw, view = tilted_plane(np.s_[20:40, 30:60])
    assert np.abs(plane_fill(view) / depth_hw - 1).max() < 1e-3
    for fill in (nearest_fill, smooth_fill, inpainting_fill):
        error_hw = np.abs(completed_depth(view, fill) / depth_hw - 1)[~view.measured_hw]
        assert 1e-3 < error_hw.max() < 0.25


def test_nothing_is_guessed_where_it_was_measured_or_nothing_was() -> None:
    _, view = tilted_plane(np.s_[20:40, 30:60])
    filled_hw = completed_depth(view, smooth_fill)
    assert np.array_equal(filled_hw > 0, ~view.measured_hw)
    nothing = replace(view, measured_hw=np.zeros_like(view.measured_hw))
    assert not completed_depth(nothing, smooth_fill).any()


def test_low_confidence_and_moving_things_are_to_be_completed() -> None:
    depth_hw = np.full((8, 8), 2.0, np.float32)
    confidence_hw = np.full((8, 8), MEASURED + 0.01, np.float32)
    confidence_hw[0], depth_hw[1] = MEASURED - 0.01, 0
    moving_hw = np.zeros((8, 8), bool)
    moving_hw[2] = True
    depth = DepthMap(depth_hw, confidence_hw, np.eye(3), np.eye(4))
    view = Incomplete.of(np.zeros((8, 8, 3), np.uint8), depth, moving_hw)
    assert not view.measured_hw[:3].any()
    assert view.measured_hw[3:].all()
    assert np.array_equal(view.hidden_hw, moving_hw)


def test_units_and_hidden_depth_do_not_matter_to_the_prior() -> None:
    torch.manual_seed(0)
    fill = LearnedFill(CompletionNetwork(SMALL).eval())
    _, view = tilted_plane(np.s_[20:40, 30:60])
    filled_hw = fill(view)
    hidden_hw = np.where(view.measured_hw, view.depth_hw, np.float32(0.1))
    assert np.allclose(fill(replace(view, depth_hw=hidden_hw)), filled_hw)
    scaled_hw = fill(replace(view, depth_hw=100 * view.depth_hw))
    assert np.abs(scaled_hw / (100 * filled_hw) - 1).max() < 1e-4


def test_the_divergence_is_that_of_normal_distributions() -> None:
    one = Gaussian(torch.zeros(1, 2, 1, 1), torch.zeros(1, 2, 1, 1))
    assert float(divergence(one, one)) == 0
    moved = one._replace(mean=torch.ones(1, 2, 1, 1))
    assert float(divergence(moved, one)) == pytest.approx(1.0)
    wide = one._replace(log_deviation=torch.full((1, 2, 1, 1), np.log(2.0)))
    assert float(divergence(wide, one)) == pytest.approx(3 - 2 * np.log(2), rel=1e-5)


def test_the_prior_learns_what_inpainting_cannot_know(folder: Path) -> None:
    """Something in front of a wall, hidden in the depth but seen in the image."""
    groups = [clip_views(clip_path(folder, 0), DEPTHS, folder / "cues")]
    sample = HoleSamples(groups, SETTINGS)[0]
    torch.manual_seed(0)
    prior = CompletionNetwork(SMALL)
    optimizer = torch.optim.Adam(prior.parameters(), 4e-3)
    for _ in range(25):
        optimizer.zero_grad()
        loss, numbers = objective(prior, sample)
        torch.autograd.backward(loss)
        optimizer.step()
    assert numbers["error"] < 0.8 * numbers["plain_error"]


def test_the_same_step_has_the_same_sample(folder: Path) -> None:
    groups = [clip_views(clip_path(folder, index), DEPTHS, folder / "cues") for index in (0, 1)]
    first, second = (HoleSamples(groups, SETTINGS) for _ in range(2))
    second[4]
    one, other = first[5], second[5]
    assert all(torch.equal(a, b) for a, b in zip(one.given, other.given, strict=True))
    assert torch.equal(one.whole_b1hw, other.whole_b1hw)
    assert not torch.equal(one.whole_b1hw, first[6].whole_b1hw)


def test_it_trains_on_clips_resumes_and_exports(folder: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=2)
    options = TrainCompletionOptions(folder=tmp_path, clips=folder, settings=settings)
    assert len(list(train_completion(options, DEPTHS))) == 1
    longer = options.model_copy(update={"settings": replace(SETTINGS, steps=4)})
    resumed = list(train_completion(longer, DEPTHS))
    assert [row["step"] for row in resumed] == [4]
    assert {"abs_rel_smooth", "abs_rel_plane", "abs_rel_prior"} <= set(resumed[0])
    assert (tmp_path / "validation.png").stat().st_size > 1000
    load_network(tmp_path / "completion.pt")


def test_it_trains_on_the_depth_of_a_run(tmp_path: Path) -> None:
    """No truth is needed: a run's own depth is hidden and told again."""
    run_dir = tmp_path / "run"
    random = np.random.default_rng(0)
    for row in range(20):
        image, depth = run_dir / image_item(f"{row:06d}"), run_dir / depth_item(f"{row:06d}")
        for path in (image, depth):
            path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(image), random.integers(0, 255, (192, 256, 3), np.uint8))
        depth_hw = np.linspace(1, 2, 96 * 128, dtype=np.float32).reshape(96, 128)
        DepthMap(depth_hw, np.ones_like(depth_hw), np.eye(3), np.eye(4)).save(depth)
    options = TrainCompletionOptions(folder=tmp_path / "out", runs=(run_dir,), settings=SETTINGS)
    (row,) = train_completion(options, DEPTHS)
    assert row["abs_rel_measured"] == 0
    assert 0 < row["abs_rel_prior"] < 1


def test_users_errors_are_told(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "bad.pt").write_bytes(b"none")
    with pytest.raises(UsageError, match=r"bad\.pt"):
        load_network(tmp_path / "bad.pt")
    with pytest.raises(InputError, match="no depth"):
        list(train_completion(TrainCompletionOptions(folder=tmp_path, runs=(tmp_path,)), DEPTHS))
    with pytest.raises(NotEnoughDataError):
        list(train_completion(TrainCompletionOptions(folder=tmp_path), DEPTHS))


def test_the_shipped_weights_complete_what_the_image_shows() -> None:
    """A near disc on a far wall, half of the disc's depth hidden."""
    v_hw, u_hw = np.mgrid[0:128, 0:160]
    disc_hw = (u_hw - 80) ** 2 + (v_hw - 64) ** 2 < 40**2
    depth_hw = np.where(disc_hw, 2.0, 3.0).astype(np.float32)
    noise_hw3 = np.random.default_rng(0).integers(0, 40, (128, 160, 3))
    rgb_hw3 = (np.where(disc_hw, 180, 40)[..., None] + noise_hw3).astype(np.uint8)
    measured_hw = ~((u_hw > 80) & (u_hw < 130) & (np.abs(v_hw - 64) < 30))
    view = Incomplete(rgb_hw3, depth_hw, measured_hw, np.zeros_like(measured_hw))
    fill = load_fill(CompletionOptions(method="prior"))
    errors = [
        np.abs(one(view) / depth_hw - 1)[~measured_hw].mean() for one in (fill, inpainting_fill)
    ]
    assert errors[0] < 0.15
    assert errors[0] < errors[1]


def test_the_weights_survive_the_disk(tmp_path: Path) -> None:
    prior = CompletionNetwork(SMALL).eval()
    export_weights(prior, prior.settings, tmp_path / "prior.pt")
    _, view = tilted_plane(np.s_[20:40, 30:60])
    loaded_hw = LearnedFill(load_network(tmp_path / "prior.pt"))(view)
    assert np.abs(loaded_hw / LearnedFill(prior)(view) - 1).max() < 1e-2


def test_blobs_cover_what_they_are_told() -> None:
    hole_hw = blobs((96, 128), 0.2, np.random.default_rng(0))
    assert 0.2 <= hole_hw.mean() < 0.4
    ones_hw = np.ones(hole_hw.shape, np.float32)
    view = MeasuredView(np.zeros((96, 128, 3), np.uint8), ones_hw, ones_hw, ones_hw)
    assert np.array_equal(hide(view, hole_hw, image_too=True).measured_hw, ~hole_hw)
