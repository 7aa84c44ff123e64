"""Result of the depth and of the fusion stage: a depth map with confidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def depth_item(name: str) -> str:
    """Item that holds the depth map of a posed key frame."""
    return f"depth/{name}.npz"


@dataclass(frozen=True)
class DepthMap:
    """Depth along the optical axis of one pinhole view.

    Attributes:
        depth_hw: float32, world units, 0 = none.
        confidence_hw: float32 in 0…1.
        k_33: calibration of this size.
        world_from_cam: (4, 4).
    """

    depth_hw: NDArray[np.float32]
    confidence_hw: NDArray[np.float32]
    k_33: NDArray[np.float64]
    world_from_cam: NDArray[np.float64]

    def without(self, mask_hw: NDArray[np.bool_] | None) -> DepthMap:
        """The map with neither depth nor confidence where the mask is set."""
        if mask_hw is None:
            return self
        return replace(
            self,
            depth_hw=np.where(mask_hw, np.float32(0), self.depth_hw),
            confidence_hw=np.where(mask_hw, np.float32(0), self.confidence_hw),
        )

    def save(self, path: Path) -> None:
        """Write as .npz with the names that other programs rely on."""
        with path.open("wb") as file:
            np.savez(
                file,
                depth=self.depth_hw.astype(np.float32),
                confidence=self.confidence_hw.astype(np.float16),
                K=self.k_33,
                world_from_cam=self.world_from_cam,
            )

    @classmethod
    def load(cls, path: Path) -> DepthMap:
        """Read what `save` wrote."""
        with np.load(path) as data:
            return cls(
                depth_hw=data["depth"].astype(np.float32),
                confidence_hw=data["confidence"].astype(np.float32),
                k_33=data["K"],
                world_from_cam=data["world_from_cam"],
            )
