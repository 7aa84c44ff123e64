"""Declaration of the texture stage."""

from __future__ import annotations

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.texture.config import TextureConfig


def run(context: StageContext[TextureConfig]) -> Summary:
    """Paint the key frames onto the surface, at their full resolution."""
    from stages.texture.run import run_texture

    return run_texture(context)


STAGE = Stage(
    name="texture",
    version=2,
    config=TextureConfig,
    needs=("frames", "pose", "surface"),
    run=run,
    publishes={"mesh.glb": "mesh.glb"},
)
