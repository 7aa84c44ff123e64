import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image
from pydantic import ValidationError

from mvrecon.artifacts.frames import FrameTable
from mvrecon.artifacts.image_motion import ImageMotion
from mvrecon.engine.runner import Runner
from mvrecon.errors import InputError, NotEnoughDataError, UsageError
from mvrecon.formats.images import read_rgb
from stages.frames.config import FramesConfig
from stages.frames.decode import KeyFrameSettings, choose_key_frames, write_key_frames
from stages.frames.stage import STAGE
from tests.media import make_texture, pan, write_images, write_video


def choose(path, **options):
    return choose_key_frames(path, FramesConfig(**options))


def run_stage(run_dir, path, **options):
    runner = Runner([STAGE], run_dir, path, {"frames": FramesConfig(**options)}, workers=1)
    return runner.run("frames")["frames"]


def write_pan(path, count=60, step_px=2.0):
    return write_video(path, pan(np.arange(count) * step_px))


def test_video_table_holds_times_numbers_and_cameras(tmp_path):
    table, warnings = choose(write_pan(tmp_path / "clip.mp4"), max_size=80)
    assert (table.kind, table.kind_reason) == ("sequence", "a video is a sequence")
    assert [frame.source for frame in table.frames] == [str(i) for i in range(60)]
    assert [frame.timestamp_s for frame in table.frames] == pytest.approx(np.arange(60) / 10)
    assert all(bool(frame.name) != bool(frame.reason) for frame in table.frames)
    assert all(int(frame.name) == frame.index for frame in table.key_frames)
    camera = table.camera_of(table.key_frames[0])
    assert (camera.width, camera.height) == (80, 60)
    assert warnings == []


def test_trimming_keeps_the_frame_numbers_and_times_of_the_video(tmp_path):
    table, _ = choose(write_pan(tmp_path / "clip.mp4"), start_s=1.0, end_s=3.95)
    assert [frame.source for frame in table.frames] == [str(i) for i in range(10, 40)]
    assert table.frames[0].timestamp_s == pytest.approx(1.0)
    with pytest.raises(InputError, match="no frame between 50 s"):
        choose(tmp_path / "clip.mp4", start_s=50)


def test_written_key_frames_are_the_chosen_frames(tmp_path):
    offsets = np.arange(30) * 4.0
    path = write_video(tmp_path / "clip.mp4", pan(offsets))
    table, _ = choose(path, start_s=0.5)
    names = {frame.index: frame.name for frame in table.key_frames}
    write_key_frames(path, names, tmp_path, KeyFrameSettings(160, 97, 0.5), in_order=True)
    originals = pan(offsets)
    for frame in table.key_frames:
        image = read_rgb(tmp_path / f"{frame.name}.jpg")
        errors = [np.abs(image.astype(int) - original).mean() for original in originals]
        assert int(np.argmin(errors)) == int(frame.source)
        motion = ImageMotion.load(tmp_path / f"{frame.name}.npz")
        # What the camera passes moves the other way; the first frame has none before it.
        grid_hw2, x_px = (motion.before_hw2, 4.0) if motion.before_s else (motion.after_hw2, -4.0)
        middle_px = 160 * np.median(grid_hw2[4:-4, 4:-4], axis=(0, 1))
        np.testing.assert_allclose(middle_px, [x_px, 0.0], atol=0.3)


def test_sequence_folder_with_small_steps_is_thinned_one_with_good_steps_kept(tmp_path):
    small = write_images(tmp_path / "small", pan(np.arange(0, 80, 2.0)))
    good = write_images(tmp_path / "good", pan(np.arange(0, 160, 8.0)))
    thinned, _ = choose(small)
    kept, _ = choose(good)
    assert thinned.kind == kept.kind == "sequence"
    assert 8 <= len(thinned.key_frames) <= 20
    assert len(kept.key_frames) == 20
    assert kept.frames[3].source == "003.png"


def test_kind_can_be_asked_for(tmp_path):
    folder = write_images(tmp_path / "a", pan(np.arange(0, 160, 8.0)))
    table, _ = choose(folder, kind="photos")
    assert (table.kind, table.kind_reason) == ("photos", "asked for by --frames.kind photos")


