"""Declaration of the surface stage."""

from __future__ import annotations

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.surface.config import SurfaceConfig


def run(context: StageContext[SurfaceConfig]) -> Summary:
    """Fuse the depth maps into a coloured mesh and an oriented point cloud."""
    from stages.surface.run import run_surface

    return run_surface(context)


STAGE = Stage(
    name="surface",
    version=5,
    config=SurfaceConfig,
    needs=("frames", "pose", "depth", "fusion"),
    run=run,
    publishes={"mesh.ply": "mesh.ply", "mesh.glb": "mesh.glb", "cloud.ply": "cloud.ply"},
)
