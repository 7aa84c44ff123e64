"""Soft sunlight with cast shadows and ambient light, computed once per surface sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.raycasting import TriangleScene

FloatArray = NDArray[np.float32]

SURFACE_OFFSET_M = 1e-3
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
RAYS_PER_CALL = 2_000_000


@dataclass(frozen=True)
class Light:
    """A disc that shines on the scene, and light from everywhere that corners block.

    Attributes:
        position_m: centre of the disc.
        radius_m: of the disc; larger is softer.
        colour: irradiance of a surface that faces it, linear RGB.
        ambient: irradiance of an open surface by the surroundings, linear RGB.
        ambient_reach_m: how far away a surface still blocks ambient light.
        shadow_samples, ambient_samples: rays per surface sample.
    """

    position_m: tuple[float, float, float]
    radius_m: float = 0.2
    colour: tuple[float, float, float] = (0.80, 0.75, 0.67)
    ambient: tuple[float, float, float] = (0.36, 0.39, 0.44)
    ambient_reach_m: float = 0.5
    shadow_samples: int = 32
    ambient_samples: int = 64


def irradiance(
    scene: TriangleScene,
    positions_n3: FloatArray,
    normals_n3: FloatArray,
    light: Light,
) -> FloatArray:
    """Linear RGB irradiance (n, 3) of surface samples.

    Args:
        scene: what casts shadows.
        positions_n3: metres.
        normals_n3: unit, pointing outwards.
        light: sun and surroundings.
    """
    result_n3 = np.empty((len(positions_n3), 3), np.float32)
    chunk = max(1, RAYS_PER_CALL // max(light.shadow_samples, light.ambient_samples))
    for start in range(0, len(positions_n3), chunk):
        part = slice(start, start + chunk)
        origins_n3 = positions_n3[part] + SURFACE_OFFSET_M * normals_n3[part]
        sun_n = _sun_share(scene, origins_n3, normals_n3[part], light)
        open_n = _open_share(scene, origins_n3, normals_n3[part], light)
        result_n3[part] = sun_n[:, None] * np.asarray(light.colour, np.float32)
        result_n3[part] += open_n[:, None] * np.asarray(light.ambient, np.float32)
    return result_n3


def _sun_share(
    scene: TriangleScene,
    origins_n3: FloatArray,
    normals_n3: FloatArray,
    light: Light,
) -> FloatArray:
    """Mean over the disc of visibility × cosine, (n,)."""
    centre = np.array(light.position_m)
    axis = centre / np.linalg.norm(centre)
    side = np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    number_k = np.arange(light.shadow_samples)
    radius_k1 = light.radius_m * np.sqrt((number_k[:, None] + 0.5) / light.shadow_samples)
    angle_k1 = GOLDEN_ANGLE * number_k[:, None]
    disc_k3 = radius_k1 * (np.cos(angle_k1) * side + np.sin(angle_k1) * np.cross(axis, side))
    to_sun_nk3 = (centre + disc_k3)[None] - origins_n3[:, None]
    cosine_nk = np.einsum("nki,ni->nk", to_sun_nk3, normals_n3)
    cosine_nk /= np.linalg.norm(to_sun_nk3, axis=-1)
    origins_nk3 = np.broadcast_to(origins_n3[:, None], to_sun_nk3.shape)
    lit_nk = ~scene.blocked(origins_nk3, to_sun_nk3, 1.0)
    return np.asarray((lit_nk * np.maximum(cosine_nk, 0)).mean(1), np.float32)


def _open_share(
    scene: TriangleScene,
    origins_n3: FloatArray,
    normals_n3: FloatArray,
    light: Light,
) -> FloatArray:
    """Share of cosine-distributed directions that nothing near blocks, (n,)."""
    number_k = np.arange(light.ambient_samples)
    radius_k = np.sqrt((number_k + 0.5) / light.ambient_samples)
    angle_k = GOLDEN_ANGLE * number_k
    local_k3 = np.stack(
        [radius_k * np.cos(angle_k), radius_k * np.sin(angle_k), np.sqrt(1 - radius_k**2)], 1
    )
    helper_n3 = np.where(np.abs(normals_n3[:, 2:]) < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    tangent_n3 = np.cross(normals_n3, helper_n3)
    tangent_n3 /= np.linalg.norm(tangent_n3, axis=1, keepdims=True)
    frame_n33 = np.stack([tangent_n3, np.cross(normals_n3, tangent_n3), normals_n3], 1)
    directions_nk3 = np.einsum("kj,nji->nki", local_k3, frame_n33)
    origins_nk3 = np.broadcast_to(origins_n3[:, None], directions_nk3.shape)
    blocked_nk = scene.blocked(origins_nk3, directions_nk3, light.ambient_reach_m)
    return np.asarray(1 - blocked_nk.mean(1), np.float32)
