"""Which remedies the evidence names."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from mvrecon.artifacts.mending import Changes
from stages.mending.evidence import Evidence, Finding, Kind

# Key frames so much closer: flow between them is easier, their number about doubles.
CLOSER = 0.4
# And so much of the view is to be found again from one to the next.
MIN_OVERLAP = 0.8
# The frames of the video have to allow for it.
FRAMES_LEFT = 1.5
# SIFT across gaps: of larger images, more features, and where tracks are merely few.
SIFT_SIZE_PX, SIFT_FEATURES, SIFT_GAP = 1024, 6000, 0.4

Options = Mapping[str, Mapping[str, Any]]
"""Stage → (dotted) option → value, of the run that is judged."""


@dataclass(frozen=True)
class Remedy:
    """Attributes: `name` is for a sentence, `changes` are the options that differ."""

    name: str
    changes: Changes


def named_remedies(found: list[Finding], evidence: Evidence, options: Options) -> list[Remedy]:
    """The remedies for what was found, the most promising first; empty for good evidence."""
    kinds: set[Kind] = {finding.kind for finding in found}
    if options["pose"].get("known") is not None:
        kinds &= {"flow", "depth"}  # given poses are not to be estimated otherwise
    candidates = (
        _through_fisheye(kinds, evidence, options),
        _free_intrinsics(kinds, evidence, options),
        _usual_intrinsics(kinds, evidence, options),
        _closer_key_frames(kinds, evidence, options),
        _sift_at_gaps(kinds, evidence, options),
        _other_mapper(kinds, options),
    )
    return [remedy for remedy in candidates if remedy is not None]


def _through_fisheye(
    kinds: AbstractSet[Kind], evidence: Evidence, options: Options
) -> Remedy | None:
    """For wide pictures, unless the user has said what they are."""
    if "lens" not in kinds or options["frames"]["projection"] != "auto":
        return None
    field_deg = round(_count(evidence["pose"], "fisheye_field_deg"))
    changes = {"projection": "fisheye", "field_deg": field_deg}
    return Remedy(f"seeing through a fisheye of {field_deg}°", {"frames": changes})


def _free_intrinsics(
    kinds: AbstractSet[Kind], evidence: Evidence, options: Options
) -> Remedy | None:
    """Given intrinsics that may be wrong."""
    is_given = evidence.get("frames", {}).get("focal_source") == "given"
    if options["pose"]["mapping.refine_intrinsics"] or not is_given:
        return None
    if not kinds & {"lost", "split", "still", "moving", "fit", "depth"}:
        return None
    return Remedy("refining the given intrinsics", {"pose": {"mapping.refine_intrinsics": True}})


def _usual_intrinsics(
    kinds: AbstractSet[Kind], evidence: Evidence, options: Options
) -> Remedy | None:
    """Refined intrinsics that strayed."""
    if "intrinsics" not in kinds or options["pose"]["mapping.fixed_intrinsics"]:
        return None
    is_known = evidence.get("frames", {}).get("focal_source") in ("given", "exif")
    name = "keeping the given intrinsics" if is_known else "the intrinsics of a usual lens"
    changes = {"mapping.fixed_intrinsics": True, "mapping.refine_intrinsics": False}
    return Remedy(name, {"pose": changes})


def _closer_key_frames(
    kinds: AbstractSet[Kind], evidence: Evidence, options: Options
) -> Remedy | None:
    """For a video whose key frames are too far apart for flow, tracks or depth."""
    frames, numbers = options["frames"], evidence.get("frames", {})
    if not kinds & {"lost", "split", "flow", "still", "moving", "depth"}:
        return None
    wanted, there = FRAMES_LEFT * _count(numbers, "key_frames"), _count(numbers, "frames")
    bound = frames["max"] is not None or frames["every_frame"]
    if numbers.get("kind") != "sequence" or bound or wanted > there:
        return None
    changes = {
        "min_parallax": round(max(CLOSER * frames["min_parallax"], 0.002), 4),
        "selection.min_overlap": max(MIN_OVERLAP, frames["selection.min_overlap"]),
    }
    return Remedy("closer key frames", {"frames": changes})


def _sift_at_gaps(kinds: AbstractSet[Kind], evidence: Evidence, options: Options) -> Remedy | None:
    pose = options["pose"]
    is_sequence = evidence.get("frames", {}).get("kind") == "sequence"
    if not kinds & {"lost", "split"} or pose["bridges.gap"] >= SIFT_GAP or not is_sequence:
        return None
    changes = {
        "bridges.size": max(SIFT_SIZE_PX, pose["bridges.size"]),
        "bridges.features": max(SIFT_FEATURES, pose["bridges.features"]),
        "bridges.gap": SIFT_GAP,
    }
    return Remedy("SIFT matches where tracks are few", {"pose": changes})


def _other_mapper(kinds: AbstractSet[Kind], options: Options) -> Remedy | None:
    if not kinds & {"lost", "split", "intrinsics", "still", "moving", "fit"}:
        return None
    other = "incremental" if options["pose"]["mapping.mapper"] == "global" else "global"
    return Remedy(f"the {other} mapper", {"pose": {"mapping.mapper": other}})


def _count(numbers: Mapping[str, Any], name: str) -> float:
    value = numbers.get(name, 0)
    return float(value) if isinstance(value, int | float) else 0.0
