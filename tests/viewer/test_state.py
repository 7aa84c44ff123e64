"""What of a store is shown: results that belong together."""

from __future__ import annotations

import shutil

from mvrecon.viewer.state import marks, read_state
from tests.viewer.runs import FakeRun


def state(run):
    return read_state(run.folder, "run")


def test_a_run_that_has_not_begun_has_nothing(tmp_path):
    seen = state(FakeRun(tmp_path))
    assert not seen.current
    assert seen.missing == ["frames", "flow", "pose", "depth", "fusion", "surface", "texture"]
    assert seen.first("surface", "pose") is None
    assert seen.keys("pose") == ("",)


def test_stages_are_done_in_work_or_missing(tmp_path):
    run = FakeRun(tmp_path).until("pose")
    (tmp_path / "store/depth/abc.partial").mkdir(parents=True)
    seen = state(run)
    assert list(seen.current) == ["frames", "flow", "pose"]
    assert seen.in_work == ["depth"]
    assert seen.missing == ["fusion", "surface", "texture"]
    assert seen.first("surface", "pose").stage == "pose"


def test_results_of_other_poses_are_left_out_until_they_are_made_anew(tmp_path):
    run = FakeRun(tmp_path).until("texture")
    assert len(state(run).current) == 7
    run.add("pose", version=2)
    assert list(state(run).current) == ["frames", "flow", "pose"]
    run.add("depth")
    run.add("fusion")
    run.add("surface")
    assert list(state(run).current) == ["frames", "flow", "pose", "depth", "fusion", "surface"]


def test_a_damaged_result_is_missing(tmp_path):
    run = FakeRun(tmp_path).until("surface")
    for manifest in (tmp_path / "store/pose").glob("*/manifest.json"):
        manifest.write_text("{")
    assert list(state(run).current) == ["frames", "flow"]


def test_marks_change_with_what_is_begun_finished_and_deleted(tmp_path):
    run = FakeRun(tmp_path).until("flow")
    before = marks(tmp_path, "run")
    assert marks(tmp_path, "run") == before
    (tmp_path / "store/pose/abc.partial").mkdir(parents=True)
    begun = marks(tmp_path, "run")
    run.add("pose")
    finished = marks(tmp_path, "run")
    shutil.rmtree(tmp_path / "store/pose")
    assert len({before, begun, finished}) == 3
    assert marks(tmp_path, "run") == before
