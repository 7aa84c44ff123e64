"""What the readers of optical flow data sets have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError, UsageError
from mvrecon.formats.images import read_pixels

Mask = NDArray[np.bool_]
Truth = tuple[NDArray[np.float32], Mask]


def no_regions() -> Mapping[str, Mask]:
    """The regions of a data set that tells none."""
    return {}


@dataclass(frozen=True)
class FlowSample:
    """Two images with the true flow from the first to the second.

    Attributes:
        name: unique in its data set.
        first, second: image files.
        read_truth: reads flow_hw2 (x then y, pixels) and valid_hw.
        truth_files: all the files that truth and regions are read from.
        read_regions: reads the masks that the data set gives, by name: `visible` and
            `occluded` (in the second image), `foreground` and `background`,
            `with_invalid` (every pixel, those included that the data set marks invalid).
    """

    name: str
    first: Path
    second: Path
    read_truth: Callable[[], Truth]
    truth_files: tuple[Path, ...]
    read_regions: Callable[[], Mapping[str, Mask]] = no_regions


# Title of a part, as "Sintel clean", with its pairs.
Parts = Iterator[tuple[str, list[FlowSample]]]


@dataclass(frozen=True)
class FlowDataSet:
    """An optical flow data set in its own layout.

    Attributes:
        name: on the command line.
        title: for people.
        layout: the expected files.
        needs: the root has, of each group, something that one of the patterns matches.
        read: root and split → the parts that are there.
        splits: the first is the default.
    """

    name: str
    title: str
    layout: str
    needs: tuple[tuple[str, ...], ...]
    read: Callable[[Path, str], Parts]
    splits: tuple[str, ...] = ("training",)

    def recognises(self, root: Path) -> bool:
        """Whether the folder looks like this data set's root."""
        return self._missing(root) is None

    def parts(self, root: Path, split: str | None = None) -> dict[str, list[FlowSample]]:
        """The pairs of a split by part.

        Raises:
            UsageError: there is no such split.
            InputError: wrong root, or files are missing; names the first and the layout.
        """
        if split is not None and split not in self.splits:
            raise UsageError(
                f"{self.title} has no split {split!r}", f"Choose one of {', '.join(self.splits)}"
            )
        expected = f"Expected {self.layout}"
        if missing := self._missing(root):
            raise InputError(
                f"no {self.title} at {root}: {root / missing} is missing{self._hint(root)}",
                expected,
            )
        try:
            found = dict(self.read(root, split or self.splits[0]))
        except MissingFileError as error:
            raise InputError(
                f"{self.title} is not complete: {error.path} is missing", expected
            ) from error
        if not any(found.values()):
            raise InputError(
                f"no {self.title} pairs of split {split or self.splits[0]} under {root}", expected
            )
        return {title: pairs for title, pairs in found.items() if pairs}

    def _missing(self, root: Path) -> str | None:
        for patterns in self.needs:
            if not any(next(root.glob(pattern), None) for pattern in patterns):
                return patterns[0]
        return None

    def _hint(self, root: Path) -> str:
        children = sorted(child for child in root.iterdir()) if root.is_dir() else []
        for near in (root.absolute().parent, *children):
            if near.is_dir() and self.recognises(near):
                return f" (did you mean {near}?)"
        return ""


class MissingFileError(Exception):
    """A file of a data set is not there."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


def require_files(paths: Iterable[Path]) -> None:
    """Check that the files of a sample are there.

    Raises:
        MissingFileError: with the first that is not.
    """
    for path in paths:
        if not path.is_file():
            raise MissingFileError(path)


def read_mask(path: Path) -> Mask:
    """A grey image as a mask: where it is not 0.

    Raises:
        InputError: not a readable image.
    """
    return np.asarray(read_pixels(path, "grey") > 0)


def visibility(visible_hw: Mask) -> dict[str, Mask]:
    """The two regions that a mask of the pixels visible in the second image makes."""
    return {"visible": visible_hw, "occluded": ~visible_hw}


def flow_of_disparity(
    disparity_hw: NDArray[np.float32], valid_hw: Mask, from_left: bool = True
) -> Truth:
    """Flow between the images of a rectified stereo pair.

    From left to right a point moves by (−disparity, 0), from right to left by (disparity, 0).
    """
    flow_hw2 = np.zeros((*disparity_hw.shape, 2), np.float32)
    flow_hw2[..., 0] = np.where(valid_hw, -disparity_hw if from_left else disparity_hw, 0)
    return flow_hw2, valid_hw
