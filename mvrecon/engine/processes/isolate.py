"""Run a function in a child process that native code may abort or hang.

A hang is told from hard work by the child's processor time, which stands still.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from mvrecon.engine.measure import wait_for
from mvrecon.engine.processes import channel
from mvrecon.engine.processes.memory import is_told
from mvrecon.engine.progress import Progress
from mvrecon.errors import OutOfMemoryError, StageCrashError

T = TypeVar("T")

HANG_S = 120.0
POLL_S = 1.0
LAST_WORDS_CHARACTERS = 200


def run_isolated(
    function: Callable[..., T], arguments: tuple[Any, ...], log: Path, label: str
) -> T:
    """Call a top-level function in a child process.

    Args:
        function: importable by its module and qualified name; may call
            `mvrecon.engine.processes.channel.report_progress`.
        arguments: pickled to the child.
        log: file that takes what the child prints.
        label: name of the stage, for errors and progress.

    Raises:
        StageCrashError: the child died, or used no processor time for two minutes.
        OutOfMemoryError: it needed more memory than there is.
        Exception: what the function raised.
    """
    reference = f"{function.__module__}:{function.__qualname__}"
    read_fd, write_fd = os.pipe()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as log_file:
        child = subprocess.Popen(
            # -P: nothing is imported from the folder that the program is called in.
            [
                sys.executable,
                "-P",
                "-m",
                "mvrecon.engine.processes.child",
                reference,
                str(write_fd),
            ],
            stdin=subprocess.PIPE,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            pass_fds=(write_fd,),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
        )
    os.close(write_fd)
    try:
        _send(child, arguments)
        result = _receive(child, read_fd, label)
    except BaseException:
        child.kill()
        wait_for(child)
        raise
    finally:
        os.close(read_fd)
        if child.stdin:
            child.stdin.close()
    status = wait_for(child)
    if result is None:
        raise _crash(label, status, log)
    if result.raised:
        raise result.value
    value: T = result.value
    return value


def _send(child: subprocess.Popen[bytes], arguments: tuple[Any, ...]) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write(channel.frame(arguments))
        child.stdin.flush()
    except BrokenPipeError:
        return  # the child is dead already; its exit status says why


def _receive(
    child: subprocess.Popen[bytes], read_fd: int, label: str
) -> channel.ResultMessage | None:
    """The child's result, or None if it died without one; shows its progress meanwhile."""
    buffer = bytearray()
    progress = _ShownProgress(label)
    busy_s, last_busy_at = -1.0, time.monotonic()
    with progress:
        while True:
            ready, _, _ = select.select([read_fd], [], [], POLL_S)
            if ready:
                chunk = os.read(read_fd, 1 << 20)
                if not chunk:
                    return None
                buffer += chunk
                while (message := channel.take_message(buffer)) is not None:
                    if isinstance(message, channel.ResultMessage):
                        return message
                    progress.show(message)
                continue
            now_busy_s = _processor_seconds(child.pid)
            if now_busy_s is None or now_busy_s > busy_s:
                busy_s, last_busy_at = now_busy_s or 0.0, time.monotonic()
            elif time.monotonic() - last_busy_at > HANG_S:
                raise StageCrashError(
                    f"stage {label} made no progress for {HANG_S:.0f} s and was stopped",
                    "Run again: it resumes where it was",
                )


class _ShownProgress:
    """A progress bar for each unit that the child reports."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._unit = ""
        self._done = 0
        self._stack = ExitStack()
        self._bar: Progress | None = None

    def show(self, message: channel.ProgressMessage) -> None:
        if self._bar is None or message.unit != self._unit or message.done < self._done:
            self._stack.close()
            self._unit, self._done = message.unit, 0
            self._bar = self._stack.enter_context(
                Progress(self._label, message.total, message.unit)
            )
        self._bar.advance(message.done - self._done)
        self._done = message.done

    def __enter__(self) -> _ShownProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _processor_seconds(pid: int) -> float | None:
    """User and system time of a process so far, where the system tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _crash(label: str, status: int, log: Path) -> StageCrashError:
    output = log.read_text(errors="replace")
    cause = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    # Where memory is short, the system kills without a word.
    if status == -signal.SIGKILL or is_told(output):
        return OutOfMemoryError(label, cause)
    last_words = _last_words(output)[:LAST_WORDS_CHARACTERS]
    return StageCrashError(
        f"stage {label} was ended by its native code ({cause}: {last_words})",
        f"Its output is in {log}; what was finished is kept",
    )


def _last_words(output: str) -> str:
    """What a dying process said of the reason: its last line that is no stack frame."""
    lines = [line.strip() for line in output.splitlines()]
    telling = [line for line in lines if line and not line.startswith(("@", "***"))]
    return telling[-1] if telling else "nothing printed"
