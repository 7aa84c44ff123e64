"""Points triangulated with known cameras by pycolmap: only for use in a child process."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.rigid import inverse_rigid
from stages.pose.colmap import SEED, quieten, reproducible_pipeline
from stages.pose.matching.database import create_database, to_colmap_camera
from stages.pose.matching.features import FeatureMatches, MappingProblem

if TYPE_CHECKING:
    import pycolmap

# Least triangulation angle of a point: known poses make even a small one exact.
MIN_ANGLE_DEG = 0.5


def triangulate_known(
    problem: MappingProblem,
    world_from_cam: Mapping[int, NDArray[np.float64]],
    scratch: Path,
    max_error_px: float,
) -> Path:
    """Triangulate and adjust points; cameras and poses stay.

    Args:
        problem: with cameras as they are known and matches that agree with them.
        world_from_cam: poses (4, 4) by row of the image.
        scratch: existing folder.
        max_error_px: largest reprojection error of an observation.

    Returns:
        Folder of the model.
    """
    import pycolmap

    quieten()
    pycolmap.set_random_seed(SEED)
    database_path, folder = scratch / "known.db", scratch / "known"
    create_database(database_path, problem)
    _write_geometries(database_path, problem.features)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = pycolmap.triangulate_points(
        _posed_images(problem, world_from_cam),
        database_path,
        scratch,
        folder,
        options=_pipeline_options(max_error_px),
    )
    model.update_point_3d_errors()
    model.write_binary(folder)
    return folder


def _write_geometries(database_path: Path, features: FeatureMatches) -> None:
    """Call the matches verified: the known poses did that."""
    import pycolmap

    with (
        pycolmap.Database.open(database_path) as database,
        pycolmap.DatabaseTransaction(database),
    ):
        for (first, second), rows in features.matches.items():
            geometry = pycolmap.TwoViewGeometry(
                config=pycolmap.TwoViewGeometryConfiguration.CALIBRATED.value,
                inlier_matches=rows.astype(np.uint32),
            )
            database.write_two_view_geometry(first + 1, second + 1, geometry)


def _posed_images(
    problem: MappingProblem, world_from_cam: Mapping[int, NDArray[np.float64]]
) -> pycolmap.Reconstruction:
    import pycolmap

    model = pycolmap.Reconstruction()
    for index, prior in enumerate(problem.cameras):
        camera = to_colmap_camera(prior, index + 1, problem.fixed_cameras[index])
        model.add_camera_with_trivial_rig(camera)
    for row, pose in sorted(world_from_cam.items()):
        keypoints_k2 = problem.features.keypoints[row].astype(np.float64) + 0.5
        image = pycolmap.Image(
            name=problem.names[row],
            points2D=pycolmap.Point2DList([pycolmap.Point2D(xy) for xy in keypoints_k2]),
            camera_id=problem.camera_of_image[row] + 1,
            image_id=row + 1,
        )
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(inverse_rigid(pose)[:3]))
    return model


def _pipeline_options(max_error_px: float) -> pycolmap.IncrementalPipelineOptions:
    pipeline = reproducible_pipeline(max_error_px, MIN_ANGLE_DEG)
    pipeline.ba_refine_focal_length = False
    pipeline.ba_refine_principal_point = False
    pipeline.ba_refine_extra_params = False
    pipeline.triangulation.merge_max_reproj_error = max_error_px
    pipeline.triangulation.complete_max_reproj_error = max_error_px
    return pipeline
