"""Slices between thick ones: where they lie, what they are, and when there are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mvrecon.artifacts.volume import VolumeGrid
from mvrecon.formats import slabs
from mvrecon.learning.weights import export_weights
from mvrecon.synthetic.phantoms import centered, sampled, sphere
from stages.volume.denoise.config import SLICENET_WEIGHTS, DenoiseConfig
from stages.volume.denoise.run import slice_factor
from stages.volume.denoise.slices import model
from stages.volume.denoise.slices.cubic import CubicSlices
from stages.volume.denoise.slices.model import LearnedSlices, load_network
from stages.volume.denoise.slices.network import SliceNet, SliceNetSettings
from stages.volume.denoise.stage import STAGE
from tests.stages.volume.conftest import VolumeRun

THICK = np.random.default_rng(6).normal(size=(9, 12, 13)).astype(np.float32)


def small_network() -> SliceNet:
    torch.manual_seed(3)
    network = SliceNet(SliceNetSettings(channels=8, dilations=(1, 2), hidden=8))
    torch.nn.init.normal_(network.noise)
    return network.eval()


def learned(network: SliceNet, noise: float = 0.1) -> LearnedSlices:
    return LearnedSlices(network, noise, "fp32")


def test_thin_slices_fill_the_space_of_thick_ones() -> None:
    thick = VolumeGrid("x", (4, 5, 6), centered((4, 5, 6), (1.0, 1.0, 3.0)), "intensity", 0, 1)
    thin = thick.with_thin_slices(3)
    assert thin.shape_kji == (12, 5, 6)
    np.testing.assert_allclose(thin.spacing_3, 1)
    for ends in ((-0.5, -0.5), (3.5, 11.5)):  # where the volume begins and ends
        places = [
            g.ras_from_ijk_44 @ [2, 3, k, 1] for g, k in zip((thick, thin), ends, strict=True)
        ]
        np.testing.assert_allclose(*places)


@pytest.mark.parametrize(("spacing", "factor"), [(1.2, 1), (2.1, 2), (5.0, 5), (40.0, 6)])
def test_voxels_become_cubes(spacing: float, factor: int) -> None:
    grid = VolumeGrid("x", (2, 2, 2), np.diag([0.8, 1.25, spacing, 1]), "intensity", 0, 1)
    assert slice_factor(grid) == factor


def test_cubic_slices_follow_a_curve() -> None:
    place = np.arange(8.0)
    thick = np.broadcast_to((place**2)[:, None, None], (8, 2, 2)).astype(np.float32)
    thin = CubicSlices()(thick, 4)[:, 0, 0]
    wanted = ((np.arange(32) + 0.5) / 4 - 0.5) ** 2
    np.testing.assert_allclose(thin[8:-8], wanted[8:-8], rtol=1e-5)


def test_unit_and_zero_of_the_values_do_not_matter_to_the_network() -> None:
    network = small_network()
    before = learned(network)(THICK, 3)
    assert np.abs(before - CubicSlices()(THICK, 3)).max() > 0.01  # it does something
    after = learned(network, 0.1 * 250)(250 * THICK - 40, 3)
    np.testing.assert_allclose(after, 250 * before - 40, atol=0.02)


def test_tiles_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = learned(small_network())(THICK, 2)
    monkeypatch.setattr(model, "TILE_KJI", (2, 5, 4))
    np.testing.assert_allclose(learned(small_network())(THICK, 2), whole, atol=1e-5)


@pytest.mark.parametrize("method", ["cubic", "learned"])
def test_a_ball_of_thick_slices(
    method: str, volume_run: Callable[..., VolumeRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    ball, shape = sphere(11.3), (8, 30, 30)
    grid = centered(shape, (1.0, 1.0, 4.0))
    run = volume_run(np.round(sampled(ball.density, shape, grid, 4)).astype(np.int16), grid)
    found = []
    for size in (slabs.SLAB_BYTES, 4 * 30 * 30 * 3):
        monkeypatch.setattr(slabs, "SLAB_BYTES", size)
        words = ("--denoise.slices.method", method, "--threshold", "500", "--rerun", "denoise")
        assert run(*words)[0] == 0
        (piece,) = run.pieces
        found.append(piece["volume_mm3"])
        assert ball.distance(run.mesh.points.xyz_n3).mean() < 0.3
    assert found[0] == pytest.approx(ball.volume_mm3, rel=0.03)
    assert found[1] == pytest.approx(found[0], rel=1e-3)
    (stored,) = (run.run_dir / "store" / "denoise").glob("*/volume.npy")
    assert np.load(stored, mmap_mode="r").shape == (32, 30, 30)


def test_they_count_in_the_key_only_where_they_are_wanted() -> None:
    plain = DenoiseConfig()
    assert "slices" not in plain.key_options() and not STAGE.files(plain)
    cubic = DenoiseConfig(slices={"method": "cubic", "weights": SLICENET_WEIGHTS})
    assert cubic.key_options()["slices"] == {"method": "cubic"} and not cubic.content_files()
    chosen = DenoiseConfig(slices={"method": "learned"})
    assert STAGE.files(chosen) == {"slicenet": SLICENET_WEIGHTS}


def test_shipped_weights_are_small_and_wrong_ones_are_refused(
    tmp_path: Path, volume_run: Callable[..., VolumeRun]
) -> None:
    assert SLICENET_WEIGHTS.stat().st_size < 500_000
    shipped = load_network(SLICENET_WEIGHTS)
    assert sum(value.numel() for value in shipped.parameters()) <= 100_000
    export_weights(shipped, shipped.settings, tmp_path / "again.pt")
    load_network(tmp_path / "again.pt")
    (tmp_path / "other.pt").write_bytes(b"no weights")
    run = volume_run(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    words = ("--denoise.slices.method", "learned", "--denoise.slices.weights")
    code, told = run(*words, str(tmp_path / "other.pt"), "-q")
    assert code == 2 and len(told.splitlines()) == 1 and "weights of slices" in told
