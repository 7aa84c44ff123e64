"""Declaration of the denoise stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.volume.denoise.config import SLICENET_WEIGHTS, DenoiseConfig


def run(context: StageContext[DenoiseConfig]) -> Summary:
    """Smooth noise, keep edges, put slices between thick ones."""
    from stages.volume.denoise.run import run_denoise

    return run_denoise(context)


def weight_files(config: DenoiseConfig) -> Mapping[str, Path]:
    """The shipped weights, if they are used."""
    shipped = config.slices.method == "learned" and config.slices.weights is None
    return {"slicenet": SLICENET_WEIGHTS} if shipped else {}


def check(config: DenoiseConfig) -> None:
    """Raise if the weights given are no network's for slices."""
    if config.slices.method == "learned" and config.slices.weights is not None:
        from stages.volume.denoise.slices.model import load_network

        load_network(config.slices.weights)


STAGE = Stage(
    name="denoise",
    version=1,
    config=DenoiseConfig,
    needs=("load",),
    run=run,
    files=weight_files,
    check=check,
)
