"""Errors of a surface against a reference surface that cameras saw.

How the two are made comparable:

- The estimate is moved into the reference's world first (`metrics.trajectory.align_poses`).
- Recall and completeness are asked of the *seen* reference: points sampled uniformly by
  area on the reference, of which those remain that at least `DEFAULT_MIN_VIEWS` reference
  cameras saw: inside the picture, in front of the camera, with nothing between, and with
  the surface (either side) no nearer to edge-on than `MIN_INCIDENCE_COSINE`.
- Precision and accuracy are asked of the whole estimate: points sampled uniformly by area
  on it, each with its exact distance to the *complete* reference (seen or not), so that a
  right guess at a hidden side costs nothing and a wrong one does.
- Where the reference knows only part of the world (fused from depth maps), the estimate's
  points that no reference depth map can judge are left out by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mvrecon.evaluation.metrics.metric import Metric
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import TriangleScene
from mvrecon.geometry.rigid import inverse_rigid, transform_points

FloatArray = NDArray[np.float64]

MIN_INCIDENCE_COSINE = 0.1
OCCLUSION_TOLERANCE = 5e-3
DEFAULT_MIN_VIEWS = 2
# From the median of the absolute values to the standard deviation, of normal errors.
DEVIATION_OF_MEDIAN = 1.4826
# Thresholds of further F-scores, in accuracies (standard deviations) of the reference.
ACCURACY_MULTIPLES = (2, 5, 10)
# Below this many, over 5 % of an exact surface's points count as wrong.
LEAST_TOLD = ACCURACY_MULTIPLES[0]


@dataclass(frozen=True)
class SurfaceErrors:
    """Errors of an estimated surface (Tanks and Temples: Knapitsch et al., TOG 2017).

    Attributes:
        threshold: distance below which a point counts as right, world units.
        accuracy_mean: mean over the estimate's points of the distance to the reference;
            lower is better.
        accuracy_median: median of the same; lower is better.
        completeness_mean: mean over the seen reference points of the distance to the
            estimate; lower is better.
        completeness_median: median of the same; lower is better.
        chamfer: mean of accuracy_mean and completeness_mean; lower is better.
        precision: share of the estimate's points nearer than the threshold; higher is better.
        recall: share of the seen reference points nearer than the threshold; higher is better.
        f_score: harmonic mean of precision and recall; higher is better.
    """

    threshold: float
    accuracy_mean: float
    accuracy_median: float
    completeness_mean: float
    completeness_median: float
    chamfer: float
    precision: float
    recall: float
    f_score: float


_share = partial(Metric, better="higher", form="{:.3f}")
SURFACE_METRICS = (
    Metric("threshold", "", "of the F-score, as all distances in the set's units", better=""),
    Metric("accuracy_mean", "", "mean distance of the mesh from the true surface"),
    Metric("accuracy_median", "", "median of the same"),
    Metric("completeness_mean", "", "mean distance of what was seen from the mesh"),
    Metric("completeness_median", "", "median of the same"),
    Metric("chamfer", "", "mean of the two mean distances"),
    _share(
        "f_score",
        "F at 1 %",
        "harmonic mean of precision and recall at 1 % of the scene's diameter",
    ),
    _share(
        "precision", "precision", "share of points on the mesh nearer than that to the true surface"
    ),
    _share(
        "recall",
        "recall",
        "share of points on the true surface that cameras saw nearer than that to the mesh",
    ),
    Metric(
        "chamfer_percent",
        "Chamfer, %",
        "mean of the two mean distances, in % of the scene's diameter",
        form="{:.3f}",
    ),
    Metric(
        "reference_accuracy",
        "reference ±",
        "standard deviation of the reference's own error, the set's units; an F at less than "
        f"{LEAST_TOLD} times that tells more of the reference than of the mesh",
        better="",
        form="{:.2g}",
        main=False,
    ),
    *(
        Metric(
            f"f_score_{multiple}_accuracies",
            f"F at {multiple} ×",
            f"the F-score at {multiple} times the reference's accuracy",
            better="higher",
            form="{:.3f}",
            main=False,
        )
        for multiple in ACCURACY_MULTIPLES
    ),
)


def own_spread(distance_n: NDArray[np.floating]) -> float:
    """Standard deviation of what a reference was fused from about it, by the median.

    Args:
        distance_n: from measured points to the surface, unsigned.
    """
    return DEVIATION_OF_MEDIAN * float(np.median(distance_n))


def surface_errors(
    accuracy_n: NDArray[np.floating], completeness_m: NDArray[np.floating], threshold: float
) -> SurfaceErrors:
    """Summarise distances.

    Args:
        accuracy_n: from the estimate's points to the reference; if none could be judged,
            the precision is 0 and the distances are not numbers.
        completeness_m: from the seen reference points to the estimate, at least one.
        threshold: in the same units.
    """
    if len(accuracy_n) == 0:
        accuracy_n = np.array([np.nan])
    precision = float((accuracy_n < threshold).mean())
    recall = float((completeness_m < threshold).mean())
    both = precision + recall
    return SurfaceErrors(
        threshold=threshold,
        accuracy_mean=float(accuracy_n.mean()),
        accuracy_median=float(np.median(accuracy_n)),
        completeness_mean=float(completeness_m.mean()),
        completeness_median=float(np.median(completeness_m)),
        chamfer=float((accuracy_n.mean() + completeness_m.mean()) / 2),
        precision=precision,
        recall=recall,
        f_score=2 * precision * recall / both if both > 0 else 0.0,
    )


@dataclass(frozen=True)
class SurfacePoints:
    """Points on a surface.

    Attributes:
        xyz_n3: positions.
        normals_n3: unit normals of their triangles.
    """

    xyz_n3: FloatArray
    normals_n3: FloatArray

    def only(self, chosen_n: NDArray[np.bool_]) -> SurfacePoints:
        """The chosen points."""
        return SurfacePoints(self.xyz_n3[chosen_n], self.normals_n3[chosen_n])


def sample_surface(
    vertices_n3: FloatArray, triangles_m3: NDArray[np.int64], count: int, seed: int
) -> SurfacePoints:
    """Points drawn uniformly by area.

    Raises:
        ValueError: the triangles have no area.
    """
    a, b, c = (vertices_n3[triangles_m3[:, corner]] for corner in range(3))
    normal_m3 = np.cross(b - a, c - a)
    area_m = np.linalg.norm(normal_m3, axis=1)
    if not area_m.sum() > 0:
        raise ValueError("the surface has no area")
    rng = np.random.default_rng(seed)
    chosen_n = rng.choice(len(triangles_m3), size=count, p=area_m / area_m.sum())
    first_n1, second_n1 = rng.random((2, count, 1))
    root_n1 = np.sqrt(first_n1)
    xyz_n3 = (
        (1 - root_n1) * a[chosen_n]
        + root_n1 * (1 - second_n1) * b[chosen_n]
        + root_n1 * second_n1 * c[chosen_n]
    )
    return SurfacePoints(xyz_n3, normal_m3[chosen_n] / area_m[chosen_n, None])


def count_views(
    points: SurfacePoints, scene: TriangleScene, views: Sequence[tuple[Camera, FloatArray]]
) -> NDArray[np.int64]:
    """How many cameras see each point (n,), by the rules in the module's text.

    Args:
        points: on the surface of `scene`.
        scene: what hides points from cameras.
        views: camera and world_from_cam (4, 4) each.
    """
    seen_n = np.zeros(len(points.xyz_n3), np.int64)
    for camera, world_from_cam in views:
        candidates = np.flatnonzero(_in_picture(points.xyz_n3, camera, world_from_cam))
        centre_n3 = np.broadcast_to(world_from_cam[:3, 3], (len(candidates), 3))
        towards_n3 = points.xyz_n3[candidates] - centre_n3
        cosine_n = np.abs((towards_n3 * points.normals_n3[candidates]).sum(1))
        steep_n = cosine_n >= MIN_INCIDENCE_COSINE * np.linalg.norm(towards_n3, axis=1)
        hidden_n = scene.blocked(
            centre_n3[steep_n].astype(np.float32),
            towards_n3[steep_n].astype(np.float32),
            1 - OCCLUSION_TOLERANCE,
        )
        seen_n[candidates[steep_n][~hidden_n]] += 1
    return seen_n


def _in_picture(
    xyz_n3: FloatArray, camera: Camera, world_from_cam: FloatArray
) -> NDArray[np.bool_]:
    cam_n3 = transform_points(inverse_rigid(world_from_cam), xyz_n3)
    front_n = cam_n3[:, 2] > 1e-9
    pixels_n2 = camera.project(np.where(front_n[:, None], cam_n3, [0.0, 0.0, 1.0]))
    limits = np.array([camera.width, camera.height]) - 0.5
    return np.asarray(front_n & ((pixels_n2 > -0.5) & (pixels_n2 < limits)).all(1))


def diameter(xyz_n3: FloatArray) -> float:
    """Diagonal of the axis-aligned bounding box of points: "the scene's diameter"."""
    return float(np.linalg.norm(np.ptp(xyz_n3, axis=0)))
