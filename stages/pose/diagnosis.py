"""Why a frame, or the whole input, could not be posed."""

from __future__ import annotations

import numpy as np

from mvrecon.errors import NotEnoughDataError
from mvrecon.formats.colmap import NO_POINT, ColmapModel
from stages.pose.motion import Motion
from stages.pose.problem import FeatureMatches

NO_MATCHES = "no overlap: no matches with any other frame"
OTHER_MODEL = "no overlap with the largest model; posed in colmap_others/{}"
FEW_MATCHES = "too few tracks: {} points of the model seen, {} needed"
LITTLE_PARALLAX = "too little parallax between it and its neighbours"
UNRELIABLE = "its pose does not agree with its neighbours (moving scene or wrong matches)"
# A frame whose matches move less than this part of the image side shows no depth.
PARALLAX_SHIFT = 0.005


def lost_reasons(
    names: list[str],
    features: FeatureMatches,
    models: list[ColmapModel],
    min_inliers: int,
) -> dict[str, str]:
    """The reason of each key frame that is not in the first model.

    Args:
        names: of the key frames.
        features: what the mapper was given.
        models: the mapper's, the one that was taken first.
        min_inliers: points that a frame has to see.
    """
    posed = {image.image_id - 1: image for image in models[0].images}
    elsewhere = {
        image.image_id - 1: number
        for number, model in enumerate(models[1:])
        for image in reversed(model.images)
    }
    partners: dict[int, list[int]] = {}
    for first, second in features.matches:
        partners.setdefault(first, []).append(second)
        partners.setdefault(second, []).append(first)
    reasons = {}
    for index, name in enumerate(names):
        if index in posed:
            continue
        if index not in partners:
            reasons[name] = NO_MATCHES
        elif index in elsewhere:
            reasons[name] = OTHER_MODEL.format(elsewhere[index])
        else:
            seen, shift_px = _model_points_seen(index, partners[index], features, models[0])
            side_px = _side_px(models[0])
            if seen < min_inliers:
                reasons[name] = FEW_MATCHES.format(seen, min_inliers)
            elif shift_px < PARALLAX_SHIFT * side_px:
                reasons[name] = LITTLE_PARALLAX
            else:
                reasons[name] = UNRELIABLE
    return reasons


def _side_px(model: ColmapModel) -> int:
    camera = next(iter(model.cameras.values()))
    return max(camera.width, camera.height)


def _model_points_seen(
    index: int, partners: list[int], features: FeatureMatches, model: ColmapModel
) -> tuple[int, float]:
    """Most points of the model that it shares with one posed frame, and how far they move."""
    posed = {image.image_id - 1: image for image in model.images}
    most, shift_px = 0, 0.0
    for other in partners:
        if other not in posed:
            continue
        rows = features.matches[min(index, other), max(index, other)]
        mine, theirs = (rows[:, 0], rows[:, 1]) if index < other else (rows[:, 1], rows[:, 0])
        known = posed[other].point_k[theirs] != NO_POINT
        if known.sum() > most:
            most = int(known.sum())
            moved_px = features.keypoints[index][mine] - features.keypoints[other][theirs]
            shift_px = float(np.median(np.linalg.norm(moved_px[known], axis=1)))
    return most, shift_px


def refuse_still_camera(motion: Motion) -> None:
    """Stop before mapping what cannot be mapped.

    Raises:
        NotEnoughDataError: there are no matches, or the camera stands still or only turns.
    """
    if motion == "none":
        raise NotEnoughDataError(
            "no two frames overlap enough to be matched",
            "Film or photograph with more overlap, in better light, or keep more frames",
        )
    if motion == "static":
        raise NotEnoughDataError(
            "the camera does not move (static camera), so there is no parallax",
            "Walk sideways round the scene while you film",
        )
    if motion == "rotation":
        raise NotEnoughDataError(
            "the camera only turns on the spot (pure rotation), so there is no parallax",
            "Move the camera sideways while you film, instead of panning",
        )


def no_model_error(key_frames: int, posed: int, needed: int) -> NotEnoughDataError:
    """The error for matches from which no model grew."""
    found = f"only {posed} of {key_frames} frames" if posed else f"none of {key_frames} frames"
    return NotEnoughDataError(
        f"{found} could be posed, {needed} are needed (too little parallax or overlap)",
        "Film a textured, still scene from several sides, moving slowly sideways",
    )
