"""The texture stage's run: reads the mesh and the key frames, stores the textured mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable
from mvrecon.artifacts.images import read_key_frame
from mvrecon.artifacts.poses import POSES_ITEM, load_moving_mask, load_poses
from mvrecon.engine.stage import StageContext, Summary
from mvrecon.formats.mesh import read_mesh_ply
from mvrecon.formats.textured_mesh import write_textured_glb
from stages.texture.texture import TextureInputs, make_texture

if TYPE_CHECKING:
    from stages.texture.config import TextureConfig

# Side of the masks of moving things: they are stored coarsely and stretched to the picture.
MASK_SIZE_PX = 256
SHARPNESS_WINDOW = 9  # frames of the order with which one is compared
MIN_SHARPNESS = 0.3  # of their median: how little a blurred frame counts at least


def run_texture(context: StageContext[TextureConfig]) -> Summary:
    """Read the stage's inputs, paint, store the mesh."""
    pose = context.inputs["pose"]
    frames = load_poses(pose.path(POSES_ITEM))
    table = FrameTable.load(context.inputs["frames"].path(FRAMES_ITEM))
    sharpness = {frame.name: frame.sharpness for frame in table.key_frames}
    inputs = TextureInputs(
        mesh=read_mesh_ply(context.inputs["surface"].path("mesh.ply")),
        frames=frames,
        sharpness_v=relative_sharpness([sharpness[frame.name] for frame in frames]),
        load_image=lambda name: read_key_frame(pose, name),
        load_moving=lambda name: load_moving_mask(pose, name, (MASK_SIZE_PX, MASK_SIZE_PX)),
        workers=context.workers,
        track=context.track,
    )
    mesh, summary = make_texture(inputs, context.config)
    context.out.write("mesh.glb", lambda path: write_textured_glb(path, mesh))
    return summary


def relative_sharpness(sharpness: list[float]) -> NDArray[np.float64]:
    """Sharpness of frames to the median of those about them in the order, at most one."""
    reach = SHARPNESS_WINDOW // 2
    medians = [
        float(np.median(sharpness[max(0, at - reach) : at + reach + 1]))
        for at in range(len(sharpness))
    ]
    relative_v = np.array(sharpness) / np.maximum(medians, 1e-12)
    return np.clip(relative_v, MIN_SHARPNESS, 1.0)
