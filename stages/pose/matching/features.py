"""Keypoints of images and matches between them, and the mapper's problem made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import CameraPrior, FrameTable
from mvrecon.engine.stage import StageContext
from stages.pose.config import PoseConfig
from stages.pose.images import stored_image

Pair = tuple[int, int]
MatchRows = NDArray[np.int64]


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

    @classmethod
    def nothing(cls, image_count: int) -> FeatureMatches:
        """Images without keypoints."""
        return cls((np.zeros((0, 2), np.float32),) * image_count, {})

    def only(self, pairs: set[Pair]) -> FeatureMatches:
        """Without the matches of other pairs."""
        return FeatureMatches(
            self.keypoints, {pair: rows for pair, rows in self.matches.items() if pair in pairs}
        )

    def pixels(self, pair: Pair) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Matched pixels (m, 2) of the first and of the second image of a pair."""
        rows = self.matches[pair]
        return (
            self.keypoints[pair[0]][rows[:, 0]].astype(np.float64),
            self.keypoints[pair[1]][rows[:, 1]].astype(np.float64),
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
class Matched:
    """All matches of an input, and which may only be used once a model supports them.

    Attributes:
        features: keypoints and matches, loops included.
        loops: pairs whose SIFT matches are not to be trusted yet.
        pieces: runs of frames joined by tracks; 0 for photos.
    """

    features: FeatureMatches
    loops: list[Pair]
    pieces: int


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


def mapping_problem(
    context: StageContext[PoseConfig], table: FrameTable, features: FeatureMatches
) -> MappingProblem:
    """The problem of the key frames, with cameras as they are known before mapping."""
    keeps = context.config.mapping.keeps
    return MappingProblem(
        names=tuple(stored_image(context, frame.name).name for frame in table.key_frames),
        cameras=table.cameras,
        fixed_cameras=tuple(keeps(prior.source) for prior in table.cameras),
        camera_of_image=tuple(frame.camera for frame in table.key_frames),
        features=features,
    )
