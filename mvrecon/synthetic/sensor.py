"""What a camera makes of light: exposure, vignetting, noise, display curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.synthetic.scene import DISPLAY_GAMMA


@dataclass(frozen=True)
class Sensor:
    """A small camera's sensor.

    Attributes:
        exposure: factor on the light.
        exposure_drift: relative swing of the exposure over a clip.
        vignetting: share of the light lost in the corners.
        read_noise: standard deviation in the dark, of full scale.
        shot_noise: standard deviation at full scale.
        seed: of the noise.
    """

    exposure: float = 1.0
    exposure_drift: float = 0.02
    vignetting: float = 0.15
    read_noise: float = 0.002
    shot_noise: float = 0.008
    seed: int = 0

    def develop(self, radiance_hw3: NDArray[np.float32], frame: int) -> NDArray[np.uint8]:
        """The picture (h, w, 3) that the sensor gives of linear light as frame `frame`."""
        height, width = radiance_hw3.shape[:2]
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        falloff_hw1 = 1 - self.vignetting * ((x**2 + y**2) / 2)[..., None] ** 1.5
        swing = 1 + self.exposure_drift * np.sin(0.11 * frame + self.seed)
        light_hw3 = radiance_hw3 * falloff_hw1 * (self.exposure * swing)
        deviation_hw3 = np.sqrt(self.read_noise**2 + self.shot_noise**2 * light_hw3)
        rng = np.random.default_rng([self.seed, frame])
        light_hw3 = light_hw3 + deviation_hw3 * rng.standard_normal(light_hw3.shape)
        # A film-like shoulder keeps highlights from clipping.
        light_hw3 = np.clip(light_hw3, 0, None)
        display_hw3 = (light_hw3 / (1 + 0.15 * light_hw3)).clip(0, 1) ** (1 / DISPLAY_GAMMA)
        return np.asarray(np.round(255 * display_hw3), np.uint8)
