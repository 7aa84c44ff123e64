"""Native threads of the libraries, where items run side by side instead."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def single_opencv_thread() -> Iterator[None]:
    """While it lasts, OpenCV uses one thread a call.

    Small calls are faster so, and some results (DIS) depend on the number of threads.
    """
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def set_single_torch_thread() -> None:
    """Let torch use one thread when called from the current thread."""
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)
