"""Image files: listing a folder, reading upright 8-bit RGB, EXIF focal length, JPEG writing."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from mvrecon.errors import InputError
from mvrecon.geometry.resize import fit_size

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
EXPECTED = "Give a folder with images: " + " ".join(sorted(EXTENSIONS))
UNREADABLE_REMEDY = "Restore or remove the file"

FILM_DIAGONAL_MM = float(np.hypot(36.0, 24.0))
# EXIF's unit of the focal plane's resolution → mm.
RESOLUTION_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
# Fish-eye … long telephoto; anything else is an error in the file.
FOCAL_BOUNDS = (0.2, 20.0)


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
        raise InputError(f"{folder} holds no images", EXPECTED)
    return sorted(images, key=lambda path: natural_key(path.name))


def natural_key(name: str) -> tuple[Any, ...]:
    """Sorting key that puts `img2` before `img10`; ties are broken by the exact name."""
    parts = re.split(r"(\d+)", name.casefold())
    return ([int(part) if i % 2 else part for i, part in enumerate(parts)], name)


def read_header(path: Path) -> ImageHeader:
    """Size and focal length, without decoding the pixels.

    Raises:
        InputError: the file is not a readable image.
    """
    try:
        with Image.open(path) as image:
            exif = image.getexif()
            width, height = image.size
            if exif.get(ExifTags.Base.Orientation, 1) >= 5:
                width, height = height, width
            focal_px = exif_focal_px(exif, (width, height))
            return ImageHeader((width, height), focal_px, exif_geodetic(exif))
    except UnidentifiedImageError:
        height, width = _read_with_opencv(path).shape[:2]
        return ImageHeader((width, height), None)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error


def exif_focal_px(exif: Image.Exif, size: tuple[int, int]) -> float | None:
    """Focal length in pixels from EXIF tags, or None if they do not tell or make no sense.

    Taken from the 35 mm equivalent (by the diagonal, as CIPA DCG-001 defines it), else from
    the focal length and the focal plane's resolution.

    Args:
        exif: tags of the whole image.
        size: (width, height) of the image in pixels.
    """
    tags = exif.get_ifd(ExifTags.IFD.Exif)
    longest_px = max(size)
    focal_px = None
    if equivalent_mm := _number(tags.get(ExifTags.Base.FocalLengthIn35mmFilm)):
        focal_px = equivalent_mm / FILM_DIAGONAL_MM * float(np.hypot(*size))
    else:
        focal_mm = _number(tags.get(ExifTags.Base.FocalLength))
        per_unit = _number(tags.get(ExifTags.Base.FocalPlaneXResolution))
        unit_mm = RESOLUTION_UNIT_MM.get(tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2))
        if focal_mm and per_unit and unit_mm:
            # The resolution belongs to the picture as taken; a shrunk copy keeps the tag.
            sides_px = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
            taken_px = max(_number(tags.get(side)) or 0.0 for side in sides_px) or longest_px
            focal_px = focal_mm * per_unit / unit_mm * longest_px / taken_px
    if focal_px and FOCAL_BOUNDS[0] <= focal_px / longest_px <= FOCAL_BOUNDS[1]:
        return focal_px
    return None


def exif_geodetic(exif: Image.Exif) -> tuple[float, float, float] | None:
    """Latitude and longitude [degrees] and altitude [m, 0 if unknown] from EXIF, or None."""
    tags = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps = ExifTags.GPS
    latitude = _degrees(tags.get(gps.GPSLatitude), tags.get(gps.GPSLatitudeRef), "S")
    longitude = _degrees(tags.get(gps.GPSLongitude), tags.get(gps.GPSLongitudeRef), "W")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    if latitude == longitude == 0.0:
        return None  # what receivers without a fix write
    altitude_m = _number(tags.get(gps.GPSAltitude)) or 0.0
    below_sea = tags.get(gps.GPSAltitudeRef) in (1, b"\x01")
    return latitude, longitude, -altitude_m if below_sea else altitude_m


def _degrees(parts: Any, side: Any, negative_side: str) -> float | None:
    """Degrees, minutes and seconds as one number, negative on one side."""
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    value = degrees + minutes / 60.0 + seconds / 3600.0
    if not np.isfinite(value):
        return None
    return -value if side == negative_side else value


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


def write_jpeg(path: Path, rgb_hw3: NDArray[np.uint8], quality: int) -> None:
    """Write an RGB image as JPEG with full colour resolution, whatever the path's suffix."""
    parameters = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    encoded = cv2.imencode(".jpg", np.ascontiguousarray(rgb_hw3[..., ::-1]), parameters)[1]
    path.write_bytes(encoded.tobytes())


def _read(path: Path, mode: str, longest_px: int | None) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            if longest_px:
                # JPEG can be decoded at 1/2, 1/4, 1/8: far cheaper.
                image.draft(mode, (longest_px, longest_px))
            upright: Image.Image = ImageOps.exif_transpose(image)
            return np.array(_to_8_bit(upright).convert(mode), dtype=np.uint8)
    except UnidentifiedImageError:
        rgb_hw3 = _read_with_opencv(path)
        if mode == "L":
            return np.asarray(cv2.cvtColor(rgb_hw3, cv2.COLOR_RGB2GRAY), np.uint8)
        return rgb_hw3
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error


def _to_8_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype("u1"))
    if image.mode == "F":
        raise ValueError("floating-point pixels are not supported")
    return image


def _read_with_opencv(path: Path) -> NDArray[np.uint8]:
    """RGB image (h, w, 3) of a kind that Pillow does not know, such as 16-bit RGB TIFF."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    try:
        bgr_hw3 = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:
        raise _unreadable(path, error) from error
    if bgr_hw3 is None:
        raise _unreadable(path, "unknown format" if data.size else "empty file")
    return np.ascontiguousarray(bgr_hw3[..., ::-1], np.uint8)


def _shrink(image: NDArray[np.uint8], longest_px: int | None) -> NDArray[np.uint8]:
    size = (image.shape[1], image.shape[0])
    target = fit_size(size, longest_px)
    if target == size:
        return image
    return np.asarray(cv2.resize(image, target, interpolation=cv2.INTER_AREA), np.uint8)


def _unreadable(path: Path, why: object) -> InputError:
    reason = str(why).splitlines()[0] if str(why) else type(why).__name__
    return InputError(f"cannot read image {path.name}: {reason}", UNREADABLE_REMEDY)


def _number(value: Any) -> float | None:
    """A positive finite number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if np.isfinite(number) and number > 0 else None
