import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from mvrecon.errors import InputError
from mvrecon.formats.images import (
    ImageHeader,
    decode_rgb,
    encode_jpeg,
    list_images,
    read_grey,
    read_header,
    read_pixels,
    read_rgb,
    write_jpeg,
    write_png,
)
from tests.media import make_texture


def save_with_exif(path, size=(400, 300), orientation=None, **tags):
    exif = Image.Exif()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    ifd = exif.get_ifd(ExifTags.IFD.Exif)
    for name, value in tags.items():
        ifd[ExifTags.Base[name]] = value
    pixels = np.full((size[1], size[0], 3), 40, np.uint8)
    pixels[: size[1] // 4, : size[0] // 4] = (250, 120, 10)
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    return path


def test_lists_images_in_natural_order_and_nothing_else(tmp_path):
    for name in ["img10.JPG", "img2.jpg", "IMG1.Png", ".hidden.jpg", "notes.txt", "img3.webp"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    names = [path.name for path in list_images(tmp_path)]
    assert names == ["IMG1.Png", "img2.jpg", "img3.webp", "img10.JPG"]


def test_empty_and_missing_folders_are_input_errors(tmp_path):
    with pytest.raises(InputError, match="holds no images"):
        list_images(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        list_images(tmp_path / "missing")


@pytest.mark.parametrize(
    ("orientation", "bright"),
    [(1, "tl"), (2, "tr"), (3, "br"), (4, "bl"), (5, "tl"), (6, "tr"), (7, "br"), (8, "bl")],
)
def test_exif_orientation_is_applied(tmp_path, orientation, bright):
    path = save_with_exif(tmp_path / "a.jpg", orientation=orientation)
    turned = orientation >= 5
    image = read_rgb(path)
    assert image.shape == ((400, 300, 3) if turned else (300, 400, 3))
    assert read_header(path).size == ((300, 400) if turned else (400, 300))
    corners = {
        "tl": image[:20, :20],
        "tr": image[:20, -20:],
        "bl": image[-20:, :20],
        "br": image[-20:, -20:],
    }
    assert max(corners, key=lambda name: corners[name][..., 0].mean()) == bright


def test_focal_length_from_the_35_mm_equivalent(tmp_path):
    path = save_with_exif(tmp_path / "a.jpg", FocalLengthIn35mmFilm=26, FocalLength=4.2)
    assert read_header(path).focal_px == pytest.approx(26 / 43.2666 * 500, rel=1e-4)


def test_focal_length_from_the_focal_plane_resolution(tmp_path):
    """A sensor 20 mm wide with 400 pixels has 20 pixels a millimetre."""
    tags = {"FocalLength": 30.0, "FocalPlaneXResolution": 200.0, "FocalPlaneResolutionUnit": 3}
    assert read_header(save_with_exif(tmp_path / "a.jpg", **tags)).focal_px == pytest.approx(600)
    shrunk = save_with_exif(tmp_path / "b.jpg", ExifImageWidth=800, ExifImageHeight=600, **tags)
    assert read_header(shrunk).focal_px == pytest.approx(300)


@pytest.mark.parametrize(
    "tags",
    [{}, {"FocalLengthIn35mmFilm": 0}, {"FocalLengthIn35mmFilm": 60000}, {"FocalLength": 4.2}],
)
def test_senseless_or_missing_focal_lengths_are_ignored(tmp_path, tags):
    assert read_header(save_with_exif(tmp_path / "a.jpg", **tags)).focal_px is None


def test_16_bit_grey_and_alpha_become_8_bit_rgb(tmp_path):
    rgb = make_texture(40, 60)
    grey16 = rgb[..., 0].astype(np.uint16) * 257
    rgb16 = rgb.astype(np.uint16) * 257
    rgba = np.dstack([rgb[..., ::-1], np.full((40, 60), 100, np.uint8)])
    cv2.imwrite(str(tmp_path / "grey16.png"), grey16)
    cv2.imwrite(str(tmp_path / "grey16.tif"), grey16)
    cv2.imwrite(str(tmp_path / "rgb16.png"), rgb16[..., ::-1])
    cv2.imwrite(str(tmp_path / "rgb16.tiff"), rgb16[..., ::-1])
    cv2.imwrite(str(tmp_path / "rgba.png"), rgba)
    cv2.imwrite(str(tmp_path / "grey.bmp"), rgb[..., 0])
    for path in list_images(tmp_path):
        expected = np.repeat(rgb[..., :1], 3, axis=2) if "grey" in path.name else rgb
        image = read_rgb(path)
        assert image.dtype == np.uint8, path.name
        assert np.array_equal(image, expected), path.name
        assert read_header(path).size == (60, 40)
        assert read_grey(path).shape == (40, 60)


def test_shrinks_to_the_bound(tmp_path):
    path = save_with_exif(tmp_path / "a.jpg", orientation=6)
    assert read_rgb(path, 100).shape == (100, 75, 3)
    assert read_grey(path, 100).shape == (100, 75)


def test_unreadable_images_are_input_errors(tmp_path):
    good = save_with_exif(tmp_path / "good.jpg")
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.jpg").write_bytes(good.read_bytes()[:-1500])
    for name in ("text.jpg", "empty.png", "cut.jpg"):
        with pytest.raises(InputError, match=name) as caught:
            read_rgb(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("kind", ["rgb", "grey", "stored"])
def test_stored_pixels_are_those_of_opencv_and_a_cut_file_is_an_error(tmp_path, suffix, kind):
    flags = {"rgb": cv2.IMREAD_COLOR, "grey": cv2.IMREAD_GRAYSCALE, "stored": cv2.IMREAD_UNCHANGED}
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), make_texture(80, 120))
    expected = cv2.imread(str(path), flags[kind])
    pixels = read_pixels(path, kind)
    assert np.array_equal(pixels, expected[..., ::-1] if kind == "rgb" else expected)
    whole = path.read_bytes()
    for content in (whole[:-20], whole[: len(whole) // 2], b"text", b""):
        path.write_bytes(content)
        with pytest.raises(InputError, match=path.name):
            read_pixels(path, kind)
        with pytest.raises(InputError, match="cut short"):
            decode_rgb(content)
    with pytest.raises(InputError, match="No such file"):
        read_pixels(tmp_path / f"none{suffix}")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 3)])
def test_png_keeps_every_bit(tmp_path, dtype, shape):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    write_png(tmp_path / "a.part", pixels)
    stored = read_pixels(tmp_path / "a.part", "stored")
    assert stored.dtype == dtype
    assert np.array_equal(stored if len(shape) == 2 else stored[..., ::-1], pixels)


def test_jpeg_of_half_the_colour_is_what_opencv_writes(tmp_path):
    image = make_texture(80, 120)
    cv2.imwrite(str(tmp_path / "a.jpg"), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    code = encode_jpeg(image, 90, full_colour=False)
    assert code == (tmp_path / "a.jpg").read_bytes()
    assert np.array_equal(decode_rgb(code), read_pixels(tmp_path / "a.jpg"))
    assert len(encode_jpeg(image, 90)) > len(code)


def test_jpeg_quality_and_colours(tmp_path):
    image = make_texture(80, 120)
    for quality, largest_error in ((97, 2.5), (50, 30)):
        path = tmp_path / "a.part"
        write_jpeg(path, image, quality)
        error = np.abs(read_rgb(path).astype(int) - image).mean()
        assert error < largest_error
    assert error > 2.5


def save_with_gps(path, latitude, longitude, altitude=None, sides=("N", "E"), altitude_ref=b"\0"):
    exif = Image.Exif()
    ifd = exif.get_ifd(ExifTags.IFD.GPSInfo)
    ifd[ExifTags.GPS.GPSLatitudeRef], ifd[ExifTags.GPS.GPSLongitudeRef] = sides
    ifd[ExifTags.GPS.GPSLatitude], ifd[ExifTags.GPS.GPSLongitude] = latitude, longitude
    if altitude is not None:
        ifd[ExifTags.GPS.GPSAltitudeRef], ifd[ExifTags.GPS.GPSAltitude] = altitude_ref, altitude
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(path, exif=exif)
    return path


def test_place_from_exif(tmp_path):
    there = (48.0, 30.0, 36.0), (11.0, 15.0, 0.0)
    path = tmp_path / "a.jpg"
    assert read_header(save_with_gps(path, *there, 520.5)).geodetic == (48.51, 11.25, 520.5)
    assert read_header(save_with_gps(path, *there)).geodetic == (48.51, 11.25, 0.0)
    south_west = save_with_gps(path, *there, 3.0, ("S", "W"), b"\1")
    assert read_header(south_west).geodetic == (-48.51, -11.25, -3.0)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), ((95.0, 0.0, 0.0), (3.0, 0.0, 0.0))],
)
def test_places_that_are_none(tmp_path, latitude, longitude):
    assert read_header(save_with_gps(tmp_path / "a.jpg", latitude, longitude)).geodetic is None


