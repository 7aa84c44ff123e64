"""What EXIF tags tell of a picture: focal length, and where it was taken."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import ExifTags, Image

FILM_DIAGONAL_MM = float(np.hypot(36.0, 24.0))
# EXIF's unit of the focal plane's resolution → mm.
RESOLUTION_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
# Fish-eye … long telephoto; anything else is an error in the file.
FOCAL_BOUNDS = (0.2, 20.0)


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


def _number(value: Any) -> float | None:
    """A positive finite number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if np.isfinite(number) and number > 0 else None
