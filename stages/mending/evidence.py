"""What the summaries of a run's stages say against its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Numbers = Mapping[str, float | int | str]
Evidence = Mapping[str, Numbers]
"""Stage → name → value, as in the stages' summaries."""

Kind = Literal[
    "cut", "lost", "split", "flow", "still", "moving", "lens", "intrinsics", "fit", "depth"
]

# Key frames without a pose: a few blurred ones are usual.
LOST_SHARE = 0.1
# Each further model is as bad as so many lost key frames; more than three change nothing.
SPLIT_PENALTY, MAX_SPLIT_PENALTY = 0.1, 0.3
# Mean confidence of flow, and pairs that are of no use. Of good runs of hand-held clips flow is
# trusted on 0.5 and more; with a third, tracks break off and depth has little to start from.
FLOW_TRUST, USELESS_SHARE = 0.35, 0.4
# Part of the pictures that one still scene is seen to explain; 0.6 and more in good runs, people
# walking through them included.
STILL_SHARE = 0.35
# Part that moves: more than this is an unusual clip; with other poor evidence, much less is.
MOVING_SHARE, SUSPECT_MOVING_SHARE = 0.45, 0.1
# Focal length in longer image sides, 96° to 23° of view; phones and cameras lie well inside.
FOCAL_RANGE = (0.45, 2.5)
RADIAL = 0.35
INTRINSICS_PENALTY = 0.3
# And at least this part of one that is known before, as the wide view through a fisheye is.
KNOWN_SHORTER = 0.8
# Seen through no lens or another, a fisheye's picture is bent as no terms of distortion tell.
FISHEYE_PENALTY = 0.3
# Given intrinsics are contradicted if the images ask for a focal length so much longer or shorter,
# and that saves such a share of the robust cost: of true ones, hardly anything.
FOCAL_FACTOR, REFINING_GAIN = 1.05, 0.2
# Mean reprojection error, for images 1000 pixels wide [px]; 0.2 to 0.8 in good runs.
REPROJECTION_PX = 1.2
# Median over the maps of the part with a trusted depth; the share of maps with hardly any.
DEPTH_TRUST, POOR_MAPS = 0.3, 0.5


@dataclass(frozen=True)
class Finding:
    """Something poor.

    Attributes:
        kind: what it is about.
        text: with the figure, for a sentence.
        penalty: how poor, about 0…1.
    """

    kind: Kind
    text: str
    penalty: float


def findings(evidence: Evidence) -> list[Finding]:
    """What is poor; empty if the evidence is good. Stages that have not run are not judged."""
    found = [*_pose(evidence), *_flow(evidence), *_camera(evidence), *_depth(evidence)]
    return [*found, *_motion(evidence, suspect=bool(found))]


def penalty(found: list[Finding]) -> float:
    """Of all findings together; two results of a clip are compared by it."""
    return round(sum(finding.penalty for finding in found), 4)


def _pose(evidence: Evidence) -> list[Finding]:
    total = _number(evidence, "pose", "key_frames")
    if not total:
        return []
    posed, models = _number(evidence, "pose", "posed_frames"), _number(evidence, "pose", "models")
    lost = 1.0 - posed / total
    if cuts := int(_number(evidence, "pose", "cuts")):
        # Frames of another scene cannot be in the model.
        text = f"{cuts} cut{'s' * (cuts > 1)} to another scene, only the largest part is posed"
        return [Finding("cut", text, 0.0)]
    found = []
    if lost > LOST_SHARE:
        found.append(Finding("lost", f"{total - posed:.0f} of {total:.0f} key frames lost", lost))
    if models > 1:
        cost = min(SPLIT_PENALTY * (models - 1), MAX_SPLIT_PENALTY)
        found.append(Finding("split", f"{models:.0f} models instead of one", cost))
    return found


