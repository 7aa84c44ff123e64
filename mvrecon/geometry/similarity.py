"""Least-squares similarity between corresponding points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Similarity:
    """The map x → scale · rotation · x + translation.

    Attributes:
        scale: positive factor.
        rotation_33: proper rotation.
        translation_3: in target units.
    """

    scale: float
    rotation_33: FloatArray
    translation_3: FloatArray

    @classmethod
    def identity(cls) -> Similarity:
        """The map that leaves everything where it is."""
        return cls(1.0, np.eye(3), np.zeros(3))

    def apply(self, points_n3: FloatArray) -> FloatArray:
        """Transformed points (n, 3)."""
        return self.scale * points_n3 @ self.rotation_33.T + self.translation_3

    def apply_to_pose(self, world_from_cam: FloatArray) -> FloatArray:
        """A rigid pose (4, 4) whose camera stands in the target world."""
        moved = np.eye(4)
        moved[:3, :3] = self.rotation_33 @ world_from_cam[:3, :3]
        moved[:3, 3] = self.apply(world_from_cam[None, :3, 3])[0]
        return moved

    def inverse(self) -> Similarity:
        """The map from target to source."""
        rotation_33 = self.rotation_33.T
        return Similarity(
            1.0 / self.scale, rotation_33, -rotation_33 @ self.translation_3 / self.scale
        )

    def compose(self, first: Similarity) -> Similarity:
        """The map that applies `first` and then this one."""
        return Similarity(
            self.scale * first.scale,
            self.rotation_33 @ first.rotation_33,
            self.apply(first.translation_3[None])[0],
        )


def align_similarity(
    source_n3: FloatArray, target_n3: FloatArray, with_scale: bool = True
) -> Similarity:
    """Similarity that takes source points to target points with the least squared error.

    S. Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", PAMI 1991. For points on a line the rotation about it is arbitrary.

    Args:
        source_n3: points (n, 3), n at least 1.
        target_n3: where they should go.
        with_scale: whether the scale is free; 1 otherwise.

    Raises:
        ValueError: shapes differ, or the scale is free and all source points coincide.
    """
    if source_n3.shape != target_n3.shape or source_n3.ndim != 2 or len(source_n3) == 0:
        raise ValueError(f"need equal (n, 3) shapes, got {source_n3.shape}, {target_n3.shape}")
    source_mean_3, target_mean_3 = source_n3.mean(axis=0), target_n3.mean(axis=0)
    source_centred_n3, target_centred_n3 = source_n3 - source_mean_3, target_n3 - target_mean_3
    u_33, singular_3, vt_33 = np.linalg.svd(target_centred_n3.T @ source_centred_n3)
    signs_3 = np.array([1.0, 1.0, np.sign(np.linalg.det(u_33) * np.linalg.det(vt_33))])
    rotation_33 = (u_33 * signs_3) @ vt_33
    scale = 1.0
    if with_scale:
        spread = float((source_centred_n3**2).sum())
        if spread == 0.0:
            raise ValueError("all source points coincide: the scale is undefined")
        scale = float(singular_3 @ signs_3) / spread
    return Similarity(scale, rotation_33, target_mean_3 - scale * rotation_33 @ source_mean_3)
