"""The denoise stage's run: smoother values, slices between thick ones; labels stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.volume import GRID_ITEM, NOT_FOR_DIAGNOSIS, VOLUME_ITEM, VolumeGrid
from mvrecon.engine.stage import StageContext, Summary
from mvrecon.formats.slabs import SlabFile, slab_ranges, write_slabs
from stages.volume.denoise.config import SLICENET_WEIGHTS
from stages.volume.denoise.diffusion import diffused, noise_deviation

if TYPE_CHECKING:
    from stages.volume.denoise.config import DenoiseConfig

# Of the range of the values: noise below this moves no surface by what could be seen.
LEAST_NOISE = 1e-4
# Thin slices to a thick one, at most: farther apart nothing is known of what lies between.
MAX_FACTOR = 6
GUESSED = f"A network put slices in between, which nobody measured. {NOT_FOR_DIAGNOSIS}"

Array = NDArray[np.float32]


class Slices(Protocol):
    """Makes thin slices of thick ones; looks at `halo` of these around."""

    halo: int

    def __call__(self, thick_khw: Array, factor: int) -> Array:
        """Slices (k · factor, h, w) of (k, h, w)."""
        ...


def run_denoise(context: StageContext[DenoiseConfig]) -> Summary:
    """Denoise and interpolate; nothing is stored where there is nothing to do."""
    load, config = context.inputs["load"], context.config
    grid = VolumeGrid.load(load.path(GRID_ITEM))
    if grid.values == "labels":
        return Summary({"method": "none"})
    volume = SlabFile(load.path(VOLUME_ITEM))
    factor = 1 if config.slices.method == "none" else slice_factor(grid)
    learned = config.slices.method == "learned" and factor > 1
    noise = noise_deviation(volume) if learned or config.method != "none" else 0.0
    noisy = noise > LEAST_NOISE * (grid.maximum - grid.minimum)
    diffuses = noisy and config.method == "diffusion" and not learned
    method = "learned" if learned else "diffusion" if diffuses else "none"
    numbers: dict[str, float | int | str] = {"method": method}
    if config.method != "none":
        numbers["noise"] = float(f"{noise:.4g}")
    if config.slices.method != "none":
        thin = f"{config.slices.method}, {factor} of each" if factor > 1 else "thin enough"
        numbers["slices"] = thin
    if not diffuses and factor == 1:
        return Summary(numbers)
    between = _slices(config, noise if noisy else 0.0) if factor > 1 else None

    def slabs() -> Iterator[NDArray[Any]]:
        # A step looks one voxel farther, so that slabs join without a seam.
        steps = config.steps if diffuses else 0
        halo = steps + (between.halo if between else 0)
        total = len(slab_ranges(volume.shape))
        for inner, given in context.track(volume.slabs(halo=halo), "slab", total):
            values = given
            if diffuses:
                edge = config.strength * noise
                values = diffused(values, grid.spacing_3[::-1], edge, steps)
            if between:
                values = between(values.astype(np.float32), factor)
            before = inner.start - max(inner.start - halo, 0)
            values = values[factor * before : factor * (before + inner.stop - inner.start)]
            if between:  # which may overshoot, beyond what the type holds
                values = np.clip(values, grid.minimum, grid.maximum)
            yield np.round(values) if volume.dtype.kind == "i" else values

    thin_grid = grid.with_thin_slices(factor)
    context.out.write(
        VOLUME_ITEM, lambda path: write_slabs(path, thin_grid.shape_kji, volume.dtype, slabs())
    )
    if factor > 1:
        context.out.write_text(GRID_ITEM, thin_grid.to_json())
    return Summary(numbers, [GUESSED] if learned else [])


def slice_factor(grid: VolumeGrid) -> int:
    """How many thin slices make one as thick as it is, if voxels are to be cubes."""
    column, row, slice_ = grid.spacing_3
    return int(np.clip(round(slice_ / np.sqrt(column * row)), 1, MAX_FACTOR))


def _slices(config: DenoiseConfig, noise: float) -> Slices:
    if config.slices.method == "cubic":
        from stages.volume.denoise.slices.cubic import CubicSlices

        return CubicSlices()
    from stages.volume.denoise.slices.model import LearnedSlices, load_network

    network = load_network(config.slices.weights or SLICENET_WEIGHTS)
    return LearnedSlices(network, noise, config.slices.used_precision)
