"""Black bars are cut; 360° and fisheye frames are looked through by pinhole cameras."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mvrecon.artifacts.frames import FrameTable
from mvrecon.engine.runner import Runner
from mvrecon.errors import UsageError
from mvrecon.formats.frame_view import Crop, Face, view_from_json, view_to_json
from mvrecon.formats.images import read_rgb
from stages.frames.config import FramesConfig
from stages.frames.decode import choose_from_input
from stages.frames.stage import STAGE
from stages.frames.views import find_views
from tests.media import pan, write_images, write_video

TOP = 24  # of frames 120 px high


def letterboxed(count=16):
    images = [image.copy() for image in pan(np.arange(count) * 6.0)]
    for image in images:
        image[:TOP] = 0
        image[-TOP:] = 0
    return images


def test_bars_are_cut_and_the_centre_follows(tmp_path) -> None:
    video = write_video(tmp_path / "clip.mp4", letterboxed())
    runner = Runner([STAGE], tmp_path / "run", video, {"frames": FramesConfig()}, workers=1)
    artifact = runner.run("frames")["frames"]
    table = FrameTable.load(artifact.path("frames.json"))
    assert not table.is_joined
    view = table.parts[0].view
    assert isinstance(view, Crop)
    left, top, right, bottom = view.box
    assert (left, right) == (0, 0)
    assert abs(top - TOP) <= 2
    assert abs(bottom - TOP) <= 2
    camera = table.camera_of(table.key_frames[0])
    assert camera.cy == pytest.approx((camera.height - 1) / 2)
    image = read_rgb(artifact.path(f"images/{table.key_frames[0].name}.jpg"))
    assert image.shape[:2] == (camera.height, camera.width)
    assert image[0].mean() > 30
    assert any("black bars were cut" in told for told in artifact.read_summary()["warnings"])


def test_given_intrinsics_are_those_of_the_whole_frames(tmp_path) -> None:
    folder = write_images(tmp_path / "images", letterboxed())
    config = FramesConfig(camera=(150.0, 150.0, 79.5, 59.5))
    ((view, table),), _ = choose_from_input(folder, config)
    assert view is not None
    prior = table.cameras[0]
    assert prior.source == "given"
    assert prior.camera.cy == pytest.approx(59.5 - view.box[1])


def test_what_is_no_bar_stays(tmp_path) -> None:
    plain = [image.copy() for image in pan(np.arange(8) * 6.0)]
    uneven = [image.copy() for image in plain]
    for image in uneven:
        image[-2 * TOP :] = 0
    night = [
        (image * (np.arange(120)[:, None, None] > 90) * 0.3).astype(np.uint8) for image in plain
    ]
    for name, images in (("plain", plain), ("uneven", uneven), ("night", night)):
        folder = write_images(tmp_path / name, images)
        assert find_views(folder, FramesConfig())[0] == [None], name
    boxed = write_images(tmp_path / "boxed", letterboxed(8))
    assert find_views(boxed, FramesConfig(bars="keep"))[0] == [None]


def sphere_picture(width: int) -> np.ndarray:
    """An equirectangular picture whose colours tell the direction: x, y, z of the ray."""
    lon = ((np.arange(width) + 0.5) / width - 0.5) * 2 * math.pi
    lat = ((np.arange(width // 2) + 0.5) / (width // 2) - 0.5) * math.pi
    lon, lat = np.meshgrid(lon, lat)
    ray = np.stack([np.cos(lat) * np.sin(lon), np.sin(lat), np.cos(lat) * np.cos(lon)], axis=-1)
    return np.round(127.5 + 127.5 * ray).astype(np.uint8)


def directions(view: Face, picture: np.ndarray) -> np.ndarray:
    seen = view.read(lambda _: picture, None).astype(float)
    ray = (seen - 127.5) / 127.5
    return ray / np.linalg.norm(ray, axis=-1, keepdims=True)


@pytest.mark.parametrize(("yaw", "ahead"), [(0, (0, 0, 1)), (90, (1, 0, 0)), (180, (0, 0, -1))])
def test_a_face_sees_where_its_camera_looks(tmp_path, yaw, ahead) -> None:
    views, _ = find_views(
        write_images(tmp_path / "round", [sphere_picture(720)] * 2),
        FramesConfig(projection="equirect"),
    )
    view = next(one for one in views if one.yaw_deg == yaw)
    seen = directions(view, sphere_picture(720))
    height, width = seen.shape[:2]
    np.testing.assert_allclose(seen[height // 2, width // 2], ahead, atol=0.02)
    # 40° to the right of the middle, by the view's own camera.
    column = round(view.camera(None).cx + view.focal_px * math.tan(math.radians(40)))
    angle = math.degrees(math.acos(float(np.dot(seen[height // 2, column], ahead))))
    assert angle == pytest.approx(40, abs=1.0)


def test_a_fisheye_is_seen_through_a_flat_view() -> None:
    """Equidistant: a point 30° off the axis lies at a third of 90°."""
    view = Face("fisheye", (400, 300), (300, 225), 127.3, 0.0, 400 / math.radians(180))
    y, x = np.mgrid[0:300, 0:400]
    off_deg = np.hypot(x - 199.5, y - 149.5) / (400 / 180)
    picture = np.clip(off_deg * 2, 0, 255).astype(np.uint8)
    seen = view.read(lambda _: picture, None)
    column = round(149.5 + view.focal_px * math.tan(math.radians(30)))
    assert seen[112, column] / 2 == pytest.approx(30, abs=1.0)


def test_a_round_video_becomes_four_views_of_one_lens(tmp_path) -> None:
    images = [np.roll(sphere_picture(320), 8 * shift, axis=1) for shift in range(6)]
    folder = write_images(tmp_path / "round", images)
    chosen, told = choose_from_input(folder, FramesConfig(projection="equirect", every_frame=True))
    assert len(chosen) == 4
    assert {table.cameras[0] for _, table in chosen} == {chosen[0][1].cameras[0]}
    assert chosen[0][1].cameras[0].source == "given"
    assert any("four views" in one for one in told)


def test_what_does_not_suit_is_told(tmp_path) -> None:
    flat = write_images(tmp_path / "flat", list(pan(np.arange(3))))
    for options, told in (
        ({"projection": "equirect"}, "twice as wide as high"),
        ({"projection": "fisheye"}, "--frames.field_deg 150"),
        ({"projection": "fisheye", "field_deg": 150.0, "camera": (100.0,)}, "flat pictures"),
    ):
        with pytest.raises(UsageError, match=told):
            find_views(flat, FramesConfig(**options))


@pytest.mark.parametrize(
    "view", [Crop((64, 48), (1, 2, 3, 4)), Face("equirect", (8, 4), (2, 2), 1.0)]
)
def test_a_view_is_read_back(view) -> None:
    assert view_from_json(view_to_json(view)) == view
