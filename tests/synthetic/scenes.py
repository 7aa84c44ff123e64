"""A small scene that renders in a moment."""

import numpy as np

from mvrecon.geometry.camera import Camera
from mvrecon.synthetic.lighting import Light
from mvrecon.synthetic.paths import HandArc
from mvrecon.synthetic.render import View
from mvrecon.synthetic.scene import BakedScene
from mvrecon.synthetic.shapes import box, ellipsoid, placed
from mvrecon.synthetic.textures import clouds, speckle

CAMERA = Camera(width=96, height=72, fx=90.0, fy=88.0, cx=47.0, cy=36.5)
PATH = HandArc(
    target_m=(0.0, 0.0, 0.15), radius_m=0.8, height_m=(0.3, 0.4), from_deg=70.0, to_deg=20.0
)


def small_scene() -> BakedScene:
    """A box and a ball in a room of 2.4 × 2.4 × 1.4 m."""
    light = Light((0.6, 0.5, 1.2), shadow_samples=8, ambient_samples=8)
    walls = speckle((0.6, 0.6, 0.5), [(0.1, 0.2, 0.4), (0.8, 0.3, 0.2)], 0.06, 0.8, 3)
    patches = [
        *box((2.4, 2.4, 1.4), walls, 0, inward=True),
        *placed(box((0.2, 0.2, 0.3), walls, 20), (-0.1, -0.1, 0.0), 20.0),
        *placed(
            ellipsoid((0.12, 0.1, 0.1), clouds([(0, 0, 0), (1, 1, 1)], 0.05, 4)), (0.15, 0.1, 0.0)
        ),
    ]
    return BakedScene(patches, light, texels_per_m=100.0)


def small_views(count: int) -> list[View]:
    """Views along a hand's arc round the box and the ball."""
    return [View(CAMERA, pose) for pose in PATH.poses(np.arange(count) / 10, seed=1)]
