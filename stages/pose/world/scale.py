"""The world that poses are given in: its scale from what is known of the true size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FrameTable
from mvrecon.errors import NotEnoughDataError, UsageError
from mvrecon.formats.colmap.model import NO_POINT, ColmapImage, ColmapModel
from mvrecon.geometry.rigid import inverse_rigid, transform_points
from mvrecon.geometry.similarity import Similarity
from stages.pose.undistortion import pinhole_without_blanks
from stages.pose.world.canonical import height_above_ground, move_model, normal_world
from stages.pose.world.positions import align_to_positions
from stages.pose.world.scale_option import (
    Baseline,
    CameraHeight,
    KnownLength,
    PixelDistance,
    PointDistance,
    Spot,
    parse_scale,
)

FloatArray = NDArray[np.float64]

ARBITRARY = "arbitrary: the median distance of a point from the cameras that see it is 1"
AS_KNOWN = "that of the known poses"
# A pixel takes its depth from so many of the nearest points, the first of which must lie so
# near (part of the image's width).
NEAREST_POINTS = 5
MAX_PIXEL_DISTANCE = 0.1


@dataclass(frozen=True)
class World:
    """Where a model goes.

    Attributes:
        world_from_model: the similarity.
        scale: where the unit comes from, in words.
        warnings: one sentence each.
    """

    world_from_model: Similarity
    scale: str
    warnings: tuple[str, ...] = ()


def choose_world(table: FrameTable, model: ColmapModel, option: str, known: bool) -> World:
    """The world of the results.

    Args:
        table: of the input; photos may tell where they were taken.
        model: in the world of the mapper, or of known poses.
        option: text of `--pose.scale`.
        known: whether the poses were given; their world stays but for the scale asked for.

    Raises:
        UsageError: the option names frames or pixels that have no pose or no points.
        NotEnoughDataError: the model shows no ground.
    """
    length = parse_scale(option)
    base = Similarity.identity() if known else normal_world(model)
    if length is None:
        if option == "auto" and not known:
            return _by_positions(table, model, base)
        return World(base, AS_KNOWN if known else ARBITRARY)
    # The ground is looked for where z is up, which only the normal world promises.
    measured_in = normal_world(model) if isinstance(length, CameraHeight) else base
    found = _measured(length, move_model(model, measured_in))
    factor = length.metres / found * measured_in.scale / base.scale
    scaling = Similarity(factor, np.eye(3), np.zeros(3))
    return World(scaling.compose(base), f"metres, {_described(length)} (factor {factor:.5g})")


def require_frames(option: str, table: FrameTable) -> None:
    """Refuse an option that names frames that are no key frames, before any work.

    Raises:
        UsageError: it does.
    """
    match parse_scale(option):
        case Baseline(first, second) | PixelDistance(Spot(first), Spot(second)):
            names = {frame.name for frame in table.key_frames}
        case _:
            return
    for name in (first, second):
        if name not in names:
            raise UsageError(
                f"--pose.scale: there is no key frame {name}",
                f"Take a name from frames.csv, such as {min(names)}",
            )


def _by_positions(table: FrameTable, model: ColmapModel, base: Similarity) -> World:
    places = {frame.name: frame.geodetic for frame in table.key_frames if frame.geodetic}
    images = [image for image in model.images if Path(image.name).stem in places]
    if not images:
        return World(base, ARBITRARY)
    centres_n3 = np.stack([_centre(image) for image in images])
    geodetic_n3 = np.array([places[Path(image.name).stem] for image in images])
    fit = align_to_positions(base.apply(centres_n3), geodetic_n3)
    if fit.similarity is None:
        warning = f"The positions in the photos' EXIF were not used for the scale: {fit.reason}"
        return World(base, ARBITRARY, (warning,))
    described = (
        f"metres, from the positions of {len(images)} photos in EXIF,"
        f" which agree to {fit.residual_m:.2g} m (x east, y north, z up)"
    )
    return World(fit.similarity.compose(base), described)


def _described(length: KnownLength) -> str:
    match length:
        case PointDistance():
            return f"two points are {length.metres:g} m apart"
        case PixelDistance():
            return f"what two pixels show is {length.metres:g} m apart"
        case Baseline():
            return f"cameras {length.first} and {length.second} are {length.metres:g} m apart"
        case CameraHeight():
            return f"the cameras are {length.metres:g} m above the ground"


def _measured(length: KnownLength, model: ColmapModel) -> float:
    """The length in the model's units, above 0."""
    images = {Path(image.name).stem: image for image in model.images}
    match length:
        case CameraHeight():
            centres_n3 = np.stack([_centre(image) for image in model.images])
            found = height_above_ground(model.xyz_n3, centres_n3)
            if found is None:
                raise NotEnoughDataError(
                    "the model shows no level ground below the cameras",
                    "Give --pose.scale as points, pixels or baseline instead",
                )
            return found
        case PointDistance():
            ends = np.array(length.first_xyz), np.array(length.second_xyz)
        case PixelDistance():
            ends = _seen_at(length.first, images, model), _seen_at(length.second, images, model)
        case Baseline():
            ends = (
                _centre(_image_of(length.first, images)),
                _centre(_image_of(length.second, images)),
            )
    distance = float(np.linalg.norm(ends[0] - ends[1]))
    if distance == 0:
        raise UsageError("--pose.scale: the two ends are the same place", "Give two places")
    return distance


def _centre(image: ColmapImage) -> FloatArray:
    return inverse_rigid(image.cam_from_world)[:3, 3]


def _image_of(name: str, images: Mapping[str, ColmapImage]) -> ColmapImage:
    if name not in images:
        raise UsageError(
            f"--pose.scale: there is no posed key frame {name}",
            "Take a name from frames.csv, such as " + next(iter(images)),
        )
    return images[name]


def _seen_at(spot: Spot, images: Mapping[str, ColmapImage], model: ColmapModel) -> FloatArray:
    """World point (3,) that a pixel of an undistorted image shows, by the points around it."""
    image = _image_of(spot.frame, images)
    pinhole = pinhole_without_blanks(model.cameras[image.camera_id])
    if not (0 <= spot.x_px < pinhole.width and 0 <= spot.y_px < pinhole.height):
        raise UsageError(
            f"--pose.scale: {spot.x_px:g},{spot.y_px:g} lies outside image {spot.frame}",
            f"It has {pinhole.width}×{pinhole.height} px",
        )
    seen_n3 = transform_points(
        image.cam_from_world, model.xyz_n3[image.point_k[image.point_k != NO_POINT]]
    )
    pixel_2 = np.array([spot.x_px, spot.y_px])
    away_px_n = np.linalg.norm(pinhole.project(seen_n3) - pixel_2, axis=1)
    nearest = np.argsort(away_px_n, kind="stable")[:NEAREST_POINTS]
    if len(nearest) == 0 or away_px_n[nearest[0]] > MAX_PIXEL_DISTANCE * pinhole.width:
        raise UsageError(
            f"--pose.scale: there is no point of the model near {spot.x_px:g},{spot.y_px:g}"
            f" in image {spot.frame}",
            "Choose a place with texture, or give points:… with coordinates of the mesh",
        )
    weight_n = 1.0 / (1.0 + away_px_n[nearest])
    depth = float(weight_n.sum() / (weight_n / seen_n3[nearest, 2]).sum())
    ray_3 = np.append(pinhole.normalize(pixel_2[None])[0], 1.0)
    world_n3 = transform_points(inverse_rigid(image.cam_from_world), depth * ray_3[None])
    return np.asarray(world_n3[0])
