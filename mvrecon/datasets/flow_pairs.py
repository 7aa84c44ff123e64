"""What the readers of optical flow data sets have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError

Truth = tuple[NDArray[np.float32], NDArray[np.bool_]]


@dataclass(frozen=True)
class FlowSample:
    """Two images with the true flow from the first to the second.

    Attributes:
        name: unique in its data set.
        first, second: image files.
        read_truth: reads flow_hw2 (x then y, pixels) and valid_hw.
    """

    name: str
    first: Path
    second: Path
    read_truth: Callable[[], Truth]


def require_files(data_set: str, layout: str, paths: Sequence[Path]) -> None:
    """Check that the files of a sample are there.

    Raises:
        InputError: names the first that is missing and the expected layout.
    """
    for path in paths:
        if not path.is_file():
            raise InputError(f"{data_set} is not complete: {path} is missing", f"Expected {layout}")


def require_some(
    data_set: str, layout: str, root: Path, samples: Iterator[FlowSample]
) -> Iterator[FlowSample]:
    """The samples of a data set.

    Raises:
        InputError: there is none.
    """
    empty = True
    for sample in samples:
        empty = False
        yield sample
    if empty:
        raise InputError(f"no {data_set} pairs under {root}", f"Expected {layout}")


def flow_of_disparity(disparity_hw: NDArray[np.float32], valid_hw: NDArray[np.bool_]) -> Truth:
    """Flow from the left to the right image of a rectified stereo pair: (−disparity, 0)."""
    flow_hw2 = np.zeros((*disparity_hw.shape, 2), np.float32)
    flow_hw2[..., 0] = np.where(valid_hw, -disparity_hw, 0)
    return flow_hw2, valid_hw
