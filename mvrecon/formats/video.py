"""Video files, frame by frame: true time stamps, upright, in bounded memory."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.formats.files import require_input, why_no_video
from mvrecon.formats.tone import TRANSFERS, Transfer, to_srgb
from mvrecon.formats.video_times import duration_s, expected_frames, frame_rate, seek
from mvrecon.geometry.resize import fit_size

if TYPE_CHECKING:
    import av

# Containers that are read; what else FFmpeg knows (playlists that open other files or
# addresses, text art, still images) is refused.
CONTAINERS = "mov,matroska,avi,mpegts,mpeg,flv,ogg,asf,gif,mpegvideo,h264,hevc,mjpeg,ivf,y4m"
WANTED = "Give an mp4, mov, avi, mkv or webm file, or a folder of images"
DAMAGED_REMEDY = "Copy or export the file again"

# Fixed, since what is saved of a damaged file depends on it.
DECODER_THREADS = 2

# Of a frame: 16K has 132 million; what claims more is refused before memory is taken for it.
MAX_PIXELS = 1 << 27
# Pixels that are longer or higher by more are an error in the file: anamorphic lenses have 2.
MAX_PIXEL_ASPECT = 4.0
# Between frames: less is an error in the file, and tables of times have six digits.
LEAST_STEP_S = 1e-5

# The decoded frames may end this much before the container says without being cut short.
END_TOLERANCE_S = 0.5
END_TOLERANCE = 0.05


@dataclass(frozen=True)
class VideoFrame:
    """One decoded frame; pixels are converted when asked for.

    Attributes:
        number: position in the video, from 0.
        timestamp_s: presentation time.
        size: (width, height) when upright and with square pixels.
    """

    number: int
    timestamp_s: float
    size: tuple[int, int]
    _decoded: av.VideoFrame
    _turn: Turn
    _transfer: Transfer | None = None

    def rgb_hw3(self, longest_px: int | None = None) -> NDArray[np.uint8]:
        """Upright RGB image, shrunk until its longer side is at most `longest_px`."""
        return self._pixels("rgb24", longest_px)

    def grey_hw(self, longest_px: int | None = None) -> NDArray[np.uint8]:
        """Upright grey image, shrunk until its longer side is at most `longest_px`."""
        return self._pixels("gray", longest_px)

    def _pixels(self, pixel_format: str, longest_px: int | None) -> NDArray[np.uint8]:
        width, height = fit_size(self.size, longest_px)
        if self._turn.transposed:
            width, height = height, width
        wanted = "rgb48le" if self._transfer else pixel_format
        converted: Any = self._decoded.reformat(
            width=width, height=height, format=wanted, interpolation="AREA"
        ).to_ndarray()
        if self._transfer:
            converted = to_srgb(converted, self._transfer)
            if pixel_format == "gray":
                converted = cv2.cvtColor(converted, cv2.COLOR_RGB2GRAY)
        return self._turn.apply(np.asarray(converted, np.uint8))


@dataclass(frozen=True)
class Turn:
    """How stored pixels become an upright picture: transpose, then mirror x, then y."""

    transposed: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: bytes | None) -> Turn:
        """Read FFmpeg's 3×3 display matrix, rounded to quarter turns and mirrors.

        With its entries a, b, u, c, d, … a stored pixel (x, y) is shown at
        (a x + c y, b x + d y).
        """
        if not matrix:
            return cls()
        a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(np.int64)
        if abs(a) + abs(d) < abs(b) + abs(c):
            return cls(True, bool(c < 0), bool(b < 0))
        return cls(False, bool(a < 0), bool(d < 0))

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The upright image (h, w) or (h, w, 3)."""
        if self.transposed:
            image = image.swapaxes(0, 1)
        if self.mirror_x:
            image = image[:, ::-1]
        if self.mirror_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


