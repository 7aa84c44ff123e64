"""Figures of a run's mesh that hold where the reference poses are of another camera.

Reference poses of a depth camera that is not registered to the colour camera bring a mesh into the
reference's world several per cent wrong, whatever the mesh is worth. So it is also aligned by the
surfaces themselves, as in Tanks and Temples (Knapitsch et al., TOG 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mvrecon.artifacts.depth import DepthMap
from mvrecon.datasets.posed import load_posed_set
from mvrecon.evaluation.metrics.surface import sample_surface, surface_errors
from mvrecon.evaluation.metrics.trajectory import align_poses
from mvrecon.evaluation.run.files import match_frames, read_key_frames
from mvrecon.evaluation.run.reference import ReferenceSurface, build_reference
from mvrecon.formats.mesh import Mesh, read_mesh_ply
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import TriangleScene
from mvrecon.geometry.similarity import Similarity
from mvrecon.render import MeshRenderer

FloatArray = NDArray[np.float64]

SAMPLES, SEED = 60_000, 0
ROUNDS = 40
REACH_SHARE, ROBUST_SHARE = 0.08, 0.01  # of the scene's diameter: pairing, Cauchy's scale
TRUSTED = 0.5  # confidence of depth that nothing should be in front of
IN_FRONT = 0.9  # of that depth: nearer is in front
EVERY = 3  # key frames that are looked at


@dataclass(frozen=True)
class Aligned:
    """F-scores after alignment by the surfaces.

    Attributes:
        scale: further factor that it took; 1 where the reference poses fit.
        f_scores: by threshold.
    """

    scale: float
    f_scores: tuple[float, ...]


def aligned_by_surface(
    run_dir: Path, dataset: Path, thresholds: tuple[float, ...]
) -> Aligned | None:
    """F-scores of `mesh.ply` at thresholds in the set's units; None without a reference."""
    posed_set = load_posed_set(dataset)
    reference = build_reference(posed_set)
    if reference is None:
        return None
    matched = match_frames(read_key_frames(run_dir), posed_set)
    by_poses = align_poses(
        np.stack([frame.world_from_cam for frame in matched]),
        np.stack([frame.truth.world_from_cam for frame in matched]),
    )
    mesh = read_mesh_ply(run_dir / "mesh.ply")
    vertices_n3 = by_poses.apply(mesh.points.xyz_n3.astype(np.float64))
    points_n3 = _sampled(mesh, vertices_n3)
    further = refine(points_n3[reference.can_judge(points_n3)], reference)
    vertices_n3 = further.apply(vertices_n3)
    points_n3 = _sampled(mesh, vertices_n3)
    accuracy_n = reference.triangles.distance(points_n3[reference.can_judge(points_n3)])
    completeness_m = TriangleScene(vertices_n3, mesh.faces_m3).distance(reference.seen.xyz_n3)
    return Aligned(
        further.scale,
        tuple(surface_errors(accuracy_n, completeness_m, at).f_score for at in thresholds),
    )


def _sampled(mesh: Mesh, vertices_n3: FloatArray) -> FloatArray:
    return sample_surface(vertices_n3, mesh.faces_m3.astype(np.int64), SAMPLES, SEED).xyz_n3


def refine(points_n3: FloatArray, reference: ReferenceSurface) -> Similarity:
    """Similarity that takes points to a surface: iterated closest planes, Cauchy's weights."""
    tree = cKDTree(reference.seen.xyz_n3)
    found = Similarity.identity()
    for _ in range(ROUNDS):
        moved_n3 = found.apply(points_n3)
        distance_n, nearest_n = tree.query(
            moved_n3, distance_upper_bound=REACH_SHARE * reference.diameter
        )
        near_n = np.isfinite(distance_n)
        from_n3, rows = moved_n3[near_n], nearest_n[near_n]
        normals_n3 = reference.seen.normals_n3[rows]
        residual_n = ((reference.seen.xyz_n3[rows] - from_n3) * normals_n3).sum(1)
        weight_n = 1 / (1 + (residual_n / (ROBUST_SHARE * reference.diameter)) ** 2)
        middle_3 = from_n3.mean(0)
        about_n3 = from_n3 - middle_3
        jacobian_n7 = np.concatenate(
            [
                np.cross(about_n3, normals_n3),
                normals_n3,
                (about_n3 * normals_n3).sum(1, keepdims=True),
            ],
            axis=1,
        )
        weighted_n7 = jacobian_n7 * weight_n[:, None]
        step_7 = np.linalg.lstsq(weighted_n7.T @ jacobian_n7, weighted_n7.T @ residual_n)[0]
        rotation_33, scale = cv2.Rodrigues(step_7[:3])[0], 1 + step_7[6]
        shift_3 = middle_3 + step_7[3:6] - scale * rotation_33 @ middle_3
        found = Similarity(scale, rotation_33, shift_3).compose(found)
    return found


def floating_share(run_dir: Path) -> float:
    """Share of the key frames' trusted pixels before which the mesh has something, 0…1."""
    renderer = MeshRenderer(read_mesh_ply(run_dir / "mesh.ply"))
    shares = []
    for path in sorted((run_dir / "depth").glob("*.npz"))[::EVERY]:
        depth_map = DepthMap.load(path)
        trusted_hw = (depth_map.confidence_hw > TRUSTED) & (depth_map.depth_hw > 0)
        if not trusted_hw.any():
            continue
        height, width = depth_map.depth_hw.shape
        k_33 = depth_map.k_33
        camera = Camera(width, height, k_33[0, 0], k_33[1, 1], k_33[0, 2], k_33[1, 2])
        seen_hw = renderer.depth(camera, depth_map.world_from_cam)
        front_hw = (seen_hw > 0) & (seen_hw < IN_FRONT * depth_map.depth_hw)
        shares.append(front_hw[trusted_hw].mean())
    return float(np.mean(shares))
