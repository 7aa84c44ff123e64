"""Why a frame, or the whole input, could not be posed."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FrameTable
from mvrecon.errors import NoModelError
from mvrecon.formats.colmap.model import NO_POINT, ColmapModel
from stages.pose.mapping.parallax import pair_motion
from stages.pose.matching.features import FeatureMatches, Pair

FloatArray = NDArray[np.float64]

# Each frame's reason begins with one of these words and ends with its remedy.
BLURRED = "blurred: sharpness {:.2f}, that of posed frames {:.2f}; move slower, in more light"
CUT = (
    "cut: another scene begins at {:.2f} s; run the scenes apart (--frames.start_s, --frames.end_s)"
)
DARK = "dark: hardly anything above level {:.0f} of 255; film in more light"
NO_MATCHES = "no overlap: no matches with any other frame; keep more frames (--frames.min_parallax)"
OTHER_MODEL = (
    "no overlap with the largest model: posed in colmap_others/{}; film what joins the two"
)
FEW_MATCHES = (
    "too few tracks: {} points of the model seen, {} needed; move slower, show more texture"
)
NOT_JOINED = "no overlap: nothing in {} looks like the rest; film both from about the same places"
LITTLE_PARALLAX = "too little parallax: its neighbours see the same; move sideways"
PURE_ROTATION = "pure rotation: the camera only turns there; move sideways while turning"
UNRELIABLE = (
    "moving scene: its matches do not agree with one still scene; keep people out of the picture"
)

# A frame whose matches move less than this part of the image side shows no depth.
PARALLAX_SHIFT = 0.005
# Less sharp than this part of what is usual: SIFT and corners go first.
BLURRED_PART = 0.6
# All but the brightest 2 % of the pixels, lamps and windows, are darker than this grey level.
DARK_LEVEL = 50.0
DARK_QUANTILE = 0.98


def lost_reasons(
    table: FrameTable,
    features: FeatureMatches,
    models: list[ColmapModel],
    min_inliers: int,
    load_grey: Callable[[str], NDArray[np.uint8]],
) -> dict[str, str]:
    """The reason, with its remedy, of each key frame that is not in the first model.

    Args:
        table: of the input.
        features: what the mapper was given.
        models: the mapper's, the one that was taken first.
        min_inliers: points that a frame has to see.
        load_grey: image of a key frame, by name; only those of lost frames are read.
    """
    frames = table.key_frames
    posed = {image.image_id - 1 for image in models[0].images}
    usual = float(np.median([frames[index].sharpness for index in posed]))
    cuts = [cut.index for cut in table.cuts]
    parts = [bisect_right(cuts, frame.index) for frame in frames]
    posed_parts = {parts[index] for index in posed}
    posed_inputs = {frames[index].part for index in posed}
    reasons = {}
    for index, frame in enumerate(frames):
        if index in posed:
            continue
        if table.is_joined and frame.part not in posed_inputs:
            reasons[frame.name] = NOT_JOINED.format(table.parts[frame.part].name)
            continue
        if parts[index] not in posed_parts:
            reasons[frame.name] = CUT.format(table.cuts[max(parts[index] - 1, 0)].timestamp_s)
            continue
        brightest = float(np.quantile(load_grey(frame.name), DARK_QUANTILE))
        if brightest < DARK_LEVEL:
            reasons[frame.name] = DARK.format(brightest)
        elif frame.sharpness < BLURRED_PART * usual:
            reasons[frame.name] = BLURRED.format(frame.sharpness, usual)
        else:
            reasons[frame.name] = _geometric_reason(index, features, models, min_inliers)
    return reasons


def cuts_between(reasons: Iterable[str]) -> int:
    """How many cuts keep frames out of the model."""
    return len({reason for reason in reasons if reason.startswith("cut")})


def count_reasons(reasons: Iterable[str]) -> str:
    """How often each kind of reason occurs, with its remedy, the most frequent first."""
    kinds = Counter(
        (reason.split(":")[0].split(";")[0], reason.rpartition("; ")[2]) for reason in reasons
    )
    return "; ".join(
        f"{count} {kind}" + (f": {remedy}" if remedy != kind else "")
        for (kind, remedy), count in kinds.most_common()
    )


def _geometric_reason(
    index: int, features: FeatureMatches, models: list[ColmapModel], min_inliers: int
) -> str:
    """Why a frame that looks well was not posed."""
    pairs = [pair for pair in features.matches if index in pair]
    if not pairs:
        return NO_MATCHES
    for number, model in enumerate(models[1:]):
        if any(image.image_id - 1 == index for image in model.images):
            return OTHER_MODEL.format(number)
    mine_n2, theirs_n2 = _model_points_seen(index, pairs, features, models[0])
    if len(mine_n2) < min_inliers:
        return FEW_MATCHES.format(len(mine_n2), min_inliers)
    camera = next(iter(models[0].cameras.values()))
    size = camera.width, camera.height
    shift_px = float(np.median(np.linalg.norm(mine_n2 - theirs_n2, axis=1)))
    if shift_px < PARALLAX_SHIFT * max(size):
        return LITTLE_PARALLAX
    return PURE_ROTATION if pair_motion(mine_n2, theirs_n2, size) == "rotation" else UNRELIABLE


def _model_points_seen(
    index: int, pairs: list[Pair], features: FeatureMatches, model: ColmapModel
) -> tuple[FloatArray, FloatArray]:
    """Pixels (n, 2) in this and in one posed frame of points of the model, as many as there are."""
    posed = {image.image_id - 1: image for image in model.images}
    most = np.zeros((0, 2)), np.zeros((0, 2))
    for pair in pairs:
        mine = pair.index(index)
        other = pair[1 - mine]
        if other not in posed:
            continue
        known = posed[other].point_k[features.matches[pair][:, 1 - mine]] != NO_POINT
        if known.sum() > len(most[0]):
            xy_2 = features.pixels(pair)
            most = xy_2[mine][known], xy_2[1 - mine][known]
    return most


def no_model_error(key_frames: int, posed: int, needed: int) -> NoModelError:
    """The error for matches from which no model grew."""
    found = f"only {posed} of {key_frames} frames" if posed else f"none of {key_frames} frames"
    return NoModelError(
        f"{found} could be posed, {needed} are needed (too little parallax or overlap)",
        "Film a textured, still scene from several sides, moving slowly sideways",
    )
