"""Image pairs with exact flow."""

from __future__ import annotations

import cv2
import numpy as np

SIZE = 128, 160


def texture(height: int, width: int, seed: int) -> np.ndarray:
    """Random pattern with detail at several scales, RGB."""
    generator = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for cell in (2, 5, 16):
        small = generator.random((height // cell + 2, width // cell + 2, 3), np.float32)
        total += cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip((total / 3 - 0.5) * 2.5 * 255 + 128, 0, 255).astype(np.uint8)


def shifted_pair(dx: int, dy: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two windows of one texture: the flow is (dx, dy) everywhere."""
    height, width = SIZE
    margin = max(abs(dx), abs(dy))
    whole = texture(height + 2 * margin, width + 2 * margin, seed)

    def window(x: int, y: int) -> np.ndarray:
        return np.ascontiguousarray(whole[y : y + height, x : x + width])

    return window(margin, margin), window(margin - dx, margin - dy)


def occluding_pair(step: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A square that moves right over a still background.

    Returns the images, the true forward flow, and where the first image is hidden in the second.
    """
    height, width = SIZE
    background, square = texture(height, width, 1), 255 - texture(50, 50, 2)
    first, second = background.copy(), background.copy()
    first[40:90, 40:90] = square
    second[40:90, 40 + step : 90 + step] = square
    flow = np.zeros((height, width, 2), np.float32)
    flow[40:90, 40:90, 0] = step
    hidden = np.zeros((height, width), bool)
    hidden[40:90, 90 : 90 + step] = True
    return first, second, flow, hidden
