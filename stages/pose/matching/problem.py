"""What the mapper is given: keypoints of each image and matches between images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import CameraPrior
from stages.pose.tracks.tracks import Tracks

Pair = tuple[int, int]
MatchRows = NDArray[np.int64]

# Fewer shared tracks than this say little about two frames.
MIN_SHARED_TRACKS = 20
# Steps between the frames that are matched: wide ones hold the parallax.
MATCH_STEPS = (1, 2, 4, 7, 11, 16, 24, 36)


@dataclass(frozen=True)
class FeatureMatches:
    """Keypoints and matches of some images.

    Attributes:
        keypoints: pixels (k, 2) of each image.
        matches: rows (m, 2) of the keypoints of the first and of the second image, for
            pairs of images, first below second.
    """

    keypoints: tuple[NDArray[np.float32], ...]
    matches: Mapping[Pair, MatchRows]

    def only(self, pairs: set[Pair]) -> FeatureMatches:
        """Without the matches of other pairs."""
        return FeatureMatches(
            self.keypoints, {pair: rows for pair, rows in self.matches.items() if pair in pairs}
        )

    def largest_group(self) -> int:
        """Images that chains of matches hold together, in the largest such group."""
        group = list(range(len(self.keypoints)))

        def root_of(image: int) -> int:
            while group[image] != image:
                group[image] = group[group[image]]
                image = group[image]
            return image

        for first, second in self.matches:
            group[root_of(second)] = root_of(first)
        roots = [root_of(image) for image in range(len(group))]
        return max((roots.count(root) for root in set(roots)), default=0)


@dataclass(frozen=True)
class MappingProblem:
    """Input of the mapper.

    Attributes:
        names: image names, without folder.
        cameras: prior intrinsics.
        fixed_cameras: whether each camera stays as it is.
        camera_of_image: index of the camera of each image.
        features: keypoints and matches.
    """

    names: tuple[str, ...]
    cameras: tuple[CameraPrior, ...]
    fixed_cameras: tuple[bool, ...]
    camera_of_image: tuple[int, ...]
    features: FeatureMatches


def match_tracks(tracks: Tracks) -> FeatureMatches:
    """Matches between frames at fixed steps that share enough tracks.

    The number of pairs grows linearly with the number of frames.
    """
    seen = [tracks.in_frame(frame) for frame in range(tracks.frame_count)]
    matches: dict[Pair, MatchRows] = {}
    for first in range(tracks.frame_count):
        for second in (first + step for step in MATCH_STEPS):
            if second >= tracks.frame_count:
                break
            _, row_1, row_2 = np.intersect1d(
                seen[first][0], seen[second][0], assume_unique=True, return_indices=True
            )
            if len(row_1) >= MIN_SHARED_TRACKS:
                matches[first, second] = np.stack([row_1, row_2], axis=1)
    return FeatureMatches(tuple(xy for _, xy in seen), matches)


def combine(first: FeatureMatches, second: FeatureMatches) -> FeatureMatches:
    """Both kinds of keypoints in one list for each image; unmatched ones of `second` go."""
    used = [np.zeros(len(xy_k2), bool) for xy_k2 in second.keypoints]
    for (image_1, image_2), rows in second.matches.items():
        used[image_1][rows[:, 0]] = True
        used[image_2][rows[:, 1]] = True
    new_rows = [
        len(xy_k2) + np.cumsum(mask) - 1 for xy_k2, mask in zip(first.keypoints, used, strict=True)
    ]
    keypoints = tuple(
        np.concatenate([xy_k2, extra_k2[mask]])
        for xy_k2, extra_k2, mask in zip(first.keypoints, second.keypoints, used, strict=True)
    )
    matches = dict(first.matches)
    for (image_1, image_2), rows in second.matches.items():
        moved = np.stack([new_rows[image_1][rows[:, 0]], new_rows[image_2][rows[:, 1]]], axis=1)
        both = [matches[image_1, image_2], moved] if (image_1, image_2) in matches else [moved]
        matches[image_1, image_2] = np.concatenate(both)
    return FeatureMatches(keypoints, matches)
