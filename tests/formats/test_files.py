import os
import socket
from pathlib import Path

import pytest

from mvrecon.errors import InputError
from mvrecon.formats.files import require_input, why_no_video
from tests.media import pan, write_video


def test_files_and_folders_pass(tmp_path):
    (tmp_path / "file").touch()
    require_input(tmp_path / "file")
    require_input(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    require_input(tmp_path / "link")


def test_what_is_no_file_is_refused_without_opening_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
        for path, word in {
            tmp_path / "pipe.mp4": "a named pipe",
            tmp_path / "socket": "a socket",
            Path("/dev/null"): "a device",
            tmp_path / "loop": "a link that leads nowhere",
            tmp_path / "nowhere": "a link that leads nowhere",
            tmp_path / "missing": "no such file",
            tmp_path / ("n" * 300): "no such file",
            tmp_path / "null\0byte": "is no path",
        }.items():
            with pytest.raises(InputError, match=word):
                require_input(path)


def test_what_may_not_be_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # as it is for anyone but root
    with pytest.raises(InputError, match="may not be read"):
        require_input(tmp_path)


def test_a_video_without_its_index_is_told_from_other_files(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", pan(range(0, 30, 3))).read_bytes()
    first = write_video(tmp_path / "first.mp4", pan(range(0, 30, 3)), faststart=True).read_bytes()
    cases = {
        whole[:-200]: "moov",
        whole[: len(whole) // 2]: "moov",
        whole[:40]: "moov",
        first[: first.index(b"mdat") // 2]: "moov",
        whole: None,
        first[:-300]: None,
        bytes(5000): "zeros",
        b"PK\3\4" + bytes(50): "ZIP",
        b"\x89PNG\r\n": "a single picture",
        b"\0\0\0\x18ftypheic" + bytes(20): "a single picture",
        b"\n<!DOCTYPE html>": "a web page",
        b"": None,
        b"Dear Sir or Madam": None,
    }
    path = tmp_path / "clip.mp4"
    for content, word in cases.items():
        path.write_bytes(content)
        told = why_no_video(path)
        assert (told is None) if word is None else (told and word in told[0]), content[:20]
