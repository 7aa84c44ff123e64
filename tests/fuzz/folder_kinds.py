"""Kinds of folders of pictures."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, PngImagePlugin

from tests import media
from tests.fuzz.kinds import DONE, INPUT, NOT_ENOUGH, Kind, good_video

Pixels = NDArray[np.uint8]
PHONE = Path(__file__).parents[1] / "formats" / "data" / "phone.heic"


def pan(height: int = 96, width: int = 128, count: int = 6) -> list[Pixels]:
    """Pictures of which a model could be made."""
    return media.pan([8 * i for i in range(count)], height=height, width=width)


def content(pixels: Pixels, kind: str, mode: str = "RGB", **options: object) -> bytes:
    """A picture file of a kind that Pillow writes."""
    out = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(out, kind, **options)
    return out.getvalue()


def folder_of(
    write: Callable[[Pixels], bytes], suffix: str, images: list[Pixels] | None = None
) -> Callable[[Path], Path]:
    """Pictures with each its content."""

    def make(folder: Path) -> Path:
        photos = folder / "photos"
        photos.mkdir()
        for i, image in enumerate(pan() if images is None else images):
            (photos / f"{i:03d}{suffix}").write_bytes(write(image))
        return photos

    return make


def jpegs(**options: object) -> Callable[[Pixels], bytes]:
    return lambda pixels: content(pixels, "JPEG", quality=92, **options)


def png(pixels: Pixels) -> bytes:
    return content(pixels, "PNG")


def claimed(kind: str, place: Callable[[bytes], int], size: bytes) -> Callable[[Pixels], bytes]:
    """Pictures whose headers claim another size."""

    def write(pixels: Pixels) -> bytes:
        data = bytearray(content(pixels, kind))
        start = place(bytes(data))
        data[start : start + len(size)] = size
        if kind == "PNG":
            data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        return bytes(data)

    return write


def with_exif(fill: Callable[[Image.Exif], None]) -> Callable[[Pixels], bytes]:
    exif = Image.Exif()
    fill(exif)
    return jpegs(exif=exif)


def _orientation(value: int) -> Callable[[Image.Exif], None]:
    def fill(exif: Image.Exif) -> None:
        exif[ExifTags.Base.Orientation] = value

    return fill


def _lens(**tags: object) -> Callable[[Image.Exif], None]:
    def fill(exif: Image.Exif) -> None:
        block = exif.get_ifd(ExifTags.IFD.Exif)
        for name, value in tags.items():
            block[ExifTags.Base[name]] = value

    return fill


def _place(latitude: object, longitude: object) -> Callable[[Image.Exif], None]:
    def fill(exif: Image.Exif) -> None:
        block = exif.get_ifd(ExifTags.IFD.GPSInfo)
        block[ExifTags.GPS.GPSLatitude], block[ExifTags.GPS.GPSLongitude] = latitude, longitude

    return fill


def _spoilt_exif(pixels: Pixels) -> bytes:
    data = with_exif(_orientation(6))(pixels)
    place = data.index(b"Exif\0\0") + 6
    return data[:place] + b"\xff" * 20 + data[place + 20 :]


def _text_bomb(pixels: Pixels) -> bytes:
    """A comment that unfolds to a gigabyte."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 1000, zip=True)
    data = content(pixels, "PNG", pnginfo=text)
    deflate = zlib.compressobj(9)
    bomb = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(1024)) + deflate.flush()
    body = b"zTXt" + b"Comment\0\0" + bomb
    chunk = len(body[4:]).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return data[:33] + chunk + data[33:]


