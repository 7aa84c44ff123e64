"""What moves by itself leaves neither depth nor colour in the surface."""

from dataclasses import replace

import numpy as np

from stages.surface.config import SurfaceConfig
from stages.surface.reconstruct import reconstruct_surface
from tests.stages.surface.scenes import CAMERA, depth_map, exact_depth, make_frames, make_inputs

CONFIG = SurfaceConfig(volume={"voxel_size": 0.08})
MOVING = np.zeros((CAMERA.height, CAMERA.width), bool)
MOVING[:, 30:70] = True


def test_a_masked_thing_does_not_colour_the_surface_behind_it():
    frames = make_frames(6)
    plain = make_inputs(frames)

    def load_image(name):
        image = plain.load_image(name).copy()
        if name == frames[0].name:
            image[:, 33:67] = [0, 0, 255]  # the mask has a margin
        return image

    def blue(inputs):
        rgb = reconstruct_surface(inputs, CONFIG).mesh.points.rgb_n3.astype(int)
        return (rgb[:, 2] > 60).sum()

    painted = replace(plain, load_image=load_image)
    masked = replace(painted, load_moving=lambda name: MOVING if name == frames[0].name else None)
    # What no other view sees keeps the only colour there is.
    assert blue(painted) > 50
    assert blue(masked) < 0.1 * blue(painted)


def test_a_masked_depth_map_has_neither_depth_nor_confidence_there():
    frame = make_frames(1)[0]
    whole = depth_map(frame, exact_depth(frame))
    masked = whole.without(MOVING)
    assert not masked.depth_hw[MOVING].any()
    assert not masked.confidence_hw[MOVING].any()
    assert (masked.depth_hw[~MOVING] == whole.depth_hw[~MOVING]).all()
    assert whole.without(None) is whole
