"""Remembering what was computed for the last few images."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

R = TypeVar("R")

# A frame meets its neighbours up to four steps away; further ones are computed again.
DEFAULT_CAPACITY = 12


class ImageMemo(Generic[R]):
    """A function of an image that keeps its latest results; safe to call from threads.

    Images are told apart by identity, so a caller must hand over the same array again and
    must not write to it.

    Args:
        function: computes the result.
        capacity: number of results kept.
    """

    def __init__(
        self, function: Callable[[NDArray[np.uint8]], R], capacity: int = DEFAULT_CAPACITY
    ) -> None:
        self._function = function
        self._capacity = capacity
        # The image is kept beside its result: its id stays taken as long as it is a key.
        self._kept: OrderedDict[int, tuple[NDArray[np.uint8], R]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, image: NDArray[np.uint8]) -> R:
        """The result for this image."""
        with self._lock:
            if id(image) in self._kept:
                self._kept.move_to_end(id(image))
                return self._kept[id(image)][1]
        result = self._function(image)
        with self._lock:
            self._kept[id(image)] = (image, result)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return result
