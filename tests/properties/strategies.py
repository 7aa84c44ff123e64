"""What properties are tried on: transforms, cameras, arrays, within what the program meets."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import rigid, rotation_from_quaternion
from mvrecon.geometry.similarity import Similarity

# The same examples every time: a test that fails is seen again.
settings.register_profile("mvrecon", derandomize=True, max_examples=60, deadline=None)
settings.load_profile("mvrecon")


def numbers(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most, allow_nan=False, allow_infinity=False)


def vectors(length: int, most: float) -> st.SearchStrategy[NDArray[np.float64]]:
    return arrays(np.float64, length, elements=numbers(-most, most))


@st.composite
def rotations(draw: st.DrawFn) -> NDArray[np.float64]:
    wxyz_4 = draw(vectors(4, 1.0).filter(lambda v: np.linalg.norm(v) > 1e-3))
    return rotation_from_quaternion(wxyz_4)


@st.composite
def rigids(draw: st.DrawFn) -> NDArray[np.float64]:
    return rigid(draw(rotations()), draw(vectors(3, 1e3)))


@st.composite
def similarities(draw: st.DrawFn) -> Similarity:
    return Similarity(draw(numbers(1e-3, 1e3)), draw(rotations()), draw(vectors(3, 1e3)))


def points(count: int = 6) -> st.SearchStrategy[NDArray[np.float64]]:
    return arrays(np.float64, (count, 3), elements=numbers(-1e3, 1e3))


@st.composite
def cameras(draw: st.DrawFn, distorted: bool = True) -> Camera:
    width, height = draw(st.integers(16, 4096)), draw(st.integers(16, 4096))
    focal_px = max(width, height) * draw(numbers(0.6, 3.0))
    distortion = ()
    if distorted:
        k1, k2 = draw(numbers(-0.15, 0.15)), draw(numbers(-0.02, 0.02))
        distortion = (k1, k2, draw(numbers(-2e-3, 2e-3)), draw(numbers(-2e-3, 2e-3)))
    cx = (width - 1) * draw(numbers(0.4, 0.6))
    cy = (height - 1) * draw(numbers(0.4, 0.6))
    return Camera(width, height, focal_px, focal_px * draw(numbers(0.9, 1.1)), cx, cy, distortion)
