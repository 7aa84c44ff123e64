"""What a kind of bad input is, and the kinds that are files rather than videos or photos."""

from __future__ import annotations

import gzip
import os
import socket
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests import media

DONE, INPUT, NOT_ENOUGH = 0, 3, 4
GOOD = [3 * i for i in range(20)]  # of a camera that moves to the side [px]


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes:
        name: for a person.
        make: writes it into an empty folder; returns what is given to the program.
        code: the exit code.
        word: in the error or, of what is read, in a warning; empty: no warning.
    """

    name: str
    make: Callable[[Path], Path]
    code: int
    word: str = ""


def good_video(path: Path) -> Path:
    """A clip of which a model could be made."""
    return media.write_video(path, media.pan(GOOD))


def holding(content: bytes, name: str = "video.mp4") -> Callable[[Path], Path]:
    """A file of this content."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return make


def named(name: str | bytes) -> Callable[[Path], Path]:
    """A good video of this name."""

    def make(folder: Path) -> Path:
        return good_video(folder / "plain.mp4").rename(folder / os.fsdecode(name))

    return make


def _zip(folder: Path) -> Path:
    path = folder / "video.mp4"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(good_video(folder / "inside.mp4"), "inside.mp4")
    return path


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "video.mp4")
    return folder / "video.mp4"


def _socket(folder: Path) -> Path:
    # A path of a socket may have a hundred characters only.
    here = Path.cwd()
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("video.mp4")
    finally:
        os.chdir(here)
    return folder / "video.mp4"


def _linked(target: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        good_video(folder / "good.mp4")
        (folder / "video.mp4").symlink_to(target)
        return folder / "video.mp4"

    return make


def _folder_named_video(folder: Path) -> Path:
    (folder / "video.mp4").mkdir()
    return folder / "video.mp4"


def _sparse(folder: Path) -> Path:
    """Terabytes, of which nothing is stored."""
    path = folder / "video.mp4"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2")
        file.truncate(1 << 33)
    return path


def _text(name: str) -> Callable[[Path], Path]:
    return holding(b"Dear Sir or Madam,\n" * 40, name)


NOISE = np.random.default_rng(0).bytes(20_000)

FILE_KINDS = (
    Kind("no such file", lambda folder: folder / "video.mp4", INPUT, "no such file"),
    Kind("empty file", holding(b""), INPUT, "is empty"),
    Kind("one byte", holding(b"\0"), INPUT, "zeros"),
    Kind("zeros only", holding(bytes(50_000)), INPUT, "nothing but zeros"),
    Kind("noise", holding(NOISE), INPUT, "not a readable video"),
    Kind("text named .mp4", _text("video.mp4"), INPUT, "not a readable video"),
    Kind("text without a suffix", _text("letter"), INPUT, "not a readable video"),
    Kind("a web page", holding(b"<!DOCTYPE html><html>No video</html>"), INPUT, "a web page"),
    Kind("a zip named .mp4", _zip, INPUT, "a ZIP archive"),
    Kind("a gzip named .mp4", holding(gzip.compress(NOISE)), INPUT, "a gzip archive"),
    Kind("a PDF", holding(b"%PDF-1.7\n" + NOISE), INPUT, "a PDF document"),
    Kind("a playlist of other files", holding(b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"), INPUT,
         "a playlist"),
    Kind("a concat script", holding(b"ffconcat version 1.0\nfile /etc/passwd\n"), INPUT,
         "not a readable video"),
    Kind("an SDP description", holding(b"v=0\no=- 0 0 IN IP4 1.2.3.4\nm=video 1 RTP/AVP 96\n"),
         INPUT, "not a readable video"),
    Kind("a picture given as a video", holding(b"\xff\xd8\xff\xe0" + NOISE), INPUT,
         "a single picture"),
    Kind("a HEIC given as a video", holding(b"\0\0\0\x18ftypheic" + bytes(20) + NOISE), INPUT,
         "a single picture"),
    Kind("a folder named video.mp4", _folder_named_video, INPUT, "holds no images"),
    Kind("a named pipe", _pipe, INPUT, "a named pipe"),
    Kind("a socket", _socket, INPUT, "a socket"),
    Kind("/dev/null", lambda _: Path("/dev/null"), INPUT, "a device"),
    Kind("/dev/zero", lambda _: Path("/dev/zero"), INPUT, "a device"),
    Kind("a link to itself", _linked("video.mp4"), INPUT, "leads nowhere"),
    Kind("a link to nothing", _linked("gone.mp4"), INPUT, "leads nowhere"),
    Kind("a link to a video", _linked("good.mp4"), DONE),
    Kind("a name too long", lambda folder: folder / ("n" * 300), INPUT, "no such file"),
    Kind("a name with line breaks", named("a\nb\r\n.mp4"), DONE),
    Kind("a name with quotes", named("""it's "a" <b>&.mp4"""), DONE),
    Kind("a name with emoji", named("🎥 ünï.mp4"), DONE),
    Kind("a name that is not UTF-8", named(b"caf\xe9.mp4"), DONE),
    Kind("a name with a percent pattern", named("%03d *?.mp4"), DONE),
    Kind("a name like an address", named("http:x.mp4"), DONE),
    Kind("a header and 8 GiB of nothing", _sparse, INPUT, "its index (moov) is missing"),
)  # fmt: skip