def test_without_gps_there_is_no_place(tmp_path):
    assert read_header(save_with_exif(tmp_path / "a.jpg")).geodetic is None


PHONE = Path(__file__).parent / "data" / "phone.heic"  # 96×64 px, turned by EXIF, 26 mm


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "IMG_1.heif", "exported.jpg"])
def test_reads_heic_upright_whatever_it_is_called(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(PHONE.read_bytes())
    assert list_images(tmp_path) == [path]
    image = read_rgb(path)
    assert image.shape == (96, 64, 3)
    assert image[:8, -8:].mean() > 2 * image[:8, :8].mean()
    header = read_header(path)
    assert header.size == (64, 96)
    assert header.focal_px == pytest.approx(26 / 43.2666 * np.hypot(96, 64), rel=1e-4)


def test_a_folder_of_other_things_is_told_what_it_holds(tmp_path):
    for name, word in {
        "a.NEF": "pictures of another kind (.nef)",
        "a.mov": "videos (.mov)",
        "a.txt": "holds no images. Give",
    }.items():
        folder = tmp_path / name.replace(".", "_")
        folder.mkdir()
        (folder / name).touch()
        with pytest.raises(InputError) as caught:
            list_images(folder)
        assert word in str(caught.value)
    with pytest.raises(InputError, match="only folders"):
        list_images(tmp_path)


def test_a_size_that_would_fill_the_memory_is_refused_by_the_header(tmp_path):
    bomb = tmp_path / "bomb.png"
    Image.new("L", (16, 16)).save(bomb)
    data = bytearray(bomb.read_bytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    bomb.write_bytes(data)
    for read in (read_rgb, read_header):
        with pytest.raises(InputError, match="60000×60000 px by its header"):
            read(bomb)


def test_exif_that_cannot_be_read_does_not_cost_the_picture(tmp_path):
    path = save_with_exif(tmp_path / "a.jpg", orientation=6, FocalLengthIn35mmFilm=26)
    data = path.read_bytes()
    place = data.index(b"Exif\0\0") + 6
    path.write_bytes(data[:place] + b"\xff" * 24 + data[place + 24 :])
    assert read_rgb(path).shape == (300, 400, 3)
    assert read_header(path) == ImageHeader((400, 300), None)


@pytest.mark.parametrize("mode", ["CMYK", "LA", "RGBA", "P", "1", "L"])
def test_other_kinds_of_pixels_become_rgb(tmp_path, mode):
    rgb = Image.fromarray(make_texture(40, 60))
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    rgb.convert(mode).save(path)
    expected = np.asarray(rgb.convert(mode).convert("RGB"), int)
    assert np.abs(read_rgb(path) - expected).mean() < 5
    assert read_grey(path).shape == (40, 60)


def test_a_turned_tiff_has_the_size_that_it_is_read_with(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(make_texture(40, 60)).save(tmp_path / "a.tif", exif=exif)
    assert read_rgb(tmp_path / "a.tif").shape == (60, 40, 3)
    assert read_header(tmp_path / "a.tif").size == (40, 60)
