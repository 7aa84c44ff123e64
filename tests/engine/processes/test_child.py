"""The child's side of an isolated call, seen through its pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import PurePath
from typing import Any

import pytest

from mvrecon.engine.processes import channel
from mvrecon.engine.processes.child import resolve


class Outer:
    class Inner:
        @staticmethod
        def answer() -> int:
            return 42


def tell_and_sleep() -> None:
    channel.report_progress(1, 2, "step")
    time.sleep(60)


def start(reference: str) -> tuple[subprocess.Popen[bytes], int]:
    """A child for a function, and the end of the pipe that it answers through."""
    read_fd, write_fd = os.pipe()
    command = [sys.executable, "-m", "mvrecon.engine.processes.child", reference, str(write_fd)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(write_fd,))
    os.close(write_fd)
    return child, read_fd


def call(reference: str, *arguments: Any) -> channel.ResultMessage:
    child, read_fd = start(reference)
    assert child.stdin is not None
    child.stdin.write(channel.frame(arguments))
    child.stdin.flush()
    buffer = bytearray()
    while chunk := os.read(read_fd, 1 << 16):
        buffer += chunk
    os.close(read_fd)
    child.stdin.close()
    assert child.wait(10) == 0
    message = channel.take_message(buffer)
    assert isinstance(message, channel.ResultMessage)
    return message


def test_a_reference_names_an_object_within_a_module() -> None:
    assert resolve("pathlib:PurePath") is PurePath
    assert resolve(f"{__name__}:Outer.Inner.answer")() == 42
    with pytest.raises(AttributeError):
        resolve("pathlib:nothing")


def test_it_sends_what_the_function_returns() -> None:
    assert call("math:hypot", 3.0, 4.0) == channel.ResultMessage(5.0, raised=False)


def test_it_sends_what_the_function_raises() -> None:
    message = call("math:sqrt", -1.0)
    assert message.raised
    assert isinstance(message.value, ValueError)


def test_without_arguments_it_ends() -> None:
    child, read_fd = start("math:hypot")
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(10) == 1
    assert os.read(read_fd, 1) == b""
    os.close(read_fd)


def test_it_outlives_an_interrupt_and_not_its_parent() -> None:
    """The parent decides on an interrupt; when it is gone, standard input closes."""
    child, read_fd = start(f"{__name__}:tell_and_sleep")
    assert child.stdin is not None
    child.stdin.write(channel.frame(()))
    child.stdin.flush()
    assert os.read(read_fd, 1 << 16)  # the function runs
    child.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.2)
    child.stdin.close()
    assert child.wait(10) == 1
    os.close(read_fd)
