"""Poses of frames between key frames, from the model's points: only for a child process.

Points that the neighbouring key frames see are followed into the frame by pyramidal
Lucas–Kanade (J.-Y. Bouguet, 2000), starting where a pose between the neighbours' expects
them, and give its pose by RANSAC and least squares.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.engine.processes.channel import report_progress
from mvrecon.errors import InputError
from mvrecon.formats.frame_view import FrameView
from mvrecon.formats.images import list_images, read_grey, read_pixels
from mvrecon.formats.video import Video
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import interpolate_rigid, inverse_rigid, rigid, transform_points

FloatArray = NDArray[np.float64]
Grey = NDArray[np.uint8]
Frames = Iterator[tuple[int, Callable[[int | None], Grey]]]

# Lucas–Kanade reaches half a window on each of so many levels besides the full size: enough
# for the difference from where a pose between the neighbours expects a point.
WINDOW_PX = 15
PYRAMID_LEVELS = 3
# There and back again, in pixels of the stored image.
MAX_RETURN_PX = 1.0
# Points that agree with a pose, and their part of those followed, for a pose that is believed.
MIN_INLIERS = 15
MIN_INLIER_SHARE = 0.3
# Enough where more than half of the points agree.
RANSAC_TRIALS = 200
RANSAC_CONFIDENCE = 0.9999
# Frames from one report of the progress to the next.
PROGRESS_EVERY = 10
# Part of the median depth: nearer points are beside or behind the camera.
NEAREST = 0.01

UNREADABLE = "unreadable"
OTHER_SIZE = "of another size than the key frames"
FEW_POINTS = "too few tracks: {} points of the model followed, {} needed"
DISAGREES = "only {} of {} points agree with one pose (moving scene or blur)"


@dataclass(frozen=True)
class Anchor:
    """A posed key frame.

    Attributes:
        position: of its source among the frames of the input.
        image: path of the stored image.
        camera: of the stored image, with distortion.
        world_from_cam: (4, 4).
        xy_k2: pixels at which it sees points.
        xyz_k3: these points.
    """

    position: int
    image: Path
    camera: Camera
    world_from_cam: FloatArray
    xy_k2: FloatArray
    xyz_k3: FloatArray


@dataclass(frozen=True)
class Resected:
    """The pose (4, 4) of a frame, or why it has none."""

    world_from_cam: FloatArray | None
    reason: str = ""


def resect_frames(
    path: Path,
    wanted: Sequence[int],
    anchors: Sequence[Anchor],
    max_error_px: float,
    view: FrameView | None = None,
) -> dict[int, Resected]:
    """Pose frames of a sequence; memory does not grow with its length.

    Args:
        path: the user's video or folder.
        wanted: positions of the frames, ascending.
        anchors: posed key frames, by ascending position; at least one.
        max_error_px: reprojection error of the points that agree.
        view: what is taken of the frames; None: all.

    Returns:
        Result by position, for every frame that could be found.
    """
    # RANSAC's random numbers come from a fixed seed, one thread takes them in order.
    cv2.setNumThreads(1)
    resection = _Resection(anchors, max_error_px)
    found: dict[int, Resected] = {}
    remaining = set(wanted)
    for position, whole_hw in _frames(path):
        grey_hw = partial(view.read, whole_hw) if view else whole_hw
        if position in remaining:
            found[position] = resection.pose(position, grey_hw)
            remaining.discard(position)
            if len(found) % PROGRESS_EVERY == 0:
                report_progress(len(found), len(wanted), "frame")
        if not remaining:
            break
    return found


def _frames(path: Path) -> Frames:
    if not path.is_dir():
        for frame in Video(path):
            yield frame.number, frame.grey_hw
        return
    for position, image in enumerate(list_images(path)):
        yield position, partial(read_grey, image)


class _Resection:
    """Holds the images of the two key frames round the frame in work."""

    def __init__(self, anchors: Sequence[Anchor], max_error_px: float) -> None:
        self._anchors = anchors
        self._positions = [anchor.position for anchor in anchors]
        self._max_error_px = max_error_px
        self._images: dict[int, Grey] = {}

    def pose(self, position: int, load: Callable[[int | None], Grey]) -> Resected:
        """Pose one frame."""
        after = bisect_left(self._positions, position)
        rows = [row for row in (after - 1, after) if 0 <= row < len(self._anchors)]
        near = [self._anchors[row] for row in rows]
        camera = near[0].camera
        try:
            image_hw = load(max(camera.width, camera.height))
        except InputError:
            return Resected(None, UNREADABLE)
        if image_hw.shape != (camera.height, camera.width):
            return Resected(None, OTHER_SIZE)
        guess = _guess(near, position)
        self._images = {row: self._image(row) for row in rows}
        followed = [
            _follow(anchor, self._images[row], image_hw, guess)
            for row, anchor in zip(rows, near, strict=True)
        ]
        xyz_n3 = np.concatenate([xyz for xyz, _ in followed])
        xy_n2 = np.concatenate([xy for _, xy in followed])
        return _solve(camera, xyz_n3, xy_n2, guess, self._max_error_px)

    def _image(self, row: int) -> Grey:
        if row in self._images:
            return self._images[row]
        return read_pixels(self._anchors[row].image, "grey")


def _guess(near: Sequence[Anchor], position: int) -> FloatArray:
    """World_from_cam between those of the neighbours."""
    first, last = near[0], near[-1]
    share = (position - first.position) / max(last.position - first.position, 1)
    return interpolate_rigid(first.world_from_cam, last.world_from_cam, min(max(share, 0.0), 1.0))


def _follow(
    anchor: Anchor, anchor_hw: Grey, image_hw: Grey, guess: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Points (n, 3) and the pixels (n, 2) at which the image shows them."""
    nothing = np.zeros((0, 3)), np.zeros((0, 2))
    cam_k3 = transform_points(inverse_rigid(guess), anchor.xyz_k3)
    seen = np.flatnonzero(cam_k3[:, 2] > NEAREST * np.median(np.abs(cam_k3[:, 2])))
    if len(seen) == 0:
        return nothing
    start = anchor.xy_k2[seen].astype(np.float32)
    expected = anchor.camera.project(cam_k3[seen]).astype(np.float32)
    there, good = _lucas_kanade(anchor_hw, image_hw, start, expected)
    back, good_back = _lucas_kanade(image_hw, anchor_hw, there, start)
    good &= good_back & (np.linalg.norm(back - start, axis=1) <= MAX_RETURN_PX)
    return anchor.xyz_k3[seen][good], there[good].astype(np.float64)


