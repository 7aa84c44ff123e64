import numpy as np
import pytest

from mvrecon.synthetic import textures
from mvrecon.synthetic.noise import cell_hash, fractal_noise, value_noise
from sample_data import materials

RED, SAND, INK = (0.7, 0.2, 0.1), (0.8, 0.7, 0.5), (0.1, 0.1, 0.2)

MAKERS = {
    "clouds": lambda seed: textures.clouds([RED, SAND, INK], 0.1, seed),
    "painted": lambda seed: materials.painted([RED, SAND, INK], 0.1, seed),
    "wood": lambda seed: materials.wood(SAND, RED, 0.1, seed),
    "marble": lambda seed: materials.marble(SAND, INK, 0.1, seed),
    "bricks": lambda seed: materials.bricks([RED, SAND], INK, (0.2, 0.07), seed),
    "speckle": lambda seed: textures.speckle(SAND, [RED, INK], 0.05, 0.8, seed),
    "weave": lambda seed: materials.weave([RED, SAND, INK], 0.004, seed),
    "printed": lambda seed: materials.printed(SAND, INK, 0.012, seed),
}


def square(offset_m=0.0):
    x, y = np.meshgrid(np.linspace(0, 0.3, 128), np.linspace(0, 0.3, 128))
    return np.stack([x.ravel() + offset_m, y.ravel(), np.full(x.size, 0.5)], 1).astype(np.float32)


@pytest.mark.parametrize("name", MAKERS)
def test_textures_are_rich_unique_and_seeded(name):
    first = MAKERS[name](1)(square())
    assert first.shape == (128 * 128, 3)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, MAKERS[name](1)(square()))
    assert np.abs(first - MAKERS[name](2)(square())).mean() > 0.01
    grey = first.mean(1).reshape(128, 128)
    assert grey.std() > 0.04
    assert np.abs(np.diff(grey, axis=1)).mean() > 0.004
    elsewhere = MAKERS[name](1)(square(offset_m=0.6)).mean(1)
    assert np.abs(grey.ravel() - elsewhere).mean() > 0.03


def test_noise_is_continuous_and_within_its_range():
    line = np.zeros((2001, 3), np.float32)
    line[:, 0] = np.linspace(-5, 5, 2001)
    values = value_noise(line, 3)
    assert values.min() >= 0 and values.max() <= 1 and values.std() > 0.1
    assert np.abs(np.diff(values)).max() < 0.02
    assert np.abs(fractal_noise(line, 5, 3).mean() - 0.5) < 0.1


def test_cell_hash_is_uniform_and_independent_between_cells():
    cells = np.stack(np.meshgrid(np.arange(-50, 50), np.arange(100)), -1).reshape(-1, 2)
    values = cell_hash(cells, 7)
    counts, _ = np.histogram(values, bins=10, range=(0, 1))
    assert np.abs(counts - 1000).max() < 150
    grid = values.reshape(100, 100)
    assert abs(np.corrcoef(grid[:, :-1].ravel(), grid[:, 1:].ravel())[0, 1]) < 0.05
