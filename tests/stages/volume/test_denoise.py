"""Noise goes, edges stay, slabs leave no seam."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mvrecon.formats import slabs
from mvrecon.formats.slabs import SlabFile
from stages.volume.denoise.diffusion import diffused, noise_deviation
from tests.stages.volume.conftest import VolumeRun

STEP = np.where(np.arange(24) < 12, 0.0, 1000.0) + np.zeros((20, 22, 24))
NOISE = np.random.default_rng(2).normal(0, 30, STEP.shape)


def test_noise_goes_and_edges_stay() -> None:
    smooth = diffused(STEP + NOISE, np.ones(3), edge=3.5 * 30, steps=5)
    flat = smooth[2:-2, 2:-2, 3:9]
    assert flat.std() < 0.4 * 30
    jump = smooth[..., 12] - smooth[..., 11]
    assert abs(jump.mean() - 1000) < 15


def test_far_neighbours_count_less() -> None:
    peak = np.zeros((9, 9, 9))
    peak[4, 4, 4] = 1
    smooth = diffused(peak, np.array([3.0, 1.0, 1.0]), edge=100, steps=1)
    assert smooth[5, 4, 4] == pytest.approx(smooth[4, 5, 4] / 9, rel=1e-3)


@pytest.mark.parametrize(("values", "noise"), [(STEP + NOISE, 30.0), (STEP, 0.0)])
def test_the_noise_is_measured_beside_an_edge(
    tmp_path: Path, values: np.ndarray, noise: float
) -> None:
    np.save(tmp_path / "a.npy", values)
    assert noise_deviation(SlabFile(tmp_path / "a.npy")) == pytest.approx(noise, rel=0.1)


def test_slabs_leave_no_seam(
    volume_run: Callable[..., VolumeRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = volume_run((STEP + NOISE).astype(np.int16))
    results = []
    for size in (slabs.SLAB_BYTES, 4 * 22 * 24 * 3):
        monkeypatch.setattr(slabs, "SLAB_BYTES", size)
        assert run("--rerun", "denoise", "--until", "denoise")[0] == 0
        (stored,) = (run.run_dir / "store" / "denoise").glob("*/volume.npy")
        results.append(np.load(stored))
    np.testing.assert_array_equal(*results)
    assert np.abs(results[0] - STEP)[2:-2, 2:-2, 3:9].std() < 0.5 * 30
