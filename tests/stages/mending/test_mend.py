import json
import os
import subprocess
import sys

import pytest

from mvrecon.artifacts.mending import Mending
from mvrecon.errors import NoModelError
from tests.stages.mending import pipeline
from tests.stages.mending.pipeline import mend

CLOSER = {"min_parallax": 0.01}
DARK = {"if": {}, "flow": {"mean_confidence": 0.2, "useless_pairs": 30}}
BRIGHTER = {"if": CLOSER, "flow": {"mean_confidence": 0.5, "useless_pairs": 3}}
TORN = {"if": {}, "pose": {"posed_frames": 12, "models": 3}}


@pytest.fixture(autouse=True)
def nothing_has_run():
    pipeline.ran.clear()


def numbers(mended, stage):
    return mended.runner.store.latest(stage).read_summary()["numbers"]


def test_good_evidence_costs_nothing(tmp_path):
    mended = mend(tmp_path, [])
    assert pipeline.ran == ["frames", "flow", "pose", "depth"]
    assert [mending.told() for mending in mended.mendings] == ["", ""]


def test_the_better_result_is_kept_and_both_are_told(tmp_path):
    mended = mend(tmp_path, [DARK, BRIGHTER])
    after_pose = mended.mendings[0]
    assert after_pose.kept == 0
    assert after_pose.changes["frames"]["min_parallax"] == 0.01
    assert numbers(mended, "flow")["mean_confidence"] == 0.5
    assert "flow is trusted on 20%" in after_pose.told()
    assert "tried closer key frames: good; kept: closer key frames" in after_pose.told()
    # Depth is made of what was kept only.
    assert pipeline.ran == [*["frames", "flow", "pose"] * 2, "depth"]


def test_a_remedy_that_does_not_help_is_not_kept(tmp_path):
    mended = mend(tmp_path, [DARK])
    after_pose = mended.mendings[0]
    assert after_pose.kept is None
    assert after_pose.changes == {}
    assert "kept: the first result" in after_pose.told()
    options = json.loads(mended.runner.store.latest("pose").path("options.json").read_text())
    assert options["min_parallax"] == 0.025


def test_remedies_add_up_within_the_budget(tmp_path):
    sift = {"if": {**CLOSER, "bridges.gap": 0.4}, "pose": {"posed_frames": 20, "models": 1}}
    half = {"if": CLOSER, "pose": {"posed_frames": 15, "models": 2}}
    mended = mend(tmp_path, [TORN, half, sift])
    assert [attempt.penalty for attempt in mended.mendings[0].attempts] == [0.35, 0.0]
    assert mended.mendings[0].kept == 1
    assert numbers(mended, "pose")["posed_frames"] == 20
    # What is not asked of the frames stage is not computed again.
    assert pipeline.ran.count("flow") == 2
    one = tmp_path / "one"
    one.mkdir()
    assert len(mend(one, [TORN, half, sift], attempts=1).mendings[0].attempts) == 1


def test_a_remedy_that_brings_another_fault_is_mended_further(tmp_path):
    strayed = {"if": CLOSER, "flow": BRIGHTER["flow"], "pose": {"radial_distortion": -0.6}}
    kept = {**strayed, "if": {**CLOSER, "mapping.fixed_intrinsics": True}, "pose": {}}
    dim = {"if": {}, "flow": {"mean_confidence": 0.33}}
    cases = [dim, strayed, kept | {"pose": {"radial_distortion": 0.0}}]
    mending = mend(tmp_path, cases).mendings[0]
    assert mending.kept == 1
    assert mending.applied == ("closer key frames", "the intrinsics of a usual lens")


def test_poor_depth_is_mended_after_depth(tmp_path):
    poor = {"if": {}, "depth": {"confident_coverage": 0.05, "poor_maps": 18}}
    better = {"if": CLOSER, "depth": {"confident_coverage": 0.8, "poor_maps": 0}}
    mended = mend(tmp_path, [poor, better])
    assert [mending.kept for mending in mended.mendings] == [None, 0]
    assert numbers(mended, "depth")["confident_coverage"] == 0.8
    assert len(mend(tmp_path, [poor, better], until="pose").mendings) == 1


def test_no_model_at_all_is_mended_or_told(tmp_path):
    none = {"if": {}, "pose": {"error": "none of 20 frames could be posed"}}
    with pytest.raises(NoModelError, match="none of 20"):
        mend(tmp_path, [none])
    two = tmp_path / "two"
    two.mkdir()
    cured = {"if": {"mapping.mapper": "global"}, "pose": {}}
    assert mend(two, [none | {"if": {"mapping.mapper": "incremental"}}, cured], attempts=4)


def test_it_can_be_switched_off(tmp_path):
    assert mend(tmp_path, [DARK, BRIGHTER], mode="none").mendings == ()
    assert pipeline.ran == ["frames", "flow", "pose", "depth"]


def test_a_judgement_is_made_once_and_outlives_the_attempts(tmp_path):
    first = mend(tmp_path, [DARK, BRIGHTER])
    for stage in ("frames", "flow", "pose", "depth"):
        first.runner.store.prune(stage, {first.runner.store.latest(stage).folder.name})
    pipeline.ran.clear()
    again = mend(tmp_path, [DARK, BRIGHTER])
    assert pipeline.ran == []
    assert again.mendings == first.mendings
    assert numbers(again, "flow")["mean_confidence"] == 0.5


def test_other_options_are_judged_anew(tmp_path):
    mend(tmp_path, [DARK, BRIGHTER])
    pipeline.ran.clear()
    mend(tmp_path, [DARK, BRIGHTER], asked={"flow": {"max_size": 256}})
    assert pipeline.ran.count("flow") == 2


def test_what_is_asked_for_is_run_again_once(tmp_path):
    mend(tmp_path, [DARK, BRIGHTER])
    pipeline.ran.clear()
    mend(tmp_path, [DARK, BRIGHTER], forced=("pose",))
    assert pipeline.ran == ["pose"]


def test_a_run_killed_between_attempts_ends_with_the_same_result(tmp_path):
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
    command = [sys.executable, "-m", "tests.stages.mending.pipeline"]
    # Closer key frames do not help, so that SIFT is tried with the first ones.
    cases = [TORN, {"if": {"bridges.gap": 0.4}, "pose": {"kill": True, "posed_frames": 19}}]
    words = [str(tmp_path / "killed"), json.dumps(cases)]
    done = subprocess.run([*command, *words], env={**os.environ, "KILL_AT": "1"}, check=False)
    assert done.returncode < 0
    resumed = mend(tmp_path / "killed", cases)
    assert pipeline.ran == ["pose", "depth"]
    assert resumed.mendings[0].kept == 1
    assert resumed.mendings == mend(tmp_path / "whole", cases).mendings


def test_a_record_survives_its_text(tmp_path):
    mending = mend(tmp_path, [DARK, BRIGHTER]).mendings[0]
    assert Mending.from_text(mending.to_text()) == mending
