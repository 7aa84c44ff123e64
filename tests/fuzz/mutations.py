"""Mutated videos and images: bytes flipped, cut, spliced, numbers of headers lied about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.random import Generator

from tests import media
from tests.fuzz.folder_kinds import PHONE, content, pan
from tests.fuzz.video_kinds import encoded

HEADER_BYTES = 2048  # of the start and of the end: there formats keep their headers
EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def flip(data: bytes, rng: Generator) -> bytes:
    """A few bits anywhere."""
    spoilt = bytearray(data)
    for place in rng.integers(0, len(data), rng.integers(1, 60)):
        spoilt[place] ^= 1 << int(rng.integers(8))
    return bytes(spoilt)


def flip_header(data: bytes, rng: Generator) -> bytes:
    """A few bytes where headers are."""
    spoilt = bytearray(data)
    for _ in range(int(rng.integers(1, 12))):
        spoilt[_header_place(len(data), rng)] = int(rng.integers(256))
    return bytes(spoilt)


def lie(data: bytes, rng: Generator) -> bytes:
    """Numbers of headers replaced by extreme ones, in either order of bytes."""
    spoilt = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        width = int(rng.choice([2, 4]))
        value = int(rng.choice(EXTREMES)) % (1 << 8 * width)
        place = _header_place(len(data), rng)
        spoilt[place : place + width] = value.to_bytes(width, rng.choice(["big", "little"]))
    return bytes(spoilt[: len(data)])


def cut(data: bytes, rng: Generator) -> bytes:
    """The beginning, or all but the beginning, or a hole in the middle."""
    first, second = sorted(rng.integers(0, len(data), 2))
    return (data[:first], data[first:], data[:first] + data[second:])[int(rng.integers(3))]


def splice(data: bytes, rng: Generator) -> bytes:
    """A piece once more in another place, or noise between."""
    start, end, place = sorted(int(value) for value in rng.integers(0, len(data), 3))
    piece = data[start:end] if rng.integers(2) else rng.bytes(int(rng.integers(1, 5000)))
    return data[:place] + piece + data[place:]


def _header_place(length: int, rng: Generator) -> int:
    near = int(rng.integers(0, min(HEADER_BYTES, length)))
    return near if rng.integers(2) else length - 1 - near


MUTATIONS: tuple[Callable[[bytes, Generator], bytes], ...] = (flip, flip_header, lie, cut, splice)


def video_seeds(folder: Path) -> dict[str, bytes]:
    """Little videos of several containers and codecs, by file name."""
    images = media.pan([4 * i for i in range(10)], height=64, width=96)
    media.write_video(folder / "first.mp4", images, faststart=True)
    media.write_video(folder / "turned.mov", images, rotation_deg=90)
    for name, codec, pixels in (
        ("plain.mkv", "libx264", "yuv420p"),
        ("old.avi", "mpeg4", "yuv420p"),
        ("still.avi", "mjpeg", "yuvj420p"),
        ("free.webm", "libvpx-vp9", "yuv420p"),
        ("moving.gif", "gif", "rgb8"),
        ("lossless.mov", "png", "rgb24"),
        ("sent.ts", "libx264", "yuv420p"),
    ):
        encoded(name, images, codec, pixels)(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def image_seeds() -> dict[str, bytes]:
    """Little pictures of each kind that is read, by file name."""
    first = pan(64, 96, 1)[0]
    return {
        "photo.jpg": content(first, "JPEG", quality=90, exif=PHONE_EXIF),
        "late.jpg": content(first, "JPEG", quality=90, progressive=True),
        "drawn.png": content(first, "PNG"),
        "print.tif": content(first, "TIFF", compression="tiff_lzw"),
        "plain.bmp": content(first, "BMP"),
        "small.webp": content(first, "WEBP"),
        "phone.heic": PHONE.read_bytes(),
    }


# Orientation 6 and 26 mm, as a block of EXIF that mutations reach.
PHONE_EXIF = (
    b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x69\x87\x04\0\x01\0\0\0"
    b"\x26\0\0\0\0\0\0\0\x01\0\x05\xa4\x03\0\x01\0\0\0\x1a\0\0\0\0\0\0\0"
)


def mutant(name: str, data: bytes, number: int) -> bytes:
    """The same for the same number."""
    rng = np.random.default_rng([number, *name.encode()])
    mutate = MUTATIONS[number % len(MUTATIONS)]
    return mutate(data, rng)