def test_an_unreadable_image_is_dropped_with_a_warning(tmp_path):
    folder = write_images(tmp_path / "a", [make_texture(60, 80, seed) for seed in range(5)])
    (folder / "002.png").write_bytes(b"no image")
    table, warnings = choose(folder)
    assert [frame.index for frame in table.key_frames] == [0, 1, 3, 4]
    assert table.frames[2].reason.startswith("unreadable")
    assert any("002.png" in warning for warning in warnings)


def test_fewer_than_two_readable_images_are_an_input_error(tmp_path):
    folder = write_images(tmp_path / "a", [make_texture(60, 80, seed) for seed in range(3)])
    for name in ("000.png", "001.png"):
        (folder / name).write_bytes(b"no image")
    with pytest.raises(InputError, match=r"fewer than two usable images .*000\.png"):
        choose(folder)


def test_one_image_is_not_enough(tmp_path):
    with pytest.raises(NotEnoughDataError, match="only one"):
        choose(write_images(tmp_path / "a", [make_texture(60, 80)]))


def test_photos_of_different_sizes_get_their_own_cameras(tmp_path):
    images = [make_texture(60, 80, 0), make_texture(80, 60, 1), make_texture(60, 80, 2)]
    table, _ = choose(write_images(tmp_path / "a", images))
    assert [frame.camera for frame in table.frames] == [0, 1, 0]
    assert table.camera_of(table.frames[1]).height == 80


def test_a_truncated_video_is_used_as_far_as_it_goes_with_a_warning(tmp_path):
    path = write_video(tmp_path / "clip.mp4", pan(np.arange(60) * 2.0), faststart=True, crf=1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    table, warnings = choose(path)
    assert 10 < len(table.frames) < 50
    assert any("damaged" in warning for warning in warnings)


def test_static_and_black_videos_are_not_enough_data(tmp_path):
    black = write_video(tmp_path / "black.mp4", [np.zeros((120, 160, 3), np.uint8)] * 10)
    with pytest.raises(NotEnoughDataError, match="all black"):
        choose(black)
    rng = np.random.default_rng(0)
    texture = make_texture(120, 160)
    noisy = [
        (texture + rng.normal(0, 4, texture.shape)).clip(0, 255).astype(np.uint8) for _ in range(20)
    ]
    with pytest.raises(NotEnoughDataError, match="static camera"):
        choose(write_video(tmp_path / "static.mp4", noisy))
    with pytest.raises(NotEnoughDataError, match="only one frame"):
        choose(write_video(tmp_path / "one.mp4", noisy[:1]))


def test_the_stage_stores_table_images_and_summary(tmp_path):
    result = run_stage(tmp_path / "run", write_pan(tmp_path / "clip.mp4"))
    table = FrameTable.load(result.path("frames.json"))
    expected = [f"images/{frame.name}.jpg" for frame in table.key_frames]
    assert result.names("images/") == expected
    assert result.names("motion/") == [f"motion/{frame.name}.npz" for frame in table.key_frames]
    image = cv2.imread(str(result.path(expected[-1])))
    assert image.shape == (120, 160, 3)
    summary = result.read_summary()
    assert summary["numbers"]["key_frames"] == len(expected)
    assert summary["numbers"]["frames"] == 60


def test_the_stage_resumes_to_the_same_result(tmp_path, monkeypatch):
    path = write_pan(tmp_path / "clip.mp4")
    whole = run_stage(tmp_path / "whole", path)

    class KilledError(Exception):
        pass

    def killed(*_):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("stages.frames.run.shutil.copyfile", killed)
        with pytest.raises(KilledError):
            run_stage(tmp_path / "cut", path)
    partial = next((tmp_path / "cut").glob("store/frames/*.partial"))
    decoded = sorted((partial / "scratch").glob("*.jpg"))
    assert len(decoded) > 5
    decoded[2].unlink()
    with monkeypatch.context() as patch:
        patch.setattr("stages.frames.run.choose_from_input", killed)
        resumed = run_stage(tmp_path / "cut", path)
    assert resumed.digest == whole.digest


def test_an_error_in_the_child_reaches_the_caller(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(InputError, match="not a readable video"):
        run_stage(tmp_path / "run", text)


@pytest.mark.parametrize(
    "options", [{"camera": (1.0, 2.0)}, {"start_s": 3, "end_s": 2}, {"max": 1}, {"maximum": 5}]
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ValidationError):
        FramesConfig(**options)


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("rgbd/redkitchen_100/images", "sequence"),
        ("posed/kitti_odometry_30/images", "sequence"),
        ("posed/phone_fox50/images", "sequence"),
        ("photos/banana/images", "photos"),
        ("posed/desk7/images", "photos"),
    ],
)
def test_real_folders_are_told_apart(shared_data: Path, folder, kind):
    table, _ = choose(shared_data / folder)
    assert table.kind == kind, json.dumps(table.kind_reason)


