"""Kinds of videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tests import media
from tests.fuzz.kinds import DONE, GOOD, INPUT, NOT_ENOUGH, Kind

Image = NDArray[np.uint8]


def encoded(
    name: str = "video.mp4",
    images: Sequence[Image] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    source: str = "rgb24",
    rate: int = 10,
    **settings: Any,
) -> Callable[[Path], Path]:
    """A video; `times` in milliseconds, `settings` are attributes of the codec."""

    def make(folder: Path) -> Path:
        path = folder / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate)
            frames = media.pan(GOOD) if images is None else images
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt = pixels
            for attribute, value in settings.items():
                setattr(stream.codec_context, attribute, value)
            for i, image in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=source)
                if times is not None:
                    stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
                    frame.time_base, frame.pts = Fraction(1, 1000), times[i]
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make


def patched(
    make: Callable[[Path], Path], marker: bytes, offset: int, content: bytes
) -> Callable[[Path], Path]:
    """Another file, with bytes after a marker replaced."""

    def write(folder: Path) -> Path:
        path = make(folder)
        data = bytearray(path.read_bytes())
        place = data.index(marker) + offset
        data[place : place + len(content)] = content
        path.write_bytes(data)
        return path

    return write


def cut(make: Callable[[Path], Path], share: float) -> Callable[[Path], Path]:
    """The first part of another file."""

    def write(folder: Path) -> Path:
        path = make(folder)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        return path

    return write


def mjpeg(name: str) -> Callable[[Path], Path]:
    return encoded(name, codec="mjpeg", pixels="yuvj420p")


def faststart(folder: Path) -> Path:
    return media.write_video(folder / "video.mp4", media.pan(GOOD), faststart=True)


def rotated(degrees: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        return media.write_video(folder / "video.mp4", media.pan(GOOD), rotation_deg=degrees)

    return make


def retimed(times_ms: Sequence[int], name: str = "video.mkv") -> Callable[[Path], Path]:
    """Packets with these presentation times, as no encoder would write them."""

    def make(folder: Path) -> Path:
        plain = mjpeg("plain.avi")(folder)
        with av.open(str(plain)) as source, av.open(str(folder / name), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            packets = [packet for packet in source.demux(video=0) if packet.size]
            for i, (packet, time_ms) in enumerate(zip(packets, times_ms, strict=False)):
                packet.stream, packet.time_base = stream, Fraction(1, 1000)
                packet.pts, packet.dts = time_ms, min(time_ms, i - 10**6)
                target.mux_one(packet)
        return folder / name

    return make


def music_with_cover(folder: Path) -> Path:
    return media.write_audio(folder / "video.mp4")


def of_two_sizes(folder: Path) -> Path:
    """A raw stream whose picture size changes in the middle."""
    parts = []
    for number, height in enumerate((120, 96)):
        images = media.pan(GOOD, height=height)
        made = encoded(f"{number}.h264", images)(folder)
        parts.append(made.read_bytes())
    (folder / "video.h264").write_bytes(b"".join(parts))
    return folder / "video.h264"


def _grey(level: int, count: int = 12) -> list[Image]:
    return [np.full((96, 128, 3), level, np.uint8)] * count


def static(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    image = media.make_texture(96, 128).astype(float)
    noise = [rng.normal(0, 2, image.shape) for _ in range(12)]
    images = [(image + part).clip(0, 255).astype("u1") for part in noise]
    return media.write_video(folder / "video.mp4", images)


def _sized(height: int, width: int) -> list[Image]:
    return media.pan(GOOD, height=height, width=width)


def _with_alpha() -> list[Image]:
    return [
        np.dstack([image, np.full(image.shape[:2], 200, np.uint8)]) for image in _sized(96, 128)
    ]


HUGE = (60_000).to_bytes(4, "big")
ONE, LONG = (1).to_bytes(4, "big"), (1000).to_bytes(4, "big")
SQUASHED = encoded(codec="mpeg4", sample_aspect_ratio=Fraction(4, 3))
PNG_IN_MOV = encoded("video.mov", codec="png", pixels="rgb24")
RAW_AVI = encoded("video.avi", codec="rawvideo", pixels="bgr24")

VIDEO_KINDS = (
    Kind("cut off while copying", cut(encoded(), 0.5), INPUT, "index (moov) is missing"),
    Kind("cut off after its index", cut(faststart, 0.6), DONE, "is damaged"),
    Kind("an index and no pictures", cut(faststart, 0.045), INPUT, "video.mp4"),
    Kind("an MKV that is cut off", cut(mjpeg("video.mkv"), 0.6), DONE, "is damaged"),
    Kind("an AVI that is cut off", cut(mjpeg("video.avi"), 0.6), DONE, ""),
    Kind("sound only", music_with_cover, INPUT, "only sound"),
    Kind("one frame", encoded(images=_sized(96, 128)[:1]), NOT_ENOUGH, "only one frame"),
    Kind("black", encoded(images=_grey(0)), NOT_ENOUGH, "black"),
    Kind("white", encoded(images=_grey(255)), NOT_ENOUGH, "identical"),
    Kind("one picture again and again", encoded(images=_sized(96, 128)[:1] * 9), NOT_ENOUGH,
         "identical"),
    Kind("a camera that stands still", static, NOT_ENOUGH, "static"),
    Kind("2×2 px", encoded(images=_sized(2, 2)), INPUT, "only 2×2 px"),
    Kind("16×16 px", encoded(images=_sized(16, 16)), INPUT, "only 16×16 px"),
    Kind("odd sizes", encoded("video.mkv", _sized(97, 131), "ffv1", "yuv420p"), DONE),
    Kind("much wider than high", encoded(images=_sized(40, 1200)), INPUT, "as long as wide"),
    Kind("much higher than wide", encoded(images=_sized(1200, 40)), INPUT, "as long as wide"),
    Kind("turned by a quarter", rotated(90), DONE),
    Kind("upside down", rotated(180), DONE),
    Kind("turned by three quarters", rotated(270), DONE),
    Kind("turned by an odd angle", rotated(33), DONE),
    Kind("negative time stamps", retimed([100 * i - 900 for i in range(20)]), DONE),
    Kind("repeated time stamps", retimed([100 * (i // 2) for i in range(20)]), DONE, "time stamps"),
    Kind("all time stamps 0", retimed([0] * 20), DONE, "time stamps"),
    Kind("time stamps that go back", retimed([100 * (i % 7) for i in range(20)]), DONE,
         "time stamps"),
    Kind("a gap of a month", retimed([100 * i + (i > 9) * 2_600_000_000 for i in range(20)]), DONE),
    Kind("an edit list that starts later",
         patched(faststart, b"elst", 16, (10_240).to_bytes(4, "big")), DONE, "is damaged"),
    Kind("an edit list beyond the end",
         patched(faststart, b"elst", 16, (2**31 - 1).to_bytes(4, "big")), INPUT, "no decodable"),
    Kind("an edit list of no length", patched(faststart, b"elst", 12, bytes(4)), INPUT,
         "no decodable"),
    Kind("non-square pixels", SQUASHED, DONE),
    Kind("absurdly long pixels", patched(SQUASHED, b"pasp", 4, LONG + ONE), DONE),
    Kind("absurdly high pixels", patched(SQUASHED, b"pasp", 4, ONE + LONG), DONE),
    Kind("pixels of no size", patched(SQUASHED, b"pasp", 4, bytes(8)), DONE),
    Kind("grey", encoded("video.mkv", codec="ffv1", pixels="gray"), DONE),
    Kind("10 bits", encoded("video.mkv", codec="ffv1", pixels="yuv420p10le"), DONE),
    Kind("4:4:4", encoded(pixels="yuv444p"), DONE),
    Kind("with alpha", encoded("video.mov", _with_alpha(), "png", "rgba", source="rgba"), DONE),
    Kind("an animated GIF", encoded("video.gif", codec="gif", pixels="rgb8"), DONE),
    Kind("a GIF that stands still", encoded("video.gif", _sized(96, 128)[:1], "gif", "rgb8"),
         NOT_ENOUGH, "only one frame"),
    Kind("a thousand frames a second", encoded(rate=1000), DONE),
    Kind("a frame an hour", retimed([3_600_000 * i for i in range(20)]), DONE),
    Kind("pictures of 60,000×60,000 px by their headers",
         patched(PNG_IN_MOV, b"IHDR", 4, HUGE + HUGE), DONE, "cannot be decoded"),
    Kind("60,000×60,000 px by the container's header",
         patched(RAW_AVI, b"strf", 12, (60_000).to_bytes(4, "little") * 2), INPUT, ""),
    Kind("another codec than it says", patched(faststart, b"avc1", 0, b"hvc1"), DONE),
    Kind("an unknown codec", patched(faststart, b"avc1", 0, b"zzzz"), DONE),
    Kind("a broken codec header", patched(faststart, b"avcC", 4, bytes(16)), INPUT, ""),
    Kind("two sizes in one stream", of_two_sizes, DONE, "share little view"),
)  # fmt: skip
