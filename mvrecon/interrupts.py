"""Stopping when told to: soon, whatever native code is at work, and with a word on how to go on.

What is finished is safe at every instant, so nothing has to be awaited.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mvrecon.errors import INTERRUPTED_EXIT_CODE

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# For what cleans up after itself; threads and native code that take longer are left behind.
GRACE_S = 1.0
# Of prctl(2): the signal that this process gets when its parent dies.
PR_SET_PDEATHSIG = 1


def end_with_parent(number: signal.Signals) -> None:
    """Get a signal when the process that started this one dies, where the kernel can do that.

    It counts from now on, and from the thread that started this process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


@contextmanager
def ended_by_signals(last_words: str) -> Iterator[None]:
    """Within this block, interrupt and termination end the process within about a second.

    They raise KeyboardInterrupt in the main thread. If that, or the threads that Python waits for,
    take longer to end, another thread ends the process. For the main thread of a program's own
    process; a signal that the program was started to ignore stays ignored.

    Args:
        last_words: told on standard error when that happens.
    """
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    threading.Thread(target=_end_after, args=(read_fd, last_words), daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        _end(last_words)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _end_after(read_fd: int, last_words: str) -> None:
    while signal.Signals(os.read(read_fd, 1)[0]) not in SIGNALS:
        pass
    time.sleep(GRACE_S)
    _end(last_words)


_ending = threading.Lock()


def _end(last_words: str) -> None:
    if not _ending.acquire(blocking=False):
        time.sleep(GRACE_S)  # the other thread ends us
    print(last_words, file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(INTERRUPTED_EXIT_CODE)
