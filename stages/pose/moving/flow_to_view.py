"""Where the flow takes the pixels of a view, and where rigid points would go."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.transfer import PixelTransfer

FloatMap = NDArray[np.float32]
VectorMap = NDArray[np.float32]
Pixels = NDArray[np.float32 | np.int16 | np.uint8]

# Of the homogeneous coordinate: what is behind the other camera is projected far away.
NEAREST = np.float32(1e-6)
# Keeps pixels on the epipole, whose depth no flow shows, from a division by 0.
LEAST_INFORMATION = np.float32(1e-12)


@dataclass(frozen=True)
class FlowToView:
    """Flow from the pixels of a view to another view, whose pose is known.

    Attributes:
        target_hw2: pixels of the other pinhole image.
        confidence_hw: 0…1, 0 where the flow leaves the image.
        transfer: from the pixels of the one to those of the other posed pinhole camera, in
            single precision.
        grey_hw: the other image.
    """

    target_hw2: VectorMap
    confidence_hw: FloatMap
    transfer: PixelTransfer
    grey_hw: FloatMap

    @cached_property
    def _at_infinity_3hw(self) -> tuple[FloatMap, ...]:
        return self.transfer.at_infinity(self.confidence_hw.shape)

    @cached_property
    def _target_2hw(self) -> tuple[FloatMap, ...]:
        return tuple(np.asarray(part_hw, np.float32) for part_hw in cv2.split(self.target_hw2))

    def project(self, inverse_depth_hw: FloatMap) -> tuple[FloatMap, FloatMap]:
        """Pixels, x (h, w) and y (h, w), in the other view of all pixels at some inverse depth."""
        u_hw, v_hw, w_hw = (
            part_hw + epipole * inverse_depth_hw
            for part_hw, epipole in zip(self._at_infinity_3hw, self.transfer.epipole_3, strict=True)
        )
        w_hw = np.maximum(w_hw, NEAREST)
        return u_hw / w_hw, v_hw / w_hw

    def inverse_depth(self, largest: float) -> FloatMap:
        """Inverse depth in 0…largest of the epipolar point that is nearest to the target."""
        u_hw, v_hw, w_hw = self._at_infinity_3hw
        x_hw, y_hw = self._target_2hw
        e_x, e_y, e_z = self.transfer.epipole_3
        slope_x_hw, slope_y_hw = e_x - x_hw * e_z, e_y - y_hw * e_z
        pull_hw = slope_x_hw * (x_hw * w_hw - u_hw) + slope_y_hw * (y_hw * w_hw - v_hw)
        information_hw = np.maximum(slope_x_hw**2 + slope_y_hw**2, LEAST_INFORMATION)
        return np.asarray(np.clip(pull_hw / information_hw, 0.0, largest), np.float32)

    def distance_px(self, inverse_depth_hw: FloatMap) -> FloatMap:
        """Distance of the target from a point at some inverse depth."""
        x_hw, y_hw = self.project(inverse_depth_hw)
        target_x_hw, target_y_hw = self._target_2hw
        return np.asarray(cv2.magnitude(x_hw - target_x_hw, y_hw - target_y_hw), np.float32)


def sample(image: Pixels, at_hw2: VectorMap) -> NDArray[np.float32]:
    """Bilinear values at pixels, repeating the border; of integers rounded ones."""
    return sample_at(image, *cv2.split(at_hw2))


def sample_at(
    image: Pixels, x_hw: cv2.typing.MatLike, y_hw: cv2.typing.MatLike
) -> NDArray[np.float32]:
    """The same, for x and y (h, w) apart."""
    sampled = cv2.remap(image, x_hw, y_hw, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled, np.float32)
