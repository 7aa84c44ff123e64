"""Clips of a landscape in which nothing moves by itself, each hard in a way of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera
from mvrecon.synthetic.clip import Sensor, write_video
from mvrecon.synthetic.lighting import Light
from mvrecon.synthetic.noise import fractal_noise
from mvrecon.synthetic.paths import look_at, shake
from mvrecon.synthetic.render import View, render_depth, render_radiance
from mvrecon.synthetic.scene import BakedScene
from mvrecon.synthetic.shapes import height_field
from mvrecon.synthetic.textures import Colour, Texture, clouds

FloatArray = NDArray[np.float64]
Picture = NDArray[np.uint8]

CAMERA = Camera(384, 216, 300.0, 300.0, 191.5, 107.5)
FPS, CRF = 30, 20
SIDE_M, TEXELS_PER_M = 6.0, 320.0
LIGHT = Light(position_m=(3.0, -4.0, 4.0), shadow_samples=4, ambient_samples=8)
GREENS = ((0.20, 0.26, 0.14), (0.36, 0.40, 0.22), (0.52, 0.50, 0.34), (0.70, 0.66, 0.52))
DULL = ((0.30, 0.33, 0.27), (0.33, 0.36, 0.29), (0.36, 0.38, 0.32))
HAZE_RGB = (0.34, 0.36, 0.38)


def ground(seed: int = 5) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Height of hills, of which one stands in the middle."""

    def height(x: FloatArray, y: FloatArray) -> FloatArray:
        at_n3 = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1).astype(np.float32)
        rough = fractal_noise(at_n3 / np.float32(0.9), 5, seed).reshape(x.shape)
        return np.asarray(0.55 * rough + 0.7 * np.exp(-(x**2 + y**2) / 0.5))

    return height


def landscape(colours: tuple[Colour, ...] = GREENS, seed: int = 5) -> BakedScene:
    """Hills of some colours."""
    texture: Texture = clouds(colours, 0.35, seed, octaves=8)
    return BakedScene(
        height_field((SIDE_M, SIDE_M), ground(seed), texture, 0, step_m=0.03), LIGHT, TEXELS_PER_M
    )


def past(times_s: FloatArray, speed_m_s: float = 0.35) -> list[FloatArray]:
    """A drone that flies past the hill, looking at it askance."""
    y = speed_m_s * (times_s - times_s.mean())
    rng = np.random.default_rng(1)
    swing = np.stack([shake(times_s, 0.006, rng) for _ in range(3)], 1)
    at = np.stack([np.full_like(y, 2.0), y, 1.1 + 0.1 * np.sin(times_s)], 1) + swing
    target = np.stack([np.zeros_like(y), 0.6 * y + 0.3, np.full_like(y, 0.4)], 1)
    return [look_at(*pair) for pair in zip(at, target, strict=True)]


def forward(times_s: FloatArray) -> list[FloatArray]:
    """Straight ahead over the hills."""
    x = 2.6 - 0.45 * times_s
    rng = np.random.default_rng(2)
    at = np.stack([x, 0.5 + shake(times_s, 0.004, rng), np.full_like(x, 1.25)], 1)
    return [look_at(one, one + np.array([-1.0, 0.0, -0.25])) for one in at]


def turning(times_s: FloatArray) -> list[FloatArray]:
    """On the spot for a while in the middle of the way."""
    share = times_s / times_s[-1]
    way = np.where(share < 0.35, share, np.where(share < 0.65, 0.35, share - 0.3))
    angle = 0.5 * np.clip((share - 0.35) / 0.3, 0, 1)
    at = np.stack([np.full_like(way, 2.2), -0.6 + 1.8 * way, np.full_like(way, 1.2)], 1)
    turned = np.stack([-np.cos(angle), np.sin(angle), np.full_like(angle, -0.35)], 1)
    return [look_at(one, one + ahead) for one, ahead in zip(at, turned, strict=True)]


@dataclass(frozen=True)
class StaticClip:
    """How a clip is filmed.

    Attributes:
        path: from times to world_from_cam.
        frames: how many.
        colours: of the ground.
        sensor: of the camera.
        haze: share of the light that haze takes on a metre.
        blur_px: of the fourth of six parts of the clip.
    """

    path: Callable[[FloatArray], list[FloatArray]]
    frames: int = 90
    colours: tuple[Colour, ...] = GREENS
    sensor: Sensor = field(default_factory=lambda: Sensor(exposure=1.4))
    haze: float = 0.0
    blur_px: float = 0.0

    @property
    def poses(self) -> list[FloatArray]:
        """world_from_cam of each frame."""
        return self.path(np.arange(self.frames) / FPS)

    def pictures(self) -> Iterator[Picture]:
        """The frames (h, w, 3)."""
        scene, haze_3 = landscape(self.colours), np.array(HAZE_RGB, np.float32)
        for number, pose in enumerate(self.poses):
            view = View(CAMERA, pose)
            light_hw3 = render_radiance(scene, view, supersampling=2)
            depth_hw1 = np.where((d := render_depth(scene, view)) > 0, d, 99.0)[..., None]
            clear_hw1 = np.exp(-self.haze * depth_hw1).astype(np.float32)
            light_hw3 = light_hw3 * clear_hw1 + haze_3 * (1 - clear_hw1)
            if self.blur_px and number * 6 // self.frames == 3:
                light_hw3 = np.asarray(cv2.GaussianBlur(light_hw3, (0, 0), self.blur_px))
            yield self.sensor.develop(light_hw3, number)


DARK = Sensor(exposure=0.16, read_noise=0.003, shot_noise=0.012)
STATIC_CLIPS: Mapping[str, StaticClip] = {
    "drone": StaticClip(past),
    "dark drone": StaticClip(past, 150, DULL, DARK, haze=0.5),
    "forward": StaticClip(forward),
    "weak texture": StaticClip(past, colours=DULL),
    "blur": StaticClip(past, blur_px=4.0),
    "exposure": StaticClip(past, sensor=Sensor(exposure=1.2, exposure_drift=0.6)),
    "turning": StaticClip(turning),
}


def clip_path(folder: Path, name: str) -> Path:
    """The clip's file in a folder, rendered if it is not there yet."""
    path = folder / f"{name.replace(' ', '_')}.mp4"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"partial_{path.name}"
        write_video(
            temporary, STATIC_CLIPS[name].pictures(), (CAMERA.width, CAMERA.height), FPS, CRF
        )
        temporary.replace(path)
    return path
