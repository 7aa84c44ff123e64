"""SIFT features and their matches by pycolmap: only for use in a child process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.pose.mapping.mapper import quieten, two_view_options
from stages.pose.matching.database import write_images
from stages.pose.matching.problem import FeatureMatches, MappingProblem, MatchRows, Pair

# Unverified matches hold many outliers.
MAX_TRIALS = 2000


@dataclass(frozen=True)
class SiftOptions:
    """How to extract and match.

    Attributes:
        max_size_px: images are reduced to this length of the longer side.
        max_features: in an image, the largest first.
        max_error_px: of the inliers of two views.
        min_inliers: matches that agree with one geometry, for a pair that is kept.
        threads: they do not change the result.
    """

    max_size_px: int
    max_features: int
    max_error_px: float
    min_inliers: int
    threads: int


def match_sift(
    images: Path,
    problem: MappingProblem,
    pairs: Sequence[Pair],
    scratch: Path,
    options: SiftOptions,
) -> FeatureMatches:
    """Verified SIFT matches of some pairs of images.

    D. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004.

    Args:
        images: folder of the images.
        problem: names and cameras of all images; only those in `pairs` are read.
        pairs: first below second.
        scratch: existing folder for the database.
        options: how.
    """
    import pycolmap

    quieten()
    names = problem.names
    used = sorted({image for pair in pairs for image in pair})
    path = scratch / "sift.db"
    path.unlink(missing_ok=True)
    with pycolmap.Database.open(path) as database:
        write_images(database, problem)
    extraction = pycolmap.FeatureExtractionOptions(
        max_image_size=options.max_size_px, num_threads=options.threads, use_gpu=False
    )
    extraction.sift.max_num_features = options.max_features
    # Doubling the images first, as COLMAP does, takes most of the time and adds little.
    extraction.sift.first_octave = 0
    pycolmap.extract_features(
        path,
        images,
        image_names=[names[image] for image in used],
        extraction_options=extraction,
        device=pycolmap.Device.cpu,
    )
    pairs_path = scratch / "pairs.txt"
    pairs_path.write_text("".join(f"{names[first]} {names[second]}\n" for first, second in pairs))
    pycolmap.match_image_pairs(
        path,
        matching_options=pycolmap.FeatureMatchingOptions(
            num_threads=options.threads, use_gpu=False
        ),
        pairing_options=pycolmap.ImportedPairingOptions(match_list_path=pairs_path),
        verification_options=two_view_options(options.max_error_px, MAX_TRIALS),
        device=pycolmap.Device.cpu,
    )
    return _read_matches(path, len(names), set(used), pairs, options.min_inliers)


def _read_matches(
    path: Path, image_count: int, used: set[int], pairs: Sequence[Pair], min_inliers: int
) -> FeatureMatches:
    import pycolmap

    matches: dict[Pair, MatchRows] = {}
    with pycolmap.Database.open(path) as database:
        keypoints = tuple(
            np.asarray(database.read_keypoints(image + 1))[:, :2].astype(np.float32) - 0.5
            if image in used
            else np.zeros((0, 2), np.float32)
            for image in range(image_count)
        )
        for first, second in pairs:
            geometry = database.read_two_view_geometry(first + 1, second + 1)
            rows = np.asarray(geometry.inlier_matches).astype(np.int64).reshape(-1, 2)
            if len(rows) >= min_inliers:
                matches[first, second] = rows
    return FeatureMatches(keypoints, matches)
