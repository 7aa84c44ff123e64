"""Image files: listing a folder, reading, writing. All of the program's image I/O is here.

A user's pictures are read by Pillow, which knows EXIF and most formats; what the program wrote, by
OpenCV alone, as there is nothing else where networks are trained.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.geometry.resize import fit_size, resize_by_area

HEIF_EXTENSIONS = frozenset({".heic", ".heif", ".hif"})
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
EXTENSIONS |= HEIF_EXTENSIONS
# Pictures that are not read, and videos: named where a folder holds nothing else.
OTHER_PICTURES = frozenset(
    {".avif", ".jxl", ".gif", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"}
    | {".exr", ".hdr", ".psd", ".svg", ".jp2"}
)
VIDEOS = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mts", ".3gp"})
EXPECTED = "Give a folder with images: " + " ".join(sorted(EXTENSIONS))
UNREADABLE_REMEDY = "Restore or remove the file"

PixelKind = Literal["rgb", "grey", "stored"]
_READ_FLAGS = {
    "rgb": cv2.IMREAD_COLOR,
    "grey": cv2.IMREAD_GRAYSCALE,
    "stored": cv2.IMREAD_UNCHANGED,
}


@dataclass(frozen=True)
class ImageHeader:
    """What an image file says of itself.

    Attributes:
        size: (width, height) when upright.
        focal_px: focal length in pixels of that size from EXIF, or None.
        geodetic: where it was taken by EXIF: latitude and longitude [degrees, WGS 84] and
            altitude [m], or None.
    """

    size: tuple[int, int]
    focal_px: float | None
    geodetic: tuple[float, float, float] | None = None


def list_images(folder: Path) -> list[Path]:
    """The visible image files of a folder, numbers in names in order of their value.

    Raises:
        InputError: there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder at {folder}", EXPECTED)
    images = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()
    ]
    if not images:
        raise _no_images(folder)
    return sorted(images, key=lambda path: natural_key(path.name))


def _no_images(folder: Path) -> InputError:
    """What the folder holds instead, and what to do with that."""
    endings = [path.suffix.lower() for path in folder.iterdir() if path.is_file()]
    for others, what, remedy in (
        (VIDEOS, "videos", "Give one of them"),
        (OTHER_PICTURES, "pictures of another kind", "Convert them to JPEG, PNG or TIFF"),
    ):
        if found := sorted(set(endings) & others):
            return InputError(f"{folder} holds no images, but {what} ({' '.join(found)})", remedy)
    if any(path.is_dir() and not path.name.startswith(".") for path in folder.iterdir()):
        return InputError(
            f"{folder} holds no images, only folders", "Give the folder that the images are in"
        )
    return InputError(f"{folder} holds no images", EXPECTED)


def text_name(path: Path) -> str:
    """A file's name as text, as tables take it; of one that is none, odd bytes are written out."""
    return path.name.encode(errors="backslashreplace").decode()


def natural_key(name: str) -> tuple[Any, ...]:
    """Sorting key that puts `img2` before `img10`; ties are broken by the exact name."""
    parts = re.split(r"(\d+)", name.casefold())
    return ([int(part) if i % 2 else part for i, part in enumerate(parts)], name)


def read_header(path: Path) -> ImageHeader:
    """Size, focal length and place, without decoding the pixels.

    Raises:
        InputError: the file is not a readable image.
    """
    from mvrecon.formats import pictures

    try:
        return ImageHeader(*pictures.header(path))
    except pictures.UnknownPictureError:
        height, width = _read_tiff(path).shape[:2]
        return ImageHeader((width, height), None)


def read_rgb(path: Path, longest_px: int | None = None) -> NDArray[np.uint8]:
    """Upright 8-bit RGB image (h, w, 3), shrunk to at most `longest_px` on its longer side.

    Grey becomes RGB, alpha is left out, of 16 bits the upper 8 are taken.

    Raises:
        InputError: the file cannot be decoded completely.
    """
    return _shrink(_read(path, "RGB", longest_px), longest_px)


def read_grey(path: Path, longest_px: int | None = None) -> NDArray[np.uint8]:
    """Upright 8-bit grey image (h, w); see `read_rgb`."""
    return _shrink(_read(path, "L", longest_px), longest_px)


def read_alpha(path: Path) -> NDArray[np.uint8] | None:
    """How opaque each pixel of the upright image is (h, w); None if it has no such channel.

    Raises:
        InputError: the file cannot be decoded completely.
    """
    from mvrecon.formats import pictures

    try:
        return pictures.alpha(path)
    except pictures.UnknownPictureError:
        return None