class Video:
    """A video file; iterating decodes it from its beginning.

    Args:
        path: of the file.

    Attributes:
        expected_frames: how many frames the file says that it has, or an estimate; 0 if unknown.
        frame_rate: frames per second, on the average.
        size: (width, height) of the upright frames; known once the first is decoded.
        damage: after iterating: what was wrong with the file, empty if nothing was.

    Raises:
        InputError: it is missing, not a video, or has no pictures.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = (0, 0)
        self.damage = ""
        with self._open() as container:
            stream = _video_stream(container, path)
            self.expected_frames = expected_frames(container, stream)
            self.frame_rate = frame_rate(stream)

    def __iter__(self) -> Iterator[VideoFrame]:
        """Frames in presentation order.

        Raises:
            InputError: not one frame can be decoded.
        """
        return self.frames_from(0.0)

    def frames_from(self, share: float) -> Iterator[VideoFrame]:
        """Frames from about a part of the whole on (0: the beginning), numbered from there.

        They begin where decoding can, a second or so before.

        Raises:
            InputError: not one frame can be decoded.
        """
        self.damage = ""
        number, last_s, mended = 0, -math.inf, 0
        turn = Turn()
        with self._open() as container:
            stream = _video_stream(container, self.path)
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = DECODER_THREADS
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            step_s = 1.0 / frame_rate(stream)
            transfer = TRANSFERS.get(stream.codec_context.color_trc)
            # AVI knows no presentation times; where the order of decoding is another, it tells
            # nothing of a frame's.
            is_timed = not (container.format.name == "avi" and stream.codec_context.has_b_frames)
            if share:
                seek(container, stream, share)
            for decoded in self._decode(container, stream):
                if number == 0:
                    turn = Turn.from_display_matrix(_display_matrix(decoded))
                    self.size = _upright_size(decoded, stream, turn)
                has_time = is_timed and decoded.time is not None
                seconds = float(decoded.time) if has_time else number * step_s
                # Written so that what is no number is mended too.
                if not seconds - last_s >= LEAST_STEP_S:
                    seconds, mended = (last_s + step_s if number else 0.0), mended + 1
                yield VideoFrame(number, seconds, self.size, decoded, turn, transfer)
                number, last_s = number + 1, seconds
            if number == 0:
                reason = f" ({self.damage})" if self.damage else ""
                raise InputError(f"{self.path} holds no decodable frame{reason}", DAMAGED_REMEDY)
            end_s = last_s + step_s
            missing_s = duration_s(container, stream) - end_s
            if missing_s > max(END_TOLERANCE_S, END_TOLERANCE * end_s):
                self.damage = f"it ends {missing_s:.1f} s before the time that its header gives"
            if mended:
                self.damage = (
                    f"the time stamps of {mended} of its {number} frames repeat or go back; "
                    f"each was put {step_s:.3g} s after the one before"
                )

    def _open(self) -> Any:
        """The opened container."""
        import av

        require_input(self.path)
        if self.path.is_dir():
            raise InputError(f"{self.path} is a folder, not a video", WANTED)
        if self.path.stat().st_size == 0:
            raise InputError(f"{self.path} is empty", DAMAGED_REMEDY)
        logging.getLogger("libav").setLevel(logging.CRITICAL)
        try:
            return av.open(
                str(self.path),
                options={
                    "format_whitelist": CONTAINERS,
                    "protocol_whitelist": "file",
                    "max_pixels": str(MAX_PIXELS),  # of the decoders that look for its kind
                },
            )
        except (av.error.FFmpegError, ValueError) as error:
            if told := why_no_video(self.path):
                raise InputError(f"{self.path} {told[0]}", told[1]) from error
            cause = getattr(error, "strerror", None) or str(error)
            raise InputError(f"{self.path} is not a readable video ({cause})", WANTED) from error

    def _decode(self, container: Any, stream: Any) -> Iterator[Any]:
        """Decoded frames; what cannot be decoded is left out and noted in `damage`."""
        import av

        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                self.damage = f"reading it stopped early: {error.strerror}"
                # The frames that are still inside the decoder are whole.
                packet = None
            try:
                yield from stream.codec_context.decode(packet)
            except av.error.FFmpegError as error:
                self.damage = f"parts of it cannot be decoded: {error.strerror}"
            if packet is None:
                return


def _video_stream(container: Any, path: Path) -> Any:
    """The first stream of moving pictures (a song's cover is none)."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if stream.codec_context is None:
                raise InputError(f"{path} uses a video codec that cannot be decoded", WANTED)
            width, height = stream.codec_context.width, stream.codec_context.height
            if width * height > MAX_PIXELS:
                raise InputError(
                    f"{path} has frames of {width}×{height} px by its header, more than the "
                    f"{MAX_PIXELS / 1e6:.0f} million that are read",
                    "Export it at a smaller size",
                )
            return stream
    held = "only sound" if container.streams.audio else "no pictures"
    raise InputError(f"{path} holds {held}", WANTED)


def _display_matrix(decoded: Any) -> bytes | None:
    side_data = decoded.side_data.get("DISPLAYMATRIX")
    return bytes(side_data) if side_data is not None else None


def _upright_size(decoded: Any, stream: Any, turn: Turn) -> tuple[int, int]:
    """(width, height) with square pixels."""
    aspect = float(stream.sample_aspect_ratio or 1)
    if not 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT:
        aspect = 1.0
    width, height = round(decoded.width * aspect), decoded.height
    return (height, width) if turn.transposed else (width, height)