def _sixteen_bits(pixels: Pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(out, "TIFF")
    return out.getvalue()


def _floats(pixels: Pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels[..., 0].astype(np.float32)).save(out, "TIFF")
    return out.getvalue()


def _pages(pixels: Pixels) -> bytes:
    return content(pixels, "TIFF", save_all=True, append_images=[Image.fromarray(pixels[::-1])])


def _named(name: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        photos = media.write_images(folder / "photos", pan())
        (photos / "000.png").rename(photos / os.fsdecode(name))
        return photos

    return make


def among(spoil: Callable[[Path], None]) -> Callable[[Path], Path]:
    """Good pictures with something else among them."""

    def make(folder: Path) -> Path:
        photos = media.write_images(folder / "photos", pan())
        spoil(photos)
        return photos

    return make


def only(*names: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        photos = folder / "photos"
        photos.mkdir()
        for name in names:
            (photos / name).write_bytes(b"some content")
        return photos

    return make


def _loop(photos: Path) -> None:
    (photos / "loop.png").symlink_to("loop.png")


def _of_all_sizes(folder: Path) -> Path:
    images = [image[: 96 - 4 * i, : 128 - 6 * i] for i, image in enumerate(pan())]
    return media.write_images(folder / "photos", images)


def _size_of_jpeg(data: bytes) -> int:
    return data.index(b"\xff\xc0") + 5


def _subfolders(folder: Path) -> Path:
    (folder / "photos" / "inside").mkdir(parents=True)
    return folder / "photos"


def _videos(folder: Path) -> Path:
    (folder / "photos").mkdir()
    good_video(folder / "photos" / "a.mp4")
    return folder / "photos"


BIG = b"\xff\xff\xff\xff"
HUGE = (60_000).to_bytes(4, "big") * 2
HUGE_LITTLE = (60_000).to_bytes(4, "little") * 2
EQUAL = [pan()[0]] * 6
TINY = [np.full((1, 1, 3), 90, np.uint8)] * 2
TOO_SMALL = "000.png has only"

FOLDER_KINDS = (
    Kind("an empty folder", only(), INPUT, "holds no images"),
    Kind("a folder of text", only("a.txt", "b.csv"), INPUT, "holds no images"),
    Kind("a folder of folders", _subfolders, INPUT, "only folders"),
    Kind("a folder of videos", _videos, INPUT, "holds no images, but videos"),
    Kind("a folder of raw photos", only("a.NEF", "b.dng"), INPUT, "pictures of another kind"),
    Kind("a folder of GIFs", only("a.gif"), INPUT, "pictures of another kind"),
    Kind("a folder of AVIF", only("a.avif", "b.avif"), INPUT, "pictures of another kind"),
    Kind("hidden images only", only(".a.jpg"), INPUT, "holds no images"),
    Kind("one image", folder_of(png, ".png", pan(count=1)), NOT_ENOUGH, "only one frame"),
    Kind("the same image again", folder_of(png, ".png", EQUAL), NOT_ENOUGH, "identical"),
    Kind("black images", folder_of(png, ".png", [0 * image for image in pan()]), NOT_ENOUGH,
         "black"),
    Kind("images of 1×1 px", folder_of(png, ".png", TINY), INPUT, TOO_SMALL + " 1×1 px"),
    Kind("images of 16×16 px", folder_of(png, ".png", pan(16, 16)), INPUT, TOO_SMALL),
    Kind("images of 8×2000 px", folder_of(png, ".png", pan(8, 2000)), INPUT, "as long as wide"),
    Kind("images of all sizes", _of_all_sizes, DONE),
    Kind("text named .jpg", only("a.jpg", "b.jpg", "c.jpg"), INPUT, "unknown format"),
    Kind("empty images", folder_of(lambda _: b"", ".jpg"), INPUT, "empty file"),
    Kind("JPEGs that are cut off", folder_of(lambda p: jpegs()(p)[:-900], ".jpg"), INPUT,
         "truncated"),
    Kind("progressive JPEGs that are cut off",
         folder_of(lambda p: jpegs(progressive=True)(p)[:-900], ".jpg"), INPUT, "truncated"),
    Kind("PNGs that are cut off", folder_of(lambda p: png(p)[:-900], ".png"), INPUT,
         "cannot read image"),
    Kind("HEICs that are cut off", folder_of(lambda _: PHONE.read_bytes()[:400], ".heic"), INPUT,
         "cannot read image"),
    Kind("HEIC, the same again", folder_of(lambda _: PHONE.read_bytes(), ".HEIC"), NOT_ENOUGH,
         "identical"),
    Kind("JPEGs named .png", folder_of(jpegs(), ".png"), DONE),
    Kind("PNGs of 60,000×60,000 px by their headers",
         folder_of(claimed("PNG", lambda _: 16, HUGE), ".png"), INPUT, "60000×60000 px"),
    Kind("JPEGs of 65,535×65,535 px by their headers",
         folder_of(claimed("JPEG", _size_of_jpeg, BIG), ".jpg"), INPUT, "65535×65535 px"),
    Kind("JPEGs of 16,383×16,383 px by their headers",
         folder_of(claimed("JPEG", _size_of_jpeg, b"\x3f\xff\x3f\xff"), ".jpg"), NOT_ENOUGH,
         "static camera"),
    Kind("JPEGs of no size", folder_of(claimed("JPEG", _size_of_jpeg, bytes(4)), ".jpg"), INPUT,
         "cannot read image"),
    Kind("BMPs of 60,000×60,000 px by their headers",
         folder_of(claimed("BMP", lambda _: 18, HUGE_LITTLE), ".bmp"), INPUT, "60000×60000 px"),
    Kind("TIFFs of 60,000×60,000 px by their headers",
         folder_of(lambda p: content(p, "TIFF").replace(
             b"\x00\x01\x04\x00\x01\x00\x00\x00\x80\x00\x00\x00",
             b"\x00\x01\x04\x00\x01\x00\x00\x00\x60\xea\x00\x00"), ".tif"), INPUT, ""),
    Kind("PNGs with a comment of a gigabyte", folder_of(_text_bomb, ".png", pan(count=2)), INPUT,
         "cannot read image"),
    Kind("16-bit TIFF", folder_of(_sixteen_bits, ".tif"), DONE),
    Kind("floating-point TIFF", folder_of(_floats, ".tif"), INPUT, "convert it to 8 or 16 bits"),
    Kind("TIFF with pages", folder_of(_pages, ".tif"), DONE),
    Kind("grey JPEG", folder_of(lambda p: content(p, "JPEG", "L"), ".jpg"), DONE),
    Kind("CMYK JPEG", folder_of(lambda p: content(p, "JPEG", "CMYK"), ".jpg"), DONE),
    Kind("palette PNG", folder_of(lambda p: content(p, "PNG", "P"), ".png"), DONE),
    Kind("PNG of black and white", folder_of(lambda p: content(p, "PNG", "1"), ".png"), DONE),
    Kind("WebP", folder_of(lambda p: content(p, "WEBP", lossless=True), ".webp"), DONE),
    Kind("EXIF with an orientation that there is not", folder_of(with_exif(_orientation(99)),
         ".jpg"), DONE),
    Kind("EXIF of a quarter turn", folder_of(with_exif(_orientation(6)), ".jpg"), DONE),
    Kind("EXIF that cannot be read", folder_of(_spoilt_exif, ".jpg"), DONE),
    Kind("EXIF with a focal length of no size",
         folder_of(with_exif(_lens(FocalLengthIn35mmFilm=0, FocalLength=0.0)), ".jpg"), DONE),
    Kind("EXIF with an endless focal length",
         folder_of(with_exif(_lens(FocalLength=1e9, FocalPlaneXResolution=1e9)), ".jpg"), DONE),
    Kind("EXIF with a focal length in words",
         folder_of(with_exif(_lens(FocalLength="wide", LensModel="x" * 60_000)), ".jpg"), DONE),
    Kind("EXIF with a place that there is not",
         folder_of(with_exif(_place((999.0, 0.0, 0.0), (4e6, 99.0, 99.0))), ".jpg"), DONE),
    Kind("an image with a line break in its name", _named(b"0\n0.png"), DONE),
    Kind("an image with markup in its name", _named(b"<script>alert(1)<!--.png"), DONE),
    Kind("an image whose name is not UTF-8", _named(b"\xff\xfe.png"), DONE),
    Kind("an image that is a link to itself", among(_loop), DONE),
    Kind("an image that is a pipe", among(lambda photos: os.mkfifo(photos / "p.png")), DONE),
    Kind("an image that is a device", among(
        lambda photos: (photos / "z.png").symlink_to("/dev/zero")), DONE),
    Kind("an image that is a folder", among(lambda photos: (photos / "f.png").mkdir()), DONE),
    Kind("one image that is text", among(lambda photos: (photos / "x.jpg").write_text("Dear")),
         DONE, "x.jpg"),
    Kind("one image of 1×1 px", among(lambda photos: (photos / "x.png").write_bytes(png(TINY[0]))),
         DONE, "x.png"),
)  # fmt: skip