def _lucas_kanade(
    first_hw: Grey, second_hw: Grey, start: NDArray[np.float32], guess: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    end, status, _ = cv2.calcOpticalFlowPyrLK(
        first_hw,
        second_hw,
        start.reshape(-1, 1, 2),
        guess.reshape(-1, 1, 2).copy(),
        winSize=(WINDOW_PX, WINDOW_PX),
        maxLevel=PYRAMID_LEVELS,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(end, np.float32).reshape(-1, 2), np.asarray(status).ravel() == 1


def _solve(
    camera: Camera, xyz_n3: FloatArray, xy_n2: FloatArray, guess: FloatArray, max_error_px: float
) -> Resected:
    if len(xyz_n3) < MIN_INLIERS:
        return Resected(None, FEW_POINTS.format(len(xyz_n3), MIN_INLIERS))
    pixels_n2 = camera.pinhole().project(camera.rays(xy_n2))
    start = inverse_rigid(guess)
    solved, turn, shift, inliers = cv2.solvePnPRansac(
        xyz_n3,
        pixels_n2,
        camera.k_33,
        None,
        cv2.Rodrigues(start[:3, :3])[0],
        start[:3, 3:].copy(),
        useExtrinsicGuess=True,
        iterationsCount=RANSAC_TRIALS,
        reprojectionError=max_error_px,
        confidence=RANSAC_CONFIDENCE,
    )
    kept = np.zeros(0, np.int64) if not solved or inliers is None else np.ravel(inliers)
    if len(kept) < max(MIN_INLIERS, MIN_INLIER_SHARE * len(xyz_n3)):
        return Resected(None, DISAGREES.format(len(kept), len(xyz_n3)))
    turn, shift = cv2.solvePnPRefineLM(
        xyz_n3[kept], pixels_n2[kept], camera.k_33, None, turn, shift
    )
    rotation_33 = np.asarray(cv2.Rodrigues(turn)[0], np.float64)
    pose = inverse_rigid(rigid(rotation_33, np.asarray(shift, np.float64).ravel()))
    return Resected(pose) if np.isfinite(pose).all() else Resected(None, DISAGREES.format(0, 0))