def read_pixels(path: Path, kind: PixelKind = "rgb") -> NDArray[Any]:
    """Pixels by OpenCV: of images that this program or a data set wrote.

    Args:
        path: of the image.
        kind: `rgb` (h, w, 3) and `grey` (h, w) of 8 bits, or `stored`: type and channels of
            the file, colours in OpenCV's order (blue, green, red).

    Raises:
        InputError: missing, not an image, or cut short.
    """
    try:
        pixels = _decode(path.read_bytes(), _READ_FLAGS[kind])
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror})", UNREADABLE_REMEDY) from error
    if pixels is None:
        raise InputError(f"{path} is not an image, or is cut short", UNREADABLE_REMEDY)
    return np.ascontiguousarray(pixels[..., ::-1]) if kind == "rgb" else pixels


def write_jpeg(
    path: Path, rgb_hw3: NDArray[np.uint8], quality: int, full_colour: bool = True
) -> None:
    """Write an RGB image as JPEG, whatever the path's suffix.

    Args:
        path: of the file.
        rgb_hw3: the image.
        quality: 0…100.
        full_colour: colours at the resolution of brightness, else at half of it.
    """
    path.write_bytes(encode_jpeg(rgb_hw3, quality, full_colour))


def write_png(path: Path, pixels: NDArray[Any]) -> None:
    """Write 8- or 16-bit grey (h, w) or RGB (h, w, 3) as PNG, whatever the path's suffix."""
    path.write_bytes(encode_png(pixels))


def encode_jpeg(rgb_hw3: NDArray[np.uint8], quality: int, full_colour: bool = True) -> bytes:
    """An RGB image (h, w, 3), or a grey one (h, w), as a JPEG file's content."""
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if full_colour:
        parameters += [
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ]
    return _encode(".jpg", rgb_hw3, parameters)


def encode_png(pixels: NDArray[Any]) -> bytes:
    """Grey (h, w) or RGB (h, w, 3) of 8 or 16 bits as a PNG file's content."""
    return _encode(".png", pixels, [])


def decode_rgb(data: bytes) -> NDArray[np.uint8]:
    """RGB (h, w, 3) from an image file's content.

    Raises:
        InputError: not an image, or cut short.
    """
    bgr_hw3 = _decode(data, cv2.IMREAD_COLOR)
    if bgr_hw3 is None:
        raise InputError("cannot decode an image: no image, or cut short", UNREADABLE_REMEDY)
    return np.ascontiguousarray(bgr_hw3[..., ::-1], np.uint8)


def _decode(data: bytes, flags: int) -> NDArray[Any] | None:
    # Of a file that is cut short cv2.imread gives what there is; cv2.imdecode gives nothing.
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None


def _encode(suffix: str, pixels: NDArray[Any], parameters: list[int]) -> bytes:
    in_order = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    done, encoded = cv2.imencode(suffix, np.ascontiguousarray(in_order), parameters)
    if not done:
        raise ValueError(f"OpenCV cannot encode {pixels.dtype} {pixels.shape} as {suffix}")
    return encoded.tobytes()


def _read(path: Path, mode: str, longest_px: int | None) -> NDArray[np.uint8]:
    from mvrecon.formats import pictures

    try:
        return pictures.pixels(path, mode, longest_px)
    except pictures.UnknownPictureError:
        rgb_hw3 = _read_tiff(path)
        if mode == "L":
            return np.asarray(cv2.cvtColor(rgb_hw3, cv2.COLOR_RGB2GRAY), np.uint8)
        return rgb_hw3


def _read_tiff(path: Path) -> NDArray[np.uint8]:
    """RGB image (h, w, 3) from a TIFF of a kind that Pillow does not know, such as 16-bit RGB.

    Raises:
        InputError: it is none.
    """
    from mvrecon.formats import pictures

    data = path.read_bytes()
    if not data:
        raise pictures.unreadable(path, "empty file")
    size = pictures.tiff_size(data)
    if size is None:
        raise pictures.unreadable(path, "unknown format or damaged")
    pictures.require_size(size, path)
    try:
        bgr_hw3 = _decode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise pictures.unreadable(path, error) from error
    if bgr_hw3 is None:
        raise pictures.unreadable(path, "damaged")
    return np.ascontiguousarray(bgr_hw3[..., ::-1], np.uint8)


def _shrink(image: NDArray[np.uint8], longest_px: int | None) -> NDArray[np.uint8]:
    return resize_by_area(image, fit_size((image.shape[1], image.shape[0]), longest_px))