def _flow(evidence: Evidence) -> list[Finding]:
    pairs = _number(evidence, "flow", "pairs")
    if not pairs:
        return []
    trust = _number(evidence, "flow", "mean_confidence")
    useless = _number(evidence, "flow", "useless_pairs") / pairs
    if trust >= FLOW_TRUST and useless <= USELESS_SHARE:
        return []
    text = f"flow is trusted on {trust:.0%}, and not at all in {useless:.0%} of the pairs"
    return [Finding("flow", text, max(FLOW_TRUST - trust, 0.0) + max(useless - USELESS_SHARE, 0.0))]


def _camera(evidence: Evidence) -> list[Finding]:
    side = max(_number(evidence, "frames", "width_px"), _number(evidence, "frames", "height_px"))
    focal_px = _number(evidence, "pose", "focal_px")
    if not side or not focal_px:
        return []
    found = []
    if field_deg := _number(evidence, "pose", "fisheye_field_deg"):
        text = f"the images are those of a fisheye of {field_deg:.0f}° across their width"
        found.append(Finding("lens", text, FISHEYE_PENALTY))
    radial = _number(evidence, "pose", "radial_distortion")
    shortest_px = FOCAL_RANGE[0] * side
    if evidence["frames"].get("focal_source") in ("given", "exif"):
        shortest_px = min(shortest_px, KNOWN_SHORTER * _number(evidence, "frames", "focal_px"))
    is_usual = shortest_px <= focal_px <= FOCAL_RANGE[1] * side
    if not is_usual or abs(radial) > RADIAL:
        text = (
            f"focal length {focal_px / side:.2f} image sides and radial distortion {radial:+.2f} "
            "are not those of a usual camera"
        )
        found.append(Finding("intrinsics", text, INTRINSICS_PENALTY))
    error_px = _number(evidence, "pose", "mean_reprojection_error_px") * 1000.0 / max(side, 500.0)
    gain = _number(evidence, "pose", "refining_gains_percent") / 100.0
    asked_px = _number(evidence, "pose", "refined_focal_px", focal_px)
    factor = max(asked_px / focal_px, focal_px / asked_px)
    if gain > REFINING_GAIN and factor > FOCAL_FACTOR:
        text = f"the images ask for a focal length of {asked_px:.0f} px, given are {focal_px:.0f}"
        found.append(Finding("fit", text, gain))
    if error_px > REPROJECTION_PX:
        text = f"points are missed by {error_px:.1f} pixels of an image 1000 pixels wide"
        found.append(Finding("fit", text, min(error_px / REPROJECTION_PX - 1.0, 0.5)))
    return found


def _depth(evidence: Evidence) -> list[Finding]:
    maps = _number(evidence, "depth", "maps")
    if not maps:
        return []
    trust = _number(evidence, "depth", "confident_coverage")
    poor = _number(evidence, "depth", "poor_maps") / maps
    if trust >= DEPTH_TRUST and poor <= POOR_MAPS:
        return []
    text = f"depth is trusted on {trust:.0%}, and {poor:.0%} of the maps are poor"
    return [Finding("depth", text, max(DEPTH_TRUST - trust, 0.0) + max(poor - POOR_MAPS, 0.0))]


def _motion(evidence: Evidence, suspect: bool) -> list[Finding]:
    found = []
    still = _number(evidence, "pose", "still_percent", 100.0) / 100.0
    moving = _number(evidence, "pose", "moving_percent") / 100.0
    if still + moving < STILL_SHARE:
        text = f"one still scene explains {still:.0%} of the pictures only"
        found.append(Finding("still", text, STILL_SHARE - still))
    if moving > (SUSPECT_MOVING_SHARE if suspect or found else MOVING_SHARE):
        found.append(Finding("moving", f"{moving:.0%} masked as moving", moving))
    return found


def _number(evidence: Evidence, stage: str, name: str, default: float = 0.0) -> float:
    value = evidence.get(stage, {}).get(name, default)
    return float(value) if isinstance(value, int | float) else default
