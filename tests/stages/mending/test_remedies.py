"""Each piece of poor evidence names its remedy."""

import pytest

from mvrecon.config import merge_options
from stages.frames.config import FramesConfig
from stages.mending.evidence import findings, penalty
from stages.mending.remedies import named_remedies
from stages.pose.config import PoseConfig
from tests.stages.mending.pipeline import GOOD

OPTIONS = merge_options(
    [{"frames": FramesConfig().model_dump(), "pose": PoseConfig().model_dump()}]
)
CLOSER, SIFT, GLOBAL = "closer key frames", "SIFT matches where tracks are few", "the global mapper"


def judged(options=OPTIONS, **poor):
    evidence = {stage: {**numbers, **poor.get(stage, {})} for stage, numbers in GOOD.items()}
    found = findings(evidence)
    remedies = named_remedies(found, evidence, options)
    return [finding.kind for finding in found], [remedy.name for remedy in remedies]


@pytest.mark.parametrize(
    ("poor", "kinds", "remedies"),
    [
        ({}, [], []),
        ({"pose": {"posed_frames": 12}}, ["lost"], [CLOSER, SIFT, GLOBAL]),
        ({"pose": {"models": 2}}, ["split"], [CLOSER, SIFT, GLOBAL]),
        ({"flow": {"mean_confidence": 0.2}}, ["flow"], [CLOSER]),
        ({"flow": {"useless_pairs": 40}}, ["flow"], [CLOSER]),
        ({"depth": {"confident_coverage": 0.06, "poor_maps": 18}}, ["depth"], [CLOSER]),
        (
            {"pose": {"focal_px": 200.0}},
            ["intrinsics"],
            ["the intrinsics of a usual lens", GLOBAL],
        ),
        (
            {"pose": {"radial_distortion": 0.5}},
            ["intrinsics"],
            ["the intrinsics of a usual lens", GLOBAL],
        ),
        (
            {"pose": {"fisheye_field_deg": 119.6}},
            ["lens"],
            ["seeing through a fisheye of 120°"],
        ),
        # What is as wide as it is known to be has not strayed.
        (
            {"frames": {"focal_source": "exif", "focal_px": 224.0}, "pose": {"focal_px": 220.0}},
            [],
            [],
        ),
        ({"pose": {"moving_percent": 60.0}}, ["moving"], [CLOSER, GLOBAL]),
        ({"pose": {"still_percent": 20.0}}, ["still"], [CLOSER, GLOBAL]),
        (
            {
                "frames": {"focal_source": "given"},
                "pose": {"mean_reprojection_error_px": 0.9},
            },
            ["fit"],
            ["refining the given intrinsics", GLOBAL],
        ),
        (
            {
                "frames": {"focal_source": "given"},
                "pose": {"refining_gains_percent": 40.0, "refined_focal_px": 700.0},
            },
            ["fit"],
            ["refining the given intrinsics", GLOBAL],
        ),
        # A rolling shutter, for example, asks for a little.
        ({"pose": {"refining_gains_percent": 40.0, "refined_focal_px": 530.0}}, [], []),
        # People who walk through a clip are no fault of it.
        ({"pose": {"moving_percent": 30.0}}, [], []),
        # Another scene cannot be brought into the model.
        ({"pose": {"posed_frames": 12, "models": 2, "cuts": 1}}, ["cut"], []),
        # All frames of photos are there already.
        ({"frames": {"kind": "photos"}, "pose": {"posed_frames": 12}}, ["lost"], [GLOBAL]),
    ],
)
def test_the_evidence_names_its_remedies(poor, kinds, remedies):
    assert judged(**poor) == (kinds, remedies)


def test_much_that_moves_is_suspect_beside_other_evidence():
    poor = {"flow": {"mean_confidence": 0.3}, "pose": {"moving_percent": 37.0}}
    assert judged(**poor)[0] == ["flow", "moving"]


def test_a_wish_for_few_key_frames_is_kept():
    options = {**OPTIONS, "frames": {**OPTIONS["frames"], "max": 20}}
    assert CLOSER not in judged(options, pose={"posed_frames": 12})[1]


def test_given_poses_are_not_estimated_otherwise():
    options = {**OPTIONS, "pose": {**OPTIONS["pose"], "known": "cameras.json"}}
    assert judged(options, pose={"posed_frames": 12})[1] == []


def test_worse_evidence_weighs_more():
    def of(**poor):
        return penalty(findings({**GOOD, "pose": {**GOOD["pose"], **poor}}))

    assert 0 == of() < of(posed_frames=17) < of(posed_frames=12) < of(posed_frames=12, models=2)


def test_a_projection_that_is_given_is_not_tried_otherwise():
    options = {**OPTIONS, "frames": {**OPTIONS["frames"], "projection": "flat"}}
    assert judged(options, pose={"fisheye_field_deg": 119.6}) == (["lens"], [])
