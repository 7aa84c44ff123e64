"""Points found again in the images of a model where it expects them, so that tracks grow longer.

A track ends where flow is unsure, or where the point leaves the picture; a hand-held camera
comes back to it. As ORB-SLAM does (R. Mur-Artal et al., IEEE Transactions on Robotics, 2015),
each point is projected into the images that do not see it yet, and sought there with the patch
of the observation whose view is most alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mvrecon.formats.colmap.model import NO_POINT, ColmapModel
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import inverse_rigid, transform_points
from stages.pose.tracks.patch_alignment import (
    RADIUS_PX,
    TEMPLATE_SIDE_PX,
    align_templates,
    cut_templates,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
LoadGrey = Callable[[str], NDArray[np.uint8]]
LoadKept = Callable[[str], NDArray[np.bool_] | None]

# A point is where the model expects it to so many pixels; farther off is something else.
MAX_SHIFT_PX = 3.0
# Of an expected place the patch must agree better than one that flow has led to.
MIN_CORRELATION = 0.9
# Seen from farther aside, or so much nearer or farther off, a patch looks otherwise.
MAX_ANGLE_RAD = np.radians(15.0)
MAX_SCALE = 1.3
# So many points are sought in an image at most, those first that most images see.
MAX_SOUGHT = 500
# Half the distance in pixels over which the warp of a patch is taken.
WARP_REACH_PX = 4.0
# So far outside a picture, in units of half its size, distortion may fold points back into it.
FIELD = 1.2
# Points come from so many images at most, of those near enough evenly over time, so that an image
# costs the same however often its place was visited. As many are held.
MAX_IMAGES = 48
# Farther away than this part of what an image sees, every view is too different.
REACH = np.tan(MAX_ANGLE_RAD) * MAX_SCALE
# Of the depths of an image's points; a few points may be anywhere.
FAR_QUANTILE = 0.9


def find_again(
    model: ColmapModel, load_grey: LoadGrey, load_kept: LoadKept = lambda _: None
) -> ColmapModel:
    """The model with more observations of its points.

    Args:
        model: of the images as they are stored.
        load_grey: image (h, w) by the name of the model's image.
        load_kept: what a mask leaves (h, w) of it, or None.
    """
    search = _Search(model, load_grey)
    images = []
    for row, image in enumerate(model.images):
        point_k, xy_k2 = search.find_in(row)
        if (kept_hw := load_kept(image.name)) is not None:
            x_k, y_k = np.round(xy_k2).astype(np.int64).T
            point_k, xy_k2 = point_k[kept_hw[y_k, x_k]], xy_k2[kept_hw[y_k, x_k]]
        images.append(
            replace(
                image,
                xy_k2=np.concatenate([image.xy_k2, xy_k2]),
                point_k=np.concatenate([image.point_k, point_k]),
            )
        )
    return replace(model, images=tuple(images))


class _Search:
    """Observations sorted by image, and how each looks at its point."""

    def __init__(self, model: ColmapModel, load_grey: LoadGrey) -> None:
        self._model = model
        self._grey = lru_cache(MAX_IMAGES)(load_grey)
        self._camera_i = [model.cameras[image.camera_id] for image in model.images]
        self._id_i = np.array([image.camera_id for image in model.images])
        self._focal_i = np.array([camera.fx for camera in self._camera_i])
        self._widest_rad = max(map(_field_rad, self._camera_i)) + MAX_ANGLE_RAD
        point_m, image_m, xy_m2 = model.observations()
        self._point_m, self._image_m, self._xy_m2 = point_m, image_m, xy_m2
        self._count_n = np.bincount(point_m, minlength=len(model.xyz_n3))
        self._cam_from_world = np.stack([image.cam_from_world for image in model.images])
        self._world_from_cam = inverse_rigid(self._cam_from_world)
        poses_m = self._cam_from_world[self._image_m]
        xyz_m3 = model.xyz_n3[point_m]
        self._depth_m = np.einsum("mj,mj->m", poses_m[:, 2, :3], xyz_m3) + poses_m[:, 2, 3]
        self._from_point_m3 = _unit(self._world_from_cam[self._image_m, :3, 3] - xyz_m3)
        bounds = np.searchsorted(image_m, np.arange(len(model.images) + 1))
        self._seen_by = np.split(np.arange(len(image_m)), bounds[1:-1])
        self._far_i = np.array(
            [
                np.quantile(self._depth_m[seen], FAR_QUANTILE) if len(seen) else 0.0
                for seen in self._seen_by
            ]
        )

    def find_in(self, row: int) -> tuple[IntArray, FloatArray]:
        """Points (k,) found again in an image, and their pixels (k, 2)."""
        seen_m = np.concatenate([self._seen_by[other] for other in self._near(row)])
        point_k, expected_k2, depth_k = self._expected(row, seen_m)
        kept_k, seen_k = self._most_alike(row, seen_m, point_k, depth_k)
        point_k, expected_k2 = point_k[kept_k], expected_k2[kept_k]
        if not len(point_k):
            return np.zeros(0, np.int64), np.zeros((0, 2))
        templates_kss = self._templates(row, seen_k)
        image_hw = self._grey(self._model.images[row].name)
        xy_k2, found_k = align_templates(
            templates_kss, image_hw, expected_k2.astype(np.float32), MAX_SHIFT_PX, MIN_CORRELATION
        )
        return point_k[found_k], xy_k2[found_k].astype(np.float64)

    def _near(self, row: int) -> IntArray:
        """Images whose points an image may show from about where they were seen."""
        centre_i3 = self._world_from_cam[:, :3, 3]
        far = np.maximum(self._far_i[row], self._far_i)
        near_i = np.linalg.norm(centre_i3 - centre_i3[row], axis=1) <= REACH * far
        # Two pictures share something only if their axes are less apart than a picture is wide.
        axis_i3 = self._cam_from_world[:, 2, :3]
        near_i &= axis_i3 @ axis_i3[row] > np.cos(min(self._widest_rad, np.pi))
        near = np.flatnonzero(near_i)
        evenly = np.linspace(0, len(near) - 1, min(len(near), MAX_IMAGES))
        return near[np.round(evenly).astype(np.int64)]

    def _expected(self, row: int, seen_m: IntArray) -> tuple[IntArray, FloatArray, FloatArray]:
        """Points that an image may show but is not known to, their pixels and depths."""
        camera, image = self._camera_i[row], self._model.images[row]
        sought_n = np.zeros(len(self._count_n), bool)
        sought_n[self._point_m[seen_m]] = True
        sought_n[image.point_k[image.point_k != NO_POINT]] = False
        sought_k = np.flatnonzero(sought_n)
        cam_k3 = transform_points(self._cam_from_world[row], self._model.xyz_n3[sought_k])
        reach_2 = FIELD * np.array([camera.width / camera.fx, camera.height / camera.fy]) / 2
        ahead_k = np.all(np.abs(cam_k3[:, :2]) < reach_2 * cam_k3[:, 2:], axis=1)
        point_k, cam_k3 = sought_k[ahead_k], cam_k3[ahead_k]
        xy_k2 = camera.project(cam_k3)
        margin_px = RADIUS_PX + MAX_SHIFT_PX
        last_2 = np.array([camera.width, camera.height]) - 1 - margin_px
        inside_k = np.all((xy_k2 > margin_px) & (xy_k2 < last_2), axis=1)
        return point_k[inside_k], xy_k2[inside_k], cam_k3[inside_k, 2]

    def _most_alike(
        self, row: int, seen_m: IntArray, point_k: IntArray, depth_k: FloatArray
    ) -> tuple[IntArray, IntArray]:
        """Which of the points are worth a look, and the observation of each that is most alike."""
        place_n = np.full(len(self._count_n), -1)
        place_n[point_k] = np.arange(len(point_k))
        which_m = place_n[self._point_m[seen_m]]
        seen_m, which_m = seen_m[which_m >= 0], which_m[which_m >= 0]
        here_k3 = _unit(self._world_from_cam[row, :3, 3] - self._model.xyz_n3[point_k])
        cosine_m = np.einsum("mj,mj->m", self._from_point_m3[seen_m], here_k3[which_m])
        angle_m = np.arccos(np.clip(cosine_m, -1.0, 1.0))
        nearer_m = np.maximum(self._depth_m[seen_m], 1e-9) / depth_k[which_m]
        larger_m = self._focal_i[row] / self._focal_i[self._image_m[seen_m]]
        scale_m = np.abs(np.log(nearer_m * larger_m))
        alike = np.flatnonzero((angle_m < MAX_ANGLE_RAD) & (scale_m < np.log(MAX_SCALE)))
        alike = alike[np.lexsort(((angle_m + scale_m)[alike], which_m[alike]))]
        best = alike[np.diff(which_m[alike], prepend=-1) > 0]
        most = np.argsort(-self._count_n[point_k[which_m[best]]], kind="stable")[:MAX_SOUGHT]
        best = best[np.sort(most)]
        return which_m[best], seen_m[best]

    def _templates(self, row: int, seen_k: IntArray) -> NDArray[np.float32]:
        """What observations show of their points, as the image should show it."""
        warp_k22 = self._warps(row, seen_k)
        templates_kss = np.zeros((len(seen_k), TEMPLATE_SIDE_PX, TEMPLATE_SIDE_PX), np.float32)
        for other in np.unique(self._image_m[seen_k]):
            here = np.flatnonzero(self._image_m[seen_k] == other)
            grey_hw = self._grey(self._model.images[other].name)
            xy_k2 = self._xy_m2[seen_k[here]].astype(np.float32)
            templates_kss[here] = cut_templates(grey_hw, xy_k2, warp_k22[here])
        return templates_kss

    def _warps(self, row: int, seen_k: IntArray) -> NDArray[np.float32]:
        """Linear parts (k, 2, 2) of the way there of small planes that face the observation."""
        other_k = self._image_m[seen_k]
        warp_k22 = np.zeros((len(seen_k), 2, 2))
        for step in range(2):
            step_2 = WARP_REACH_PX * np.eye(2)[step]
            for camera_id in np.unique(self._id_i[other_k]):
                here = self._id_i[other_k] == camera_id
                ends = [self._carried(row, seen_k[here], step_2 * sign) for sign in (1, -1)]
                warp_k22[here, :, step] = (ends[0] - ends[1]) / (2 * WARP_REACH_PX)
        # What nearly vanishes cannot be undone; the identity will not correlate.
        plain_k = np.abs(np.linalg.det(warp_k22)) > 1 / MAX_SCALE**4
        return np.where(plain_k[:, None, None], warp_k22, np.eye(2)).astype(np.float32)

    def _carried(self, row: int, seen_k: IntArray, step_2: FloatArray) -> FloatArray:
        """Where an image shows what lies a step beside observations of one camera, as far off."""
        other_k = self._image_m[seen_k]
        rays_k3 = self._camera_i[other_k[0]].rays(self._xy_m2[seen_k] + step_2)
        points_k3 = rays_k3 * (self._depth_m[seen_k] / rays_k3[:, 2])[:, None]
        there_from_cam_k44 = self._cam_from_world[row] @ self._world_from_cam[other_k]
        there_k3 = np.einsum("kij,kj->ki", there_from_cam_k44[:, :3, :3], points_k3)
        there_k3 += there_from_cam_k44[:, :3, 3]
        there_k3[:, 2] = np.maximum(there_k3[:, 2], 1e-6)
        return self._camera_i[row].project(there_k3)


def _field_rad(camera: Camera) -> float:
    """Across the diagonal."""
    size_2 = [camera.width / camera.fx, camera.height / camera.fy]
    return float(2 * np.arctan(FIELD * np.linalg.norm(size_2) / 2))


def _unit(vector_n3: FloatArray) -> FloatArray:
    return np.asarray(vector_n3 / np.maximum(np.linalg.norm(vector_n3, axis=1), 1e-12)[:, None])
