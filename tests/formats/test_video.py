import numpy as np
import pytest

from mvrecon.errors import InputError
from mvrecon.formats.video import Turn, Video
from tests.media import make_texture, pan, write_audio, write_video


def marked_image():
    """Landscape, dark but for a bright top-left corner."""
    image = np.full((64, 96, 3), 30, np.uint8)
    image[:16, :16] = 230
    return image


def corner_levels(image):
    return [
        [float(image[:8, :8].mean()), float(image[:8, -8:].mean())],
        [float(image[-8:, :8].mean()), float(image[-8:, -8:].mean())],
    ]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi"])
def test_reads_all_frames_of_each_container_in_order(tmp_path, suffix):
    images = pan(range(0, 60, 6))
    video = Video(write_video(tmp_path / f"clip.{suffix}", images))
    frames = list(video)
    assert [frame.number for frame in frames] == list(range(10))
    assert video.damage == ""
    for frame, image in zip(frames, images, strict=True):
        assert frame.size == (160, 120)
        assert np.abs(frame.rgb_hw3().astype(int) - image).mean() < 12


def test_reads_webm(tmp_path):
    frames = list(Video(write_video(tmp_path / "clip.webm", pan(range(4)), codec="libvpx")))
    assert len(frames) == 4


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_frame_rate_keeps_the_true_times(tmp_path, suffix):
    times_ms = [0, 40, 80, 500, 540, 1700]
    path = write_video(tmp_path / f"clip.{suffix}", pan(range(6)), times_ms)
    assert [frame.timestamp_s for frame in Video(path)] == pytest.approx(
        [ms / 1000 for ms in times_ms], abs=2e-3
    )


@pytest.mark.parametrize(
    ("rotation_deg", "bright"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (270, (0, 1))]
)
def test_rotation_metadata_is_applied(tmp_path, rotation_deg, bright):
    """The angle is counter-clockwise: a quarter turn moves the top-left corner down."""
    path = write_video(tmp_path / "clip.mp4", [marked_image()] * 2, rotation_deg=rotation_deg)
    frame = next(iter(Video(path)))
    turned = rotation_deg in (90, 270)
    assert frame.size == ((64, 96) if turned else (96, 64))
    for image in (frame.rgb_hw3(), frame.grey_hw()):
        assert image.shape[:2] == ((96, 64) if turned else (64, 96))
        levels = corner_levels(image)
        assert np.unravel_index(np.argmax(levels), (2, 2)) == bright


def test_mirrored_display_matrix():
    matrix = np.array([-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30], np.int32).tobytes()
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(Turn.from_display_matrix(matrix).apply(image), image[:, ::-1])


def test_frames_shrink_but_never_grow(tmp_path):
    frame = next(iter(Video(write_video(tmp_path / "clip.mp4", pan([0, 1])))))
    assert frame.rgb_hw3(80).shape == (60, 80, 3)
    assert frame.grey_hw(80).shape == (60, 80)
    assert frame.grey_hw(1000).shape == (120, 160)


def test_truncated_video_gives_what_decodes_and_says_so(tmp_path):
    images = [make_texture(120, 160, seed) for seed in range(40)]
    path = write_video(tmp_path / "clip.mp4", images, faststart=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = Video(path)
    count = sum(1 for _ in video)
    assert 10 <= count < 30
    assert video.damage


def test_bad_files_are_input_errors_with_a_remedy(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("this is no video\n" * 100)
    empty = tmp_path / "empty.mp4"
    empty.touch()
    header_only = write_video(tmp_path / "header.mp4", pan(range(5)), faststart=True)
    data = header_only.read_bytes()
    header_only.write_bytes(data[: data.index(b"mdat") + 8])
    late_header = write_video(tmp_path / "late.mp4", pan(range(20)))
    late_header.write_bytes(late_header.read_bytes()[:2000])
    audio = write_audio(tmp_path / "audio.mp4")
    cases = {
        tmp_path / "missing.mp4": "no such file",
        text: "not a readable video",
        empty: "empty",
        header_only: "no decodable frame",
        late_header: "is incomplete: its index .moov. is missing",
        audio: "only sound",
    }
    for path, message in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            list(Video(path))
        assert caught.value.remedy


def test_playlists_that_open_other_files_are_refused(tmp_path):
    write_video(tmp_path / "clip.mp4", pan(range(3)))
    playlist = tmp_path / "playlist.mp4"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError, match="is a playlist, not a video"):
        list(Video(playlist))


def test_time_stamps_of_avi_are_those_of_presentation(tmp_path):
    """An encoder that reorders frames leaves those of decoding."""
    video = Video(write_video(tmp_path / "clip.avi", pan(range(0, 60, 6))))
    assert [frame.timestamp_s for frame in video] == pytest.approx(np.arange(10) / 10)
