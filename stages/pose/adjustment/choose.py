"""Whether the camera is another than the mapper assumed, and the model adjusted to it.

A rolling shutter or a zoom leaves errors that no path of an ordinary camera explains; the
adjustment that allows for it must explain much of them to be believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mvrecon.artifacts.image_motion import ImageMotion
from mvrecon.formats.colmap.model import NO_POINT, ColmapImage, ColmapModel
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import rigid
from stages.pose.adjustment.bundle import Adjusted, Freedom, adjust
from stages.pose.adjustment.cameras import (
    SECOND_TERM_GAIN,
    Cameras,
    FloatArray,
    Observations,
    residuals,
)

# The robust cost must fall by this part of it: noise alone gives a thousandth. A focal length for
# each frame explains more of anything, moving people too (a seventh of the cost, seen in a street).
READOUT_GAIN = 0.03
ZOOM_GAIN = 0.2
# A zoom over a second that is as likely as an error of one pixel: slow and fast ones pass.
ZOOM_PER_ROOT_S = 0.1
# Shorter read-outs, as shares of the time between frames, bend nothing; longer ones cannot be.
READOUT_BOUNDS = (0.05, 1.1)
# The motion of a row depends on the read-out by its acceleration: it settles at once. A change by
# this part of it changes nothing.
READOUT_ROUNDS = 3
SETTLED = 0.02
MIN_FRAMES = 5
# What decides between cameras needs so many observations in each frame.
OBSERVATIONS = 100
# While candidates are compared, steps end far below what decides between them.
ROUGH_GAIN = 1e-3
FINAL_GAIN = 1e-4


@dataclass(frozen=True)
class Shutter:
    """What was found of the camera.

    Attributes:
        model: adjusted; its keypoints are where they would be at the middle row's time, and
            each image has a camera of its own if the focal length changes.
        readout_s: time from the first row to the last, 0 for a global shutter.
        readout_share: the same as a share of the time from a frame to the next.
        zoom: ratio of the longest focal length to the shortest, 1 for a fixed one.
        gain: part of the robust cost that this explains.
    """

    model: ColmapModel
    readout_s: float
    readout_share: float
    zoom: float
    gain: float


def explain_errors(
    model: ColmapModel,
    times_s: Sequence[float],
    motions: Mapping[str, ImageMotion],
    *,
    frame_s: float,
    scale_px: float,
    calibrated: bool,
) -> Shutter | None:
    """The camera that explains a model's errors better than an ordinary one, if any does.

    Args:
        model: of a sequence taken by one camera.
        times_s: of its images, in order.
        motions: by the name of the key frame, of the images that have one.
        frame_s: time from a frame of the video to the next.
        scale_px: error at which an observation has lost half its weight.
        calibrated: whether the intrinsics are known and stay as they are.
    """
    used = {image.camera_id for image in model.images}
    if len(used) != 1 or len(model.images) < MIN_FRAMES:
        return None
    given = np.asarray(times_s, np.float64), motions, scale_px, calibrated
    problem = _Problem(thinned(model, OBSERVATIONS), *given)
    ordinary = problem.adjust_ordinary()
    rolling = problem.adjust(ordinary.cameras, readout=True, zoom=False)
    shares = abs(rolling.cameras.readout_s) / frame_s
    # By whether the rows are read in turn, and whether the focal length changes.
    found = {(False, False): ordinary}
    if READOUT_BOUNDS[0] < shares < READOUT_BOUNDS[1]:
        found[True, False] = rolling
    if not calibrated:
        found[False, True] = problem.adjust(ordinary.cameras, readout=False, zoom=True)
    believed = {
        kind: one
        for kind, one in found.items()
        if one.cost < (1.0 - (ZOOM_GAIN if kind[1] else READOUT_GAIN)) * ordinary.cost
    }
    if not believed:
        return None
    kind = min(believed, key=lambda one: believed[one].cost)
    if len(found) == 3:
        both = problem.adjust(found[kind].cameras, readout=True, zoom=True)
        if both.cost < (1.0 - (READOUT_GAIN if kind[1] else ZOOM_GAIN)) * found[kind].cost:
            kind, found[True, True] = (True, True), both
    whole = _Problem(model, *given)
    whole.radial_terms = problem.radial_terms
    start = whole.started(problem, found[kind].cameras)
    best = whole.adjust(start, *kind, least_gain=FINAL_GAIN)
    return Shutter(
        model=whole.adjusted_model(best.cameras),
        readout_s=best.cameras.readout_s,
        readout_share=best.cameras.readout_s / frame_s,
        zoom=float(np.exp(np.ptp(best.cameras.log_focal_n))),
        gain=1.0 - found[kind].cost / ordinary.cost,
    )


def thinned(model: ColmapModel, observations: int) -> ColmapModel:
    """Only the points that are seen longest, so many for each image if it has them."""
    point_m, image_m, _ = model.observations()
    order = np.argsort(point_m, kind="stable")
    seen_by = np.split(image_m[order], np.cumsum(np.bincount(point_m, minlength=1))[:-1])
    count_n = np.zeros(len(model.images), np.int64)
    kept = np.zeros(len(model.xyz_n3), bool)
    for point in np.argsort([-len(images) for images in seen_by], kind="stable"):
        images = seen_by[point]
        if len(images) and (count_n[images] < observations).any():
            count_n[images] += 1
            kept[point] = True
    return replace(
        model,
        images=tuple(
            replace(image, point_k=np.where(kept[image.point_k], image.point_k, NO_POINT))
            for image in model.images
        ),
    )


class _Problem:
    """A model as arrays, and back."""

    def __init__(
        self,
        model: ColmapModel,
        times_s: FloatArray,
        motions: Mapping[str, ImageMotion],
        scale_px: float,
        calibrated: bool,
    ) -> None:
        self._model = model
        self._times_s = times_s
        self._motions = motions
        self._scale_px = scale_px
        self._calibrated = calibrated
        point_m, frame_m, xy_m2 = model.observations()
        order = np.argsort(point_m, kind="stable")
        # Points that nothing sees any more have no place in the adjustment.
        self._kept, self._point_m = np.unique(point_m[order], return_inverse=True)
        self._frame_m, self._xy_m2 = frame_m[order], xy_m2[order]
        self._camera = camera = model.cameras[model.images[0].camera_id]
        # As many as the adjustment before has found.
        self.radial_terms = 2 if any(camera.distortion[1:2]) else 1
        poses_n44 = np.array([image.cam_from_world for image in model.images])
        self.start = Cameras(
            rotation_n33=poses_n44[:, :3, :3],
            translation_n3=poses_n44[:, :3, 3],
            xyz_p3=model.xyz_n3[self._kept],
            log_focal_n=np.full(len(poses_n44), np.log(camera.fx)),
            centre_2=np.array([camera.cx, camera.cy]),
            radial_2=np.array((0.0, 0.0) if calibrated else (*camera.distortion, 0.0, 0.0)[:2]),
        )

    def adjust_ordinary(self) -> Adjusted:
        """Adjust an ordinary camera, with a second term of distortion if that explains errors.

        Without it a read-out would be believed to explain what the lens does.
        """
        found = self.adjust(self.start, readout=False, zoom=False)
        if self._calibrated or self.radial_terms > 1:
            return found
        self.radial_terms = 2
        bent = self.adjust(found.cameras, readout=False, zoom=False)
        if bent.cost < (1.0 - SECOND_TERM_GAIN) * found.cost:
            return bent
        self.radial_terms = 1
        return found

    def adjust(
        self, start: Cameras, readout: bool, zoom: bool, least_gain: float = ROUGH_GAIN
    ) -> Adjusted:
        """Adjust with these freedoms."""
        freedom = Freedom(
            focal=not self._calibrated,
            radial=0 if self._calibrated else self.radial_terms,
            readout=readout,
            zoom=ZOOM_PER_ROOT_S if zoom else 0.0,
        )
        # A last adjustment starts from a read-out that has settled.
        rounds = READOUT_ROUNDS if readout and least_gain > FINAL_GAIN else 1
        for _ in range(rounds):
            seen = self._observations(start.readout_s)
            found = adjust(
                start, seen, self._times_s, freedom, self._scale_px, least_gain=least_gain
            )
            change_s = abs(found.cameras.readout_s - start.readout_s)
            start = found.cameras
            if change_s < SETTLED * abs(start.readout_s):
                break
        return found

    def started(self, part: _Problem, cameras: Cameras) -> Cameras:
        """Where to start from after a part of the points was adjusted."""
        xyz_n3 = self._model.xyz_n3.copy()
        xyz_n3[part._kept] = cameras.xyz_p3
        return replace(cameras, xyz_p3=xyz_n3[self._kept])

    def adjusted_model(self, cameras: Cameras) -> ColmapModel:
        """The model with these cameras, a camera for each image if they differ."""
        xyz_n3, error_px_n = self._model.xyz_n3.copy(), self._model.error_px_n.copy()
        seen = self._observations(cameras.readout_s)
        error_px_m = np.linalg.norm(residuals(cameras, seen), axis=1)
        xyz_n3[self._kept] = cameras.xyz_p3
        error_px_n[self._kept] = np.bincount(seen.point_m, error_px_m) / np.bincount(seen.point_m)
        return replace(
            self._model,
            cameras=self._cameras(cameras),
            images=self._images(cameras),
            xyz_n3=xyz_n3,
            error_px_n=error_px_n,
        )

    def _observations(self, readout_s: float) -> Observations:
        motion_m2 = np.zeros_like(self._xy_m2)
        for row, image in enumerate(self._model.images):
            here = self._frame_m == row
            motion_m2[here] = self._row_motion(image, self._xy_m2[here], readout_s)
        xy_m2 = self._undistorted(self._xy_m2) if self._calibrated else self._xy_m2
        return Observations(self._frame_m, self._point_m, xy_m2, motion_m2)

    def _row_motion(self, image: ColmapImage, xy_m2: FloatArray, readout_s: float) -> FloatArray:
        motion = self._motions.get(Path(image.name).stem)
        if motion is None:
            return np.zeros_like(xy_m2)
        return motion.row_motion(xy_m2, (self._camera.width, self._camera.height), readout_s)

    def _undistorted(self, xy_m2: FloatArray) -> FloatArray:
        """Pixels of a pinhole camera with square pixels: known intrinsics are done with."""
        plane_m2 = self._camera.normalize(xy_m2)
        return np.asarray(self._camera.fx * plane_m2 + [self._camera.cx, self._camera.cy])

    def _cameras(self, cameras: Cameras) -> dict[int, Camera]:
        """By camera id; by image id where each image has its own."""
        if self._calibrated:
            return dict(self._model.cameras)
        focal_n = np.exp(cameras.log_focal_n)
        distortion = (*map(float, cameras.radial_2), 0.0, 0.0)
        by_image = {
            image.image_id: replace(
                self._camera, fx=float(focal), fy=float(focal), distortion=distortion
            )
            for image, focal in zip(self._model.images, focal_n, strict=True)
        }
        one_id = self._model.images[0].camera_id
        return by_image if np.ptp(focal_n) else {one_id: next(iter(by_image.values()))}

    def _images(self, cameras: Cameras) -> tuple[ColmapImage, ...]:
        own = not self._calibrated and bool(np.ptp(cameras.log_focal_n))
        readout_s = cameras.readout_s
        return tuple(
            replace(
                image,
                camera_id=image.image_id if own else image.camera_id,
                cam_from_world=rigid(rotation_33, translation_3),
                xy_k2=image.xy_k2 - readout_s * self._row_motion(image, image.xy_k2, readout_s),
            )
            for image, rotation_33, translation_3 in zip(
                self._model.images, cameras.rotation_n33, cameras.translation_n3, strict=True
            )
        )
