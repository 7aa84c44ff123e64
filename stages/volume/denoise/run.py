"""The denoise stage's run: values in, smoother values out; labels are left as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.volume import GRID_ITEM, VOLUME_ITEM, VolumeGrid
from mvrecon.engine.stage import StageContext, Summary
from mvrecon.formats.slabs import SlabFile, slab_ranges, write_slabs
from stages.volume.denoise.diffusion import diffused, noise_deviation

if TYPE_CHECKING:
    from stages.volume.denoise.config import DenoiseConfig

# Of the range of the values: noise below this moves no surface by what could be seen.
LEAST_NOISE = 1e-4


def run_denoise(context: StageContext[DenoiseConfig]) -> Summary:
    """Denoise; nothing is stored where there is nothing to do."""
    load, config = context.inputs["load"], context.config
    grid = VolumeGrid.load(load.path(GRID_ITEM))
    if config.method == "none" or grid.values == "labels":
        return Summary({"method": "none"})
    volume = SlabFile(load.path(VOLUME_ITEM))
    noise = noise_deviation(volume)
    if noise <= LEAST_NOISE * (grid.maximum - grid.minimum):
        return Summary({"method": "none", "noise": float(f"{noise:.4g}")})

    def slabs() -> Iterator[NDArray[Any]]:
        total = len(slab_ranges(volume.shape))
        # A step looks one voxel farther, so that slabs join without a seam.
        for inner, values in context.track(volume.slabs(halo=config.steps), "slab", total):
            halo = inner.start - max(inner.start - config.steps, 0)
            edge = config.strength * noise
            smooth = diffused(values, grid.spacing_3[::-1], edge, config.steps)
            smooth = smooth[halo : halo + inner.stop - inner.start]
            yield np.round(smooth) if volume.dtype.kind == "i" else smooth

    context.out.write(
        VOLUME_ITEM, lambda path: write_slabs(path, volume.shape, volume.dtype, slabs())
    )
    return Summary({"method": config.method, "noise": float(f"{noise:.4g}")})
