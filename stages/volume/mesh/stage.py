"""Declaration of the mesh stage."""

from __future__ import annotations

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.volume.mesh.config import MeshConfig


def run(context: StageContext[MeshConfig]) -> Summary:
    """Turn what is inside into closed meshes in millimetres, and measure their pieces."""
    from stages.volume.mesh.run import run_mesh

    return run_mesh(context)


STAGE = Stage(
    name="mesh",
    version=3,
    config=MeshConfig,
    needs=("load", "denoise", "segment"),
    run=run,
    publishes={
        "mesh.ply": "mesh.ply",
        "mesh.glb": "mesh.glb",
        "pieces.json": "pieces.json",
        "parts": "parts",
    },
)