def test_one_frame_a_second_keeps_every_frame(shared_data: Path):
    table, _ = choose(shared_data / "videos" / "vggt_room.mp4")
    assert len(table.key_frames) == len(table.frames) == 8


def test_places_of_photos_reach_the_table(tmp_path):
    folder = write_images(tmp_path / "photos", pan([0, 20, 40]), "photo_{}.jpg")
    placed = folder / "photo_1.jpg"
    exif = Image.Exif()
    tags = exif.get_ifd(ExifTags.IFD.GPSInfo)
    tags[ExifTags.GPS.GPSLatitudeRef], tags[ExifTags.GPS.GPSLatitude] = "N", (48.0, 30.0, 0.0)
    tags[ExifTags.GPS.GPSLongitudeRef], tags[ExifTags.GPS.GPSLongitude] = "E", (11.0, 0.0, 0.0)
    Image.open(placed).save(placed, exif=exif)
    table, _ = choose(folder, kind="photos")
    assert [frame.geodetic for frame in table.frames] == [None, (48.5, 11.0, 0.0), None]


def test_a_blurred_key_frame_is_marked_as_of_use_for_poses_only(tmp_path):
    images = pan(np.arange(0, 12) * 50.0)
    images[5] = cv2.blur(images[5], (41, 1))
    table, _ = choose(write_images(tmp_path / "a", images), kind="sequence")
    path = tmp_path / "frames.json"
    path.write_text(table.to_json())
    marked = [frame for frame in FrameTable.load(path).key_frames if frame.poses_only]
    assert [frame.index for frame in marked] == [5]
    assert "kept for poses" in marked[0].reason


def test_several_inputs_are_stored_as_one(tmp_path):
    """A video and a folder: each from its own, named on."""
    video = write_pan(tmp_path / "clip.mp4", count=30)
    folder = write_images(tmp_path / "photos", pan(np.arange(8) * 8.0))
    configs = {"frames": FramesConfig()}
    runner = Runner([STAGE], tmp_path / "run", video, configs, workers=1, more_inputs=[folder])
    artifact = runner.run("frames")["frames"]
    table = FrameTable.load(artifact.path("frames.json"))
    assert [part.name for part in table.parts] == ["clip.mp4", "photos"]
    assert [frame.index for frame in table.frames] == list(range(38))
    assert len(table.cameras) == 2
    last = table.key_frames[-1]
    assert table.source_of(last).startswith("photos/")
    assert read_rgb(artifact.path(f"images/{last.name}.jpg"), None).shape[2] == 3
    one = Runner([STAGE], tmp_path / "run", video, configs, workers=1)
    assert one.status()[0].state == "stale"


def test_what_cannot_be_joined_is_told(tmp_path):
    video = write_pan(tmp_path / "clip.mp4", count=10)
    masks = write_images(tmp_path / "masks", pan(np.arange(2)))
    for more, options, told in (
        ([video], {}, "given 2 times"),
        ([tmp_path / "masks"], {"masks": masks}, "several videos"),
    ):
        configs = {"frames": FramesConfig(**options)}
        runner = Runner([STAGE], tmp_path / "run", video, configs, workers=1, more_inputs=more)
        with pytest.raises(UsageError, match=told):
            runner.run("frames")
