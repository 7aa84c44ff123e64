"""COLMAP's database and the geometric verification of its matches.

What imports pycolmap is only for use in a child process.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mvrecon.artifacts.frames import CameraPrior
from stages.pose.colmap import SEED, quieten
from stages.pose.matching.features import FeatureMatches, MappingProblem, Pair

if TYPE_CHECKING:
    import pycolmap

# COLMAP numbers a pair: the lower image id times this, plus the higher one.
MAX_IMAGES = 2147483647
# RANSAC trials: matches of tracks, and those verified once already, hold few outliers.
MIN_TRIALS = 30
MAX_TRIALS = 500


def to_colmap_camera(prior: CameraPrior, camera_id: int, fixed: bool) -> pycolmap.Camera:
    """COLMAP's camera: SIMPLE_RADIAL if it may be refined, else as it is."""
    import pycolmap

    camera = prior.camera
    if fixed:
        model = "OPENCV" if camera.distortion else "PINHOLE"
        focals = [camera.fx, camera.fy]
        extra = list(camera.distortion)
    else:
        model = "SIMPLE_RADIAL"
        focals = [0.5 * (camera.fx + camera.fy)]
        extra = [camera.distortion[0] if camera.distortion else 0.0]
    return pycolmap.Camera(
        camera_id=camera_id,
        model=model,
        width=camera.width,
        height=camera.height,
        params=[*focals, camera.cx + 0.5, camera.cy + 0.5, *extra],
        has_prior_focal_length=prior.source != "default",
    )


def write_images(database: pycolmap.Database, problem: MappingProblem) -> None:
    """Write cameras and images; ids count from 1."""
    import pycolmap

    for index, prior in enumerate(problem.cameras):
        colmap_camera = to_colmap_camera(prior, index + 1, problem.fixed_cameras[index])
        database.write_camera(colmap_camera, use_camera_id=True)
        rig = pycolmap.Rig(rig_id=index + 1)
        rig.add_ref_sensor(colmap_camera.sensor_id)
        database.write_rig(rig, use_rig_id=True)
    for index, name in enumerate(problem.names):
        camera_id = problem.camera_of_image[index] + 1
        image = pycolmap.Image(name=name, camera_id=camera_id, image_id=index + 1)
        frame = pycolmap.Frame(frame_id=index + 1, rig_id=camera_id)
        frame.add_data_id(image.data_id)
        database.write_frame(frame, use_frame_id=True)
        image.frame_id = frame.frame_id
        database.write_image(image, use_image_id=True)


def write_features(database: pycolmap.Database, features: FeatureMatches) -> None:
    """Write keypoints and unverified matches."""
    for index, xy_k2 in enumerate(features.keypoints):
        database.write_keypoints(index + 1, (xy_k2 + 0.5).astype(np.float32))
    for (first, second), rows in features.matches.items():
        database.write_matches(first + 1, second + 1, rows.astype(np.uint32))


def create_database(path: Path, problem: MappingProblem) -> None:
    """A fresh database that holds the whole problem."""
    import pycolmap

    path.unlink(missing_ok=True)
    with pycolmap.Database.open(path) as database, pycolmap.DatabaseTransaction(database):
        write_images(database, problem)
        write_features(database, problem.features)


def copy_without(path: Path, copy_path: Path, pairs: Iterable[Pair]) -> None:
    """A copy of a verified database in which some pairs have no matches.

    SQLite is enough for it, so that it needs no child process.
    """
    shutil.copyfile(path, copy_path)
    numbers = [((first + 1) * MAX_IMAGES + second + 1,) for first, second in pairs]
    with closing(sqlite3.connect(copy_path)) as connection, connection:
        for table in ("matches", "two_view_geometries"):
            connection.executemany(f"DELETE FROM {table} WHERE pair_id = ?", numbers)


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
