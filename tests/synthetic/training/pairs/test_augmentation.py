from __future__ import annotations

from pathlib import Path

import cv2
import kornia
import numpy as np
import pytest
import torch

from mvrecon.errors import InputError
from mvrecon.synthetic.training.batch import Draws
from mvrecon.synthetic.training.pairs import augmentation
from mvrecon.synthetic.training.pairs.augmentation import augment
from mvrecon.synthetic.training.pairs.mixture import scene_pairs
from mvrecon.synthetic.training.textures import load_textures, procedural_textures, split_textures

CPU = torch.device("cpu")


def test_blur_is_the_gaussian_of_kornia(monkeypatch):
    """Every image blurred, each by a width of its own, which is drawn before."""
    images = torch.rand(3, 2, 3, 40, 48, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(Draws, "coin", lambda self, share, count: torch.ones(count).bool())
    blurred = augmentation._blur(images, Draws(4, 0, CPU))
    draws = Draws(4, 0, CPU)
    sigma_b2 = draws.log_uniform(0.4, 1.6, 3, 1) * draws.log_uniform(0.7, 1.4, 3, 2)
    sigma_n2 = sigma_b2.flatten()[:, None].expand(-1, 2)
    expected = kornia.filters.gaussian_blur2d(images.flatten(0, 1), (9, 9), sigma_n2, "reflect")
    torch.testing.assert_close(blurred.flatten(0, 1), expected)
    assert (blurred - images).abs().max() > 0.1


def test_colours_change_apart_and_motion_stays():
    pairs = scene_pairs(procedural_textures(4), Draws(1, 0, CPU), (64, 96), 4, 4)
    both = augment(pairs, Draws(1, 1, CPU))
    batch, changed = pairs.forward, both.forward
    assert torch.equal(changed.flow_b2hw, batch.flow_b2hw)
    assert torch.equal(both.backward.flow_b2hw, pairs.backward.flow_b2hw)
    assert torch.equal(both.backward.first_b3hw, changed.second_b3hw)
    assert changed.first_b3hw.min() >= 0.0
    assert changed.first_b3hw.max() <= 1.0
    before = batch.first_b3hw.mean((1, 2, 3)) - batch.second_b3hw.mean((1, 2, 3))
    after = changed.first_b3hw.mean((1, 2, 3)) - changed.second_b3hw.mean((1, 2, 3))
    assert (after - before).abs().max() > 0.01


def test_textures_are_the_images_of_a_folder(tmp_path: Path):
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 2] = 255
    cv2.imwrite(str(tmp_path / "red.png"), red)
    textures = load_textures(tmp_path)
    assert textures.shape[0] == 1
    assert textures[0].float().mean((0, 1)).tolist() == [255.0, 0.0, 0.0]


def test_a_folder_without_images_is_an_error(tmp_path: Path):
    with pytest.raises(InputError, match="no readable image"):
        load_textures(tmp_path)


def test_procedural_textures_have_contrast_and_differ():
    textures = procedural_textures(3).float()
    assert textures.std((1, 2, 3)).min() > 5.0
    assert not torch.equal(textures[0], textures[1])


def test_every_eighth_texture_is_held_out_from_training():
    numbered = torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1)
    training, held_out = split_textures(numbered)
    assert held_out.flatten().tolist() == [0, 8, 16]
    assert sorted(torch.cat([training, held_out]).flatten().tolist()) == list(range(20))
    few = numbered[:3]
    assert all(torch.equal(part, few) for part in split_textures(few))
