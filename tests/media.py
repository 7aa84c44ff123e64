"""Little clips and images with known content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def make_texture(height: int, width: int, seed: int = 0) -> Image:
    """RGB noise with detail at several scales."""
    rng = np.random.default_rng(seed)
    texture = np.zeros((height, width, 3))
    for cell_px in (4, 8, 24):
        cells = rng.uniform(size=(height // cell_px + 2, width // cell_px + 2, 3))
        texture += cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    return (texture / 3 * 255).clip(0, 255).astype(np.uint8)


def pan(
    offsets_px: Iterable[float], height: int = 120, width: int = 160, seed: int = 0
) -> list[Image]:
    """Windows of one texture, each moved to the right by its offset."""
    offsets = list(offsets_px)
    texture = make_texture(height, int(width + max(offsets) + 2), seed)
    return [
        cv2.getRectSubPix(texture, (width, height), (offset + (width - 1) / 2, (height - 1) / 2))
        for offset in offsets
    ]


def write_video(
    path: Path,
    images: Sequence[Image],
    times_ms: Sequence[int] | None = None,
    rotation_deg: int = 0,
    codec: str = "libx264",
    crf: int = 12,
    faststart: bool = False,
) -> Path:
    """Encode a clip at 10 frames per second, or at the given times."""
    options = {"movflags": "faststart"} if faststart else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if codec == "libx264":
            # With several threads, equal images give other bytes from run to run.
            stream.options = {"crf": str(crf), "preset": "veryfast", "g": "8", "threads": "1"}
        if rotation_deg:
            stream.set_display_rotation(rotation_deg)
        for i, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            if times_ms is not None:
                stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
                frame.time_base, frame.pts = Fraction(1, 1000), times_ms[i]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_audio(path: Path) -> Path:
    """A second of silence in a video container."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        for i in range(10):
            sound = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            sound.sample_rate, sound.pts = 16000, 1024 * i
            container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return path


def write_images(folder: Path, images: Sequence[Image], pattern: str = "{:03d}.png") -> Path:
    """A folder of images."""
    folder.mkdir(exist_ok=True)
    for i, image in enumerate(images):
        cv2.imwrite(str(folder / pattern.format(i)), image[..., ::-1])
    return folder
