"""How a child process speaks to its parent: framed pickles through one pipe."""

from __future__ import annotations

import os
import pickle
import struct
from dataclasses import dataclass
from typing import Any

LENGTH = struct.Struct("<Q")

_parent_fd: int | None = None


@dataclass(frozen=True)
class ProgressMessage:
    """How far the child is."""

    done: int
    total: int | None
    unit: str


@dataclass(frozen=True)
class ResultMessage:
    """What the child's function returned, or the error that it raised."""

    value: Any
    raised: bool


def connect(descriptor: int) -> None:
    """In the child: the pipe to the parent."""
    global _parent_fd  # noqa: PLW0603 - a process has one parent
    _parent_fd = descriptor


def report_progress(done: int, total: int | None, unit: str) -> None:
    """Tell the person who watches; does nothing outside an isolated call."""
    send(ProgressMessage(done, total, unit))


def send(message: ProgressMessage | ResultMessage) -> None:
    """Send one message to the parent, if there is one."""
    if _parent_fd is None:
        return
    payload = memoryview(frame(message))
    while payload:
        payload = payload[os.write(_parent_fd, payload) :]


def frame(value: Any) -> bytes:
    """A pickle behind its length."""
    payload = pickle.dumps(value)
    return LENGTH.pack(len(payload)) + payload


def take_message(buffer: bytearray) -> Any | None:
    """Remove one whole message from the front of a buffer and return it, if one is there."""
    if len(buffer) < LENGTH.size:
        return None
    end = LENGTH.size + LENGTH.unpack_from(buffer)[0]
    if len(buffer) < end:
        return None
    message = pickle.loads(bytes(buffer[LENGTH.size : end]))
    del buffer[:end]
    return message
