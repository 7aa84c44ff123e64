from dataclasses import replace

import numpy as np

from mvrecon.geometry.camera import Camera

CAMERA = Camera(320, 240, 250.0, 260.0, 150.0, 125.0, (-0.1, 0.02, 0.001, -0.002))
PIXELS = np.array([[10.0, 20.0], [150.0, 125.0], [300.5, 200.25]])


def test_rays_lead_back_to_their_pixels_at_any_depth():
    rays = CAMERA.rays(PIXELS)
    assert (rays[:, 2] == 1.0).all()
    np.testing.assert_allclose(CAMERA.project(7.0 * rays), PIXELS, atol=1e-6)
    np.testing.assert_allclose(rays[1], [0, 0, 1], atol=1e-12)


def test_zooming_moves_pixels_away_from_the_principal_point():
    pinhole = CAMERA.pinhole()
    zoomed = pinhole.zoomed(2.0)
    assert zoomed == replace(pinhole, fx=500.0, fy=520.0)
    centre = [pinhole.cx, pinhole.cy]
    moved = zoomed.project(pinhole.rays(PIXELS))
    np.testing.assert_allclose(moved - centre, 2.0 * (PIXELS - centre))
