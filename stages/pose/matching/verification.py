"""Geometric verification of matches by pycolmap: only for use in a child process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stages.pose.colmap import SEED, quieten
from stages.pose.matching.database import create_database
from stages.pose.matching.problem import MappingProblem

if TYPE_CHECKING:
    import pycolmap

# RANSAC trials: matches of tracks, and those verified once already, hold few outliers.
MIN_TRIALS = 30
MAX_TRIALS = 500


def verify(
    problem: MappingProblem, database_path: Path, max_error_px: float, threads: int = 1
) -> int:
    """Write the database and verify its pairs.

    Args:
        problem: with unverified matches.
        database_path: where to write it.
        max_error_px: distance of an inlier from its epipolar line.
        threads: they do not change the result.

    Returns:
        Number of pairs with a consistent geometry.
    """
    import pycolmap

    quieten()
    create_database(database_path, problem)
    pycolmap.geometric_verification(
        database_path,
        verifier_options=pycolmap.GeometricVerifierOptions(num_threads=threads),
        two_view_geometry_options=two_view_options(max_error_px, MAX_TRIALS),
    )
    with pycolmap.Database.open(database_path) as database:
        return int(database.num_verified_image_pairs())


def two_view_options(max_error_px: float, max_trials: int) -> pycolmap.TwoViewGeometryOptions:
    """Options of the two-view geometry, with a seed for each pair."""
    import pycolmap

    options = pycolmap.TwoViewGeometryOptions()
    options.ransac.max_error = max_error_px
    options.ransac.random_seed = SEED
    options.ransac.min_num_trials = MIN_TRIALS
    options.ransac.max_num_trials = max_trials
    options.detect_watermark = False
    return options
