"""What a user's file or folder is, before anything opens it: refused with a word on why."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePath

from mvrecon.errors import InputError

SNIFFED_BYTES = 512

_SPECIAL = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# First bytes → what such a file is, and what to do with it.
_SIGNATURES: Sequence[tuple[bytes, str, str]] = (
    (b"PK\x03\x04", "a ZIP archive", "Unpack it and give what is inside"),
    (b"\x1f\x8b", "a gzip archive", "Unpack it and give what is inside"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it and give what is inside"),
    (b"Rar!", "a RAR archive", "Unpack it and give what is inside"),
    (b"%PDF", "a PDF document", "Give the photos or the video themselves"),
    (b"\xff\xd8\xff", "a single picture", "Give the folder that it is in"),
    (b"\x89PNG", "a single picture", "Give the folder that it is in"),
    (b"II*\x00", "a single picture", "Give the folder that it is in"),
    (b"MM\x00*", "a single picture", "Give the folder that it is in"),
    (b"#EXTM3U", "a playlist", "Give the video itself"),
    (b"<", "a web page or other text", "Download the video itself"),
)
# Brands of the same container that hold pictures.
_PICTURE_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"hevc", b"avif")
_COPY_AGAIN = "Copy or export it again, and wait until that has ended"


def require_input(path: Path) -> None:
    """Refuse what is neither a regular file nor a folder, without opening it.

    Raises:
        InputError: there is nothing, nothing that can be read, or a pipe, socket or device.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if not os.path.islink(path):  # noqa: PTH114 - Path's raises, of too long a name
            raise InputError(f"no such file or folder: {path}", "Check the path") from error
        what = f"{path} is a link that leads nowhere ({error.strerror})"
        raise InputError(what, "Give the file or folder itself") from error
    except ValueError as error:  # a null byte
        raise InputError(f"{path} is no path ({error})", "Check the path") from error
    for is_one, what in _SPECIAL:
        if is_one(mode):
            raise InputError(
                f"{path} is {what}, no file or folder", "Store the video in a file first"
            )
    if not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)):
        raise InputError(f"{path} may not be read", "Change its permissions or copy it")


def inside(folder: Path, name: str) -> Path:
    """A file that another file names, which must be in the folder or below it.

    Raises:
        InputError: the name leads elsewhere.
    """
    if not stays_inside(name):
        raise InputError(
            f"{name!r} is named by a file in {folder}, but is not inside it", "Name it by its place"
        )
    return folder / name


def stays_inside(name: str) -> bool:
    """Whether a name is relative and does not climb out of the folder that it is in."""
    path = PurePath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def why_no_video(path: Path) -> tuple[str, str] | None:
    """What is wrong with a file that cannot be opened as a video, and the remedy, if it tells."""
    try:
        with path.open("rb") as file:
            head = file.read(SNIFFED_BYTES)
    except OSError:
        return None
    if head and not any(head):
        return "begins with nothing but zeros: copying it failed", _COPY_AGAIN
    if head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS:
        return "is a single picture, not a video", "Give the folder that it is in"
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free", b"moov") and _lacks_index(path):
        what = "is incomplete: its index (moov) is missing, as copying or recording was cut off"
        return what, _COPY_AGAIN
    for signature, what, remedy in _SIGNATURES:
        if head.lstrip().startswith(signature):
            return f"is {what}, not a video", remedy
    return None


def _lacks_index(path: Path) -> bool:
    """Whether no box at the top of an MP4 or MOV file is a whole `moov`."""
    end = path.stat().st_size
    place = 0
    with path.open("rb") as file:
        while place + 8 <= end:
            file.seek(place)
            header = file.read(16)
            size = int.from_bytes(header[:4], "big")
            if size == 1:
                size = int.from_bytes(header[8:16], "big")
            if header[4:8] == b"moov":
                return size > end - place
            if size < 8:  # 0: to the end of the file; else damaged
                break
            place += size
    return True
