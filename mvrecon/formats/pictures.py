"""A user's pictures by Pillow: sizes checked before memory is taken, EXIF that lies left out."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from mvrecon.errors import InputError
from mvrecon.formats.exif import exif_focal_px, exif_geodetic

REMEDY = "Restore or remove the file"
# Larger ones are refused by their headers, before memory is taken for them. JPEG, of which
# phones take 200 megapixels, is decoded at a fraction of its size.
MAX_PIXELS = 1 << 27
MAX_JPEG_PIXELS = 1 << 28

# EXIF's orientation → what makes the stored picture upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED = (5, 6, 7, 8)

_refused: set[Path] = set()


class UnknownPictureError(InputError):
    """Pillow does not know its kind."""


def header(path: Path) -> tuple[tuple[int, int], float | None, tuple[float, float, float] | None]:
    """Upright (width, height), focal length [px] and place of a picture.

    Raises:
        InputError: the file is not a readable image, or too large a one.
    """
    try:
        with path.open("rb") as file, _opened(file, path) as image:
            exif = _exif(image)
            width, height = image.size
            if isinstance(image, TiffImagePlugin.TiffImageFile):
                # Some versions of Pillow turn the size of these alone.
                width, height = image.tag_v2[256], image.tag_v2[257]
            if _orientation(exif) in _TURNED:
                width, height = height, width
            return (width, height), exif_focal_px(exif, (width, height)), exif_geodetic(exif)
    except InputError:
        raise
    except Exception as error:  # decoders raise anything of a damaged file
        raise unreadable(path, error) from error


def pixels(path: Path, mode: str, longest_px: int | None) -> NDArray[np.uint8]:
    """Upright pixels of 8 bits, (h, w, 3) for mode RGB or (h, w) for L.

    Args:
        path: of the picture.
        mode: RGB or L.
        longest_px: a JPEG may be decoded at a fraction of its size, not below this.

    Raises:
        InputError: the file cannot be decoded completely.
    """
    try:
        with _opened(io.BytesIO(path.read_bytes()), path) as image:
            if longest_px:
                # JPEG can be decoded at 1/2, 1/4, 1/8: far cheaper.
                image.draft(mode, (longest_px, longest_px))
            image.load()
            turn = _TURNS.get(_orientation(_exif(image)))
            upright = image if turn is None else image.transpose(turn)
            return np.array(_to_8_bit(upright).convert(mode), dtype=np.uint8)
    except InputError:
        raise
    except Exception as error:  # decoders raise anything of a damaged file
        raise unreadable(path, error) from error


def alpha(path: Path) -> NDArray[np.uint8] | None:
    """The upright alpha channel (h, w); None of a picture without one.

    Raises:
        InputError: the file cannot be decoded completely.
    """
    try:
        with path.open("rb") as file, _opened(file, path) as image:
            if not image.has_transparency_data:
                return None
            image.load()
            turn = _TURNS.get(_orientation(_exif(image)))
            upright = image if turn is None else image.transpose(turn)
            return np.array(upright.convert("RGBA").getchannel("A"), dtype=np.uint8)
    except InputError:
        raise
    except Exception as error:  # decoders raise anything of a damaged file
        raise unreadable(path, error) from error


def tiff_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) that the header of a TIFF file gives; None of another kind."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return None
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        file = io.BytesIO(data)
        file.seek(tags.next)
        tags.load(file)
        return int(tags[256]), int(tags[257])
    except Exception:  # as above
        return None


def refuse(paths: Iterable[Path]) -> None:
    """Call these pictures unreadable from now on in this process: they have ended another one."""
    _refused.update(paths)


def require_size(size: tuple[int, int], path: Path, most_px: int = MAX_PIXELS) -> None:
    """Refuse what would take too much memory.

    Raises:
        InputError: it would.
    """
    if size[0] * size[1] > most_px:
        raise InputError(
            f"image {path.name} has {size[0]}×{size[1]} px by its header, more than the "
            f"{most_px / 1e6:.0f} million that are read",
            "Shrink or remove it",
        )


def unreadable(path: Path, why: object) -> InputError:
    """The error of a picture that cannot be read."""
    reason = str(why).splitlines()[0] if str(why) else type(why).__name__
    return InputError(f"cannot read image {path.name}: {reason}", REMEDY)


def _opened(file: IO[bytes], path: Path) -> Image.Image:
    """The picture, its header read and its size checked."""
    _set_up()
    if path in _refused:
        raise unreadable(path, "it crashes its decoder")
    try:
        image = Image.open(file)
    except UnidentifiedImageError as error:
        raise UnknownPictureError(
            f"cannot read image {path.name}: unknown format or damaged", REMEDY
        ) from error
    require_size(image.size, path, MAX_JPEG_PIXELS if image.format == "JPEG" else MAX_PIXELS)
    return image


@cache
def _set_up() -> None:
    """Teach Pillow HEIF, and leave sizes to `require_size`."""
    import pi_heif

    pi_heif.register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = None


def _exif(image: Image.Image) -> Image.Exif:
    """The tags; none if they cannot be read."""
    try:
        exif = image.getexif()
        for block in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            exif.get_ifd(block)
    except Exception:  # as above; the pixels may be whole
        return Image.Exif()
    return exif


def _orientation(exif: Image.Exif) -> int:
    value = exif.get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and value in _TURNS else 1


def _to_8_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype("u1"))
    if image.mode == "F":
        raise ValueError("floating-point pixels are not supported, convert it to 8 or 16 bits")
    return image
