"""`mvrecon train slices`: it learns, goes on where it was, and its volumes are what they say."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvrecon.synthetic.training.volumes import SOLIDS, averaging, scene, thick_volume
from stages.volume.denoise.slices.model import load_network
from stages.volume.training.command import WEIGHTS, train_slices
from stages.volume.training.options import SETTINGS, TrainSlicesOptions

SHORT = replace(SETTINGS, steps=4, batch=1, size_hw=(12, 12), validate_every=2, save_every=2)


def test_it_learns_and_goes_on(tmp_path: Path) -> None:
    options = TrainSlicesOptions(folder=tmp_path, settings=SHORT)
    figures = list(train_slices(options.model_copy(update={"minutes": 0.0})))
    load_network(tmp_path / WEIGHTS)
    figures += list(train_slices(options))
    assert [row["step"] for row in figures] == [2, 4]
    assert {"linear_5", "learned_5"} <= set(figures[0])
    with (tmp_path / "losses.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("thickness", [0.7, 1.0, 1.3])
def test_thick_slices_are_means(thickness: float) -> None:
    weights = averaging(5, 4, thickness)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    ramp = np.arange(20.0)
    np.testing.assert_allclose((weights @ ramp)[1:-1], 4 * np.arange(1, 4) + 1.5, rtol=1e-5)


def test_noise_is_measured_as_a_run_measures_it() -> None:
    random = np.random.default_rng(12)
    volumes = [thick_volume(6, (20, 20), 3, random) for _ in range(12)]
    assert all(one.thin_khw.shape == (18, 20, 20) for one in volumes)
    clean = [one for one in volumes if one.noise == 0]
    assert 0 < len(clean) < 12
    for one in clean:  # a mean over thin slices lies between them
        assert one.thick_khw.min() >= one.thin_khw.min() - 1e-5


@pytest.mark.parametrize("solid", sorted(set(SOLIDS), key=lambda one: one.__name__))
def test_solids_are_given_by_their_distance(solid: object) -> None:
    places = tuple(np.float32(axis) for axis in np.ogrid[:30, :30, :30])
    for seed in range(4):
        distance = solid(places, np.array([30.0] * 3), np.random.default_rng(seed))
        near = np.abs(distance) < 1.5
        if near.sum() > 50:
            steepness = np.sqrt(sum(slope**2 for slope in np.gradient(distance)))
            assert np.median(steepness[near]) == pytest.approx(1, abs=0.15)


def test_a_scene_is_made_again_from_its_number() -> None:
    first, second = (scene((12, 10, 11), 1.0, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.std() > 0.01
