"""Messages through a pipe, whole or not at all."""

from __future__ import annotations

import os
import pickle
import struct
import threading
from collections.abc import Iterator

import pytest

from mvrecon.engine.processes import channel
from mvrecon.engine.processes.channel import ProgressMessage, ResultMessage

MESSAGES = [ProgressMessage(1, None, "step"), ResultMessage({"a": [1.5]}, raised=False), "text"]


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The parent's end of a pipe whose other end the channel writes to."""
    monkeypatch.setattr(channel, "_parent_fd", None)
    read_fd, write_fd = os.pipe()
    channel.connect(write_fd)
    yield read_fd
    os.close(read_fd)
    os.close(write_fd)


def test_a_frame_is_a_pickle_behind_its_length() -> None:
    payload = pickle.dumps("text")
    assert channel.frame("text") == struct.pack("<Q", len(payload)) + payload


def test_messages_are_taken_whole_from_bytes_that_come_one_by_one() -> None:
    buffer, taken = bytearray(), []
    for byte in b"".join(channel.frame(message) for message in MESSAGES):
        buffer.append(byte)
        if (message := channel.take_message(buffer)) is not None:
            taken.append(message)
            assert not buffer
    assert taken == MESSAGES


def test_several_messages_are_taken_from_one_buffer() -> None:
    buffer = bytearray(b"".join(channel.frame(message) for message in MESSAGES))
    assert [channel.take_message(buffer) for _ in MESSAGES] == MESSAGES
    assert channel.take_message(buffer) is None


def test_progress_reaches_the_parent(parent: int) -> None:
    channel.report_progress(2, 3, "step")
    buffer = bytearray(os.read(parent, 1 << 16))
    assert channel.take_message(buffer) == ProgressMessage(2, 3, "step")


def test_a_message_larger_than_the_pipe_arrives(parent: int) -> None:
    message = ResultMessage(bytes(1 << 20), raised=False)
    sender = threading.Thread(target=channel.send, args=(message,))
    sender.start()
    buffer = bytearray()
    while (taken := channel.take_message(buffer)) is None:
        buffer += os.read(parent, 1 << 16)
    sender.join(10)
    assert taken == message


def test_without_a_parent_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "_parent_fd", None)
    monkeypatch.setattr(os, "write", lambda *_: pytest.fail("nobody listens"))
    channel.report_progress(1, 2, "step")
