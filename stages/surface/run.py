"""The surface stage's run: reads depth maps, poses and images, stores mesh and cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.artifacts.images import read_key_frame
from mvrecon.artifacts.poses import POSES_ITEM, load_moving_mask, load_poses
from mvrecon.engine.stage import StageContext, Summary
from mvrecon.formats.mesh import write_cloud_ply, write_glb, write_mesh_ply
from stages.surface.reconstruct import SurfaceInputs, reconstruct_surface
from stages.surface.views import with_own_depth

if TYPE_CHECKING:
    from stages.surface.config import SurfaceConfig

# Of guessed depth, 0…1: so low that several views must guess the same.
COMPLETED_CONFIDENCE = 0.25
# Side of the masks of moving things: they are stored coarsely and stretched to the picture.
MASK_SIZE_PX = 256


def run_surface(context: StageContext[SurfaceConfig]) -> Summary:
    """Read the stage's inputs, reconstruct, store the three items."""
    pose, depth, fusion = (context.inputs[stage] for stage in ("pose", "depth", "fusion"))
    options = context.config.depth
    stored = set(fusion.names("depth/"))

    def load_fused(name: str) -> DepthMap:
        depth_map = DepthMap.load(fusion.path(depth_item(name)))
        if not options.completed:
            return depth_map
        return depth_map.with_completed(COMPLETED_CONFIDENCE)

    def load_depth(name: str) -> DepthMap:
        if options.own_within == 0:
            return load_fused(name)
        own = DepthMap.load(depth.path(depth_item(name)))
        return with_own_depth(load_fused(name), own, options.own_within)

    inputs = SurfaceInputs(
        frames=[
            frame for frame in load_poses(pose.path(POSES_ITEM)) if depth_item(frame.name) in stored
        ],
        load_depth=load_depth,
        load_fused=load_fused,
        load_image=lambda name: read_key_frame(pose, name),
        load_moving=lambda name: load_moving_mask(pose, name, (MASK_SIZE_PX, MASK_SIZE_PX)),
        workers=context.workers,
        track=context.track,
    )
    surface = reconstruct_surface(inputs, context.config)
    context.out.write("mesh.ply", lambda path: write_mesh_ply(path, surface.mesh))
    context.out.write("mesh.glb", lambda path: write_glb(path, surface.mesh))
    context.out.write("cloud.ply", lambda path: write_cloud_ply(path, surface.cloud))
    return surface.summary
