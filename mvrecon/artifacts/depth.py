"""Result of the depth and of the fusion stage: a depth map with confidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def depth_item(name: str) -> str:
    """Item that holds the depth map of a posed key frame."""
    return f"depth/{name}.npz"


def inverted(values_hw: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inverse depth of depth, or depth of inverse depth; 0 = none stays 0."""
    has_hw = values_hw > 0
    return np.where(has_hw, 1.0 / np.where(has_hw, values_hw, 1.0), 0.0).astype(np.float32)


@dataclass(frozen=True)
class DepthMap:
    """Depth along the optical axis of one pinhole view.

    Attributes:
        depth_hw: float32, world units, 0 = none.
        confidence_hw: float32 in 0…1.
        k_33: calibration of this size.
        world_from_cam: (4, 4).
        completed_hw: float32, guessed depth of pixels that were not measured, 0 elsewhere; None if
            nothing was guessed. Never part of `depth_hw`, so that nobody takes it for measured.
    """

    depth_hw: NDArray[np.float32]
    confidence_hw: NDArray[np.float32]
    k_33: NDArray[np.float64]
    world_from_cam: NDArray[np.float64]
    completed_hw: NDArray[np.float32] | None = None

    def without(self, mask_hw: NDArray[np.bool_] | None) -> DepthMap:
        """The map with neither depth nor confidence where the mask is set."""
        if mask_hw is None:
            return self
        return replace(
            self,
            depth_hw=np.where(mask_hw, np.float32(0), self.depth_hw),
            confidence_hw=np.where(mask_hw, np.float32(0), self.confidence_hw),
        )

    def with_completed(self, confidence: float) -> DepthMap:
        """The map with what was guessed in the place of what was not measured.

        Args:
            confidence: of the guesses.
        """
        if self.completed_hw is None:
            return self
        guessed_hw = self.completed_hw > 0
        return replace(
            self,
            depth_hw=np.where(guessed_hw, self.completed_hw, self.depth_hw),
            confidence_hw=np.where(guessed_hw, np.float32(confidence), self.confidence_hw),
            completed_hw=None,
        )

    def save(self, path: Path) -> None:
        """Write as .npz with the names that other programs rely on."""
        guessed: dict[str, Any] = {}
        if self.completed_hw is not None:
            guessed["completed"] = self.completed_hw
        with path.open("wb") as file:
            np.savez(
                file,
                depth=self.depth_hw.astype(np.float32),
                confidence=self.confidence_hw.astype(np.float16),
                K=self.k_33,
                world_from_cam=self.world_from_cam,
                **guessed,
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
                completed_hw=data.get("completed"),
            )
