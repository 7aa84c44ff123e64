"""Pictures and exact depth of the scenes of posed clips, by casting rays at their triangles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import FloatArray, TriangleScene, pixel_rays
from mvrecon.synthetic.training.clips.scenes import ClipScene
from mvrecon.synthetic.training.sampling import look_up

# Two rays a pixel on a diagonal smooth edges of every direction but its own.
SUBPIXELS_PX = ((-0.25, -0.2), (0.25, 0.2))
TEXTURE_LEVELS = 5
SHADOW_OFFSET = 2e-3


@dataclass(frozen=True)
class Lighting:
    """Light of a clip.

    Attributes:
        lamp_m: position of the lamp.
        ambient: share of the light that comes from everywhere.
        shadows: whether the lamp casts them.
        sky: RGB where nothing is met.
        tint: RGB of the lamp.
    """

    lamp_m: NDArray[np.float64]
    ambient: float
    shadows: bool
    sky: NDArray[np.float32]
    tint: NDArray[np.float32]


class ClipRenderer:
    """A scene ready to be looked at.

    Args:
        scene: what is there.
        textures: what `texture_pyramid` gives.
        lighting: how it is lit.
    """

    def __init__(self, scene: ClipScene, textures: Sequence[Tensor], lighting: Lighting) -> None:
        parts = [part.triangles for part in scene.solids]
        counts = np.array([len(part.vertices_n3) for part in parts])
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        vertices_n3 = np.concatenate([part.vertices_n3 for part in parts])
        faces_m3 = np.concatenate(
            [part.faces_m3 + start for part, start in zip(parts, first, strict=True)]
        )
        self.triangles = TriangleScene(vertices_n3, faces_m3)
        self._faces_m3 = torch.from_numpy(faces_m3)
        normals_n3 = np.concatenate([part.normals_n3 for part in parts])
        self._normals_n3 = torch.from_numpy(normals_n3.astype(np.float32))
        owner_m = np.repeat(np.arange(len(parts)), [len(part.faces_m3) for part in parts])
        self._owner_m = torch.from_numpy(owner_m)
        looks = [part.material for part in scene.solids]
        count = len(textures[0])
        self._texture_p = torch.tensor([int(look.texture * count) % count for look in looks])
        paint_p4 = [[look.contrast, *look.colour] for look in looks]
        self._paint_p4 = torch.tensor(paint_p4, dtype=torch.float32)
        self._density_p = torch.tensor([look.texels_per_m for look in looks], dtype=torch.float32)
        self._gloss_p = torch.tensor([look.gloss for look in looks], dtype=torch.float32)
        self._levels = textures
        self.lighting = lighting

    def image(self, camera: Camera, world_from_cam: NDArray[np.float64]) -> FloatArray:
        """RGB (h, w, 3) in about 0…1, each pixel the mean of two rays."""
        total_n3 = torch.zeros(camera.height * camera.width, 3)
        for dx_px, dy_px in SUBPIXELS_PX:
            rays = pixel_rays(camera, world_from_cam, dx_px, dy_px)
            total_n3 += self._colours(*rays, 1.0 / camera.fx)
        image_hw3 = (total_n3 / len(SUBPIXELS_PX)).view(camera.height, camera.width, 3).numpy()
        return np.asarray(image_hw3, np.float32)

    def _colours(
        self, origins_n3: FloatArray, directions_n3: FloatArray, radians_per_px: float
    ) -> Tensor:
        hits = self.triangles.cast(origins_n3, directions_n3)
        met_n = torch.from_numpy(hits.met_n)
        colours_n3 = torch.from_numpy(self.lighting.sky).expand(len(met_n), 3).clone()
        if not bool(met_n.any()):
            return colours_n3
        directions_h3 = torch.from_numpy(directions_n3)[met_n]
        distance_h = torch.from_numpy(hits.distance_n)[met_n]
        points_h3 = torch.from_numpy(origins_n3)[met_n] + distance_h[:, None] * directions_h3
        triangle_h = torch.from_numpy(hits.triangle_n)[met_n]
        normals_h3 = self._normals(triangle_h, torch.from_numpy(hits.barycentric_n2)[met_n])
        toward_h3 = -F.normalize(directions_h3, dim=1)
        facing_h = (normals_h3 * toward_h3).sum(1, keepdim=True)
        normals_h3 = torch.where(facing_h < 0, -normals_h3, normals_h3)
        owner_h = self._owner_m[triangle_h]
        albedo_h3 = self._albedo(owner_h, points_h3, normals_h3, distance_h * radians_per_px)
        colours_n3[met_n] = self._lit(owner_h, points_h3, normals_h3, toward_h3, albedo_h3)
        return colours_n3

    def _normals(self, triangle_h: Tensor, second_third_h2: Tensor) -> Tensor:
        corners_h33 = self._normals_n3[self._faces_m3[triangle_h]]
        weights_h3 = torch.cat([1.0 - second_third_h2.sum(1, keepdim=True), second_third_h2], 1)
        return F.normalize((corners_h33 * weights_h3[..., None]).sum(1), dim=1)

    def _albedo(
        self, owner_h: Tensor, points_h3: Tensor, normals_h3: Tensor, metres_per_px_h: Tensor
    ) -> Tensor:
        """Texture laid on along the axis that the normal is nearest to, blurred by distance."""
        axis_h1 = normals_h3.abs().argmax(1, keepdim=True)
        density_h = self._density_p[owner_h]
        u_h = points_h3.gather(1, torch.where(axis_h1 == 0, 1, 0))[:, 0] * density_h
        v_h = points_h3.gather(1, torch.where(axis_h1 == 2, 1, 2))[:, 0] * -density_h
        # Solids and their sides show different parts of a texture.
        u_h, v_h = u_h + 97.0 * axis_h1[:, 0] + 31.0 * owner_h, v_h + 61.0 * axis_h1[:, 0]
        level_h = (metres_per_px_h * density_h).clamp(min=1.0).log2().round().long()
        level_h = level_h.clamp(max=TEXTURE_LEVELS - 1)
        texels_h3 = torch.empty_like(points_h3)
        for level, textures in enumerate(self._levels):
            at = (level_h == level).nonzero()[:, 0]
            if len(at):
                size = 0.5**level
                index = self._texture_p[owner_h[at]]
                texels_h3[at] = look_up(textures, index, u_h[at] * size, v_h[at] * size)
        paint_h4 = self._paint_p4[owner_h]
        contrast_h1, colour_h3 = paint_h4[:, :1], paint_h4[:, 1:]
        bare_h3 = colour_h3 * (1.0 + contrast_h1 * (texels_h3 - 0.5))
        return torch.where(
            contrast_h1 < 0.99, torch.lerp(bare_h3, texels_h3, contrast_h1), texels_h3
        )

    def _lit(
        self,
        owner_h: Tensor,
        points_h3: Tensor,
        normals_h3: Tensor,
        toward_h3: Tensor,
        albedo_h3: Tensor,
    ) -> Tensor:
        """Lamp with fall-off and shadows, light from everywhere, and highlights."""
        lamp_3 = torch.from_numpy(self.lighting.lamp_m.astype(np.float32))
        to_lamp_h3 = lamp_3 - points_h3
        away_h = to_lamp_h3.norm(dim=1)
        to_lamp_unit_h3 = to_lamp_h3 / away_h[:, None].clamp(min=1e-6)
        cosine_h = (normals_h3 * to_lamp_unit_h3).sum(1).clamp(min=0.0)
        near = float(away_h.median())
        lamp_h = cosine_h * 2.0 / (1.0 + (away_h / near) ** 2)
        half_h3 = F.normalize(to_lamp_unit_h3 + toward_h3, dim=1)
        shine_h = (normals_h3 * half_h3).sum(1).clamp(min=0.0) ** 40 * self._gloss_p[owner_h]
        if self.lighting.shadows:
            origins_h3 = (points_h3 + SHADOW_OFFSET * near * normals_h3).numpy()
            hidden_h = self.triangles.blocked(origins_h3, to_lamp_h3.numpy(), 0.98)
            lit_h = 1.0 - torch.from_numpy(hidden_h).float()
            lamp_h, shine_h = lamp_h * lit_h, shine_h * lit_h
        ambient = self.lighting.ambient
        around_h = ambient * (0.85 + 0.15 * normals_h3[:, 2])
        tint_3 = torch.from_numpy(self.lighting.tint)
        light_h3 = around_h[:, None] + (1.0 - ambient) * lamp_h[:, None] * tint_3
        seen_h3: Tensor = albedo_h3 * light_h3 + shine_h[:, None] * tint_3
        return seen_h3


def texture_pyramid(textures_nhw3: Tensor) -> list[Tensor]:
    """Textures (n, h, w, 3), uint8, each half as large as the one before."""
    levels = [textures_nhw3]
    for _ in range(1, TEXTURE_LEVELS):
        halved = F.avg_pool2d(levels[-1].permute(0, 3, 1, 2).float(), 2)
        levels.append(halved.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous())
    return levels
