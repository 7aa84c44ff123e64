"""Pictures whose appearance is known, encoded as HDR video and shown again."""

import av
import cv2
import numpy as np
import pytest

from mvrecon.formats.tone import HLG_PEAK_NITS, RGB709_FROM_RGB2020, WHITE_NITS
from mvrecon.formats.video import Video
from tests.media import make_texture

RGB2020_FROM_RGB709 = np.linalg.inv(RGB709_FROM_RGB2020.astype(float))
LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593])
PARAMETERS = {"pq": "smpte2084", "hlg": "arib-std-b67"}


def linear(rgb):
    signal = rgb / 255.0
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def pq(light):
    """Signal of light in nits."""
    power = (np.clip(light, 0, None) / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(light):
    """Signal of light in nits, as a display of 1,000 nits shows it."""
    shown = np.clip(light, 0, None) / HLG_PEAK_NITS
    luminance = np.maximum(shown @ LUMINANCE_2020, 1e-9)[..., None]
    scene = shown * luminance ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


def write_hdr(path, nits_hw3, transfer):
    """Two equal frames of 10 bits in BT.2020."""
    signal = {"pq": pq, "hlg": hlg}[transfer](nits_hw3 @ RGB2020_FROM_RGB709.T)
    luma = signal @ LUMINANCE_2020
    blue, red = (signal[..., 2] - luma) / 1.8814, (signal[..., 0] - luma) / 1.4746
    small = [cv2.resize(part, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
             for part in (blue, red)]  # fmt: skip
    planes = [64 + 876 * luma, *(512 + 896 * part for part in small)]
    levels = [np.round(plane).clip(0, 1023).astype(np.uint16) for plane in planes]
    height, width = luma.shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p10le"
        names = f"transfer={PARAMETERS[transfer]}:colorprim=bt2020:colormatrix=bt2020nc"
        stream.options = {"crf": "4", "x264-params": names}
        for _ in range(2):
            frame = av.VideoFrame(width, height, "yuv420p10le")
            for plane, content in zip(frame.planes, levels, strict=True):
                row = np.zeros((plane.height, plane.line_size // 2), np.uint16)
                row[:, : content.shape[1]] = content
                plane.update(row.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_what_is_darker_than_the_knee_looks_as_it_did(tmp_path, transfer):
    smooth = cv2.GaussianBlur(make_texture(96, 128), (0, 0), 3)
    rgb = np.clip(smooth.astype(float) * 0.7, 0, 180)  # 180 is 0.46 of white
    frame = next(iter(Video(write_hdr(tmp_path / "a.mp4", WHITE_NITS * linear(rgb), transfer))))
    assert np.abs(frame.rgb_hw3() - rgb).mean() < 2.5
    grey_hw = cv2.cvtColor(rgb.astype(np.uint8), cv2.COLOR_RGB2GRAY)
    assert np.abs(frame.grey_hw() - grey_hw.astype(float)).mean() < 2.5
    assert frame.rgb_hw3(64).shape == (48, 64, 3)


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_highlights_stay_apart_below_white(tmp_path, transfer):
    nits = np.repeat(np.repeat([0.0, 50, 100, 200, 400, 900], 16)[None], 64, axis=0)
    path = write_hdr(tmp_path / "a.mp4", np.repeat(nits[..., None], 3, axis=2), transfer)
    levels = next(iter(Video(path))).rgb_hw3()[32, 8::16].astype(int)
    assert np.all(np.diff(levels[:, 1]) > 4)
    assert levels[-1].max() < 255
    assert np.ptp(levels, axis=1).max() <= 3  # grey stays grey
