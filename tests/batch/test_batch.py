"""A batch resumes, tells failures apart, and loses nothing when a worker dies."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from mvrecon import cli
from mvrecon.batch.executors import Idle, run_in_processes, run_on_dask
from mvrecon.batch.jobs import Job, Outcome, is_done
from mvrecon.batch.table import TABLE
from tests import media

FRAMES_ONLY = ("--until", "frames")
# Far above what anything here takes.
PATIENCE_S = 60


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "inputs"
    folder.mkdir()
    for name in ("one", "two"):
        media.write_video(folder / f"{name}.mp4", media.pan(range(0, 60, 3)))
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


def rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / TABLE).open() as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_a_batch_tells_failures_apart_and_makes_only_what_is_missing(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["batch", str(inputs), "-o", str(out), *FRAMES_ONLY, "--jobs", "2"]
    assert cli.main(command) == 4
    table = rows(out)
    assert {name: row["state"] for name, row in table.items()} == {
        "one": "done",
        "two": "done",
        "broken": "failed",
    }
    assert list(table)[-1] == "broken"
    assert table["broken"]["exit_code"] == "3"
    assert "broken.mp4" in table["broken"]["message"]
    assert int(table["one"]["key_frames"]) > 1
    assert (out / "logs/broken.log").read_text().strip().endswith(table["broken"]["message"])
    capsys.readouterr()

    (inputs / "broken.mp4").unlink()
    assert cli.main(command) == 0
    assert "2 of 2 are done already" in capsys.readouterr().err
    assert cli.main([*command, "--frames.jpeg_quality=90"]) == 0
    assert "done already" not in capsys.readouterr().err


def test_a_changed_input_is_not_done(inputs: Path, tmp_path: Path) -> None:
    job = Job("one", str(inputs / "one.mp4"), str(tmp_path / "out"), FRAMES_ONLY)
    assert not is_done(job)
    [outcome] = run_in_processes([job], 1)
    assert outcome == Outcome.load(job.outcome_file)
    assert outcome.cpu_s > 0
    assert is_done(job)
    media.write_video(inputs / "one.mp4", media.pan(range(0, 90, 3)))
    assert not is_done(job)


@dataclass(frozen=True)
class Deadly:
    """Kills the worker the first time that it is given the job."""

    victim: str

    def __call__(self, job: Job) -> Outcome:
        begun = Path(job.folder) / f"{job.name}.begun"
        times = len(begun.read_text()) if begun.is_file() else 0
        begun.write_text("x" * (times + 1))
        if job.name == self.victim and times == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        return Outcome(job.name, 0, "", 0.0, 0.0, 0, "")


def test_a_job_whose_worker_dies_is_begun_again_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    jobs = [Job(name, "clip.mp4", str(tmp_path)) for name in ("a", "b", "c", "d")]
    outcomes = list(run_on_dask(jobs, None, 2, helping=False, run=Deadly("b")))
    assert sorted(outcome.name for outcome in outcomes) == ["a", "b", "c", "d"]
    assert {outcome.exit_code for outcome in outcomes} == {0}
    assert (tmp_path / "b.begun").read_text() == "xx"


def test_processes_and_dask_give_the_same_results(inputs: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    (inputs / "broken.mp4").unlink()
    digests = []
    for executor in ("processes", "dask"):
        out = tmp_path / executor
        command = ["batch", str(inputs), "-o", str(out), *FRAMES_ONLY, "--executor", executor]
        assert cli.main(command) == 0
        found = {}
        for name in ("one", "two"):
            frames = out / f"{name}.mvrecon/store/frames"
            manifest = frames / (frames / "latest").read_text() / "manifest.json"
            found[name] = json.loads(manifest.read_text())["digest"]
        digests.append(found)
    assert digests[0] == digests[1]


def test_a_scheduler_that_does_not_answer_is_named(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    distributed = pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    assert distributed
    command = ["batch", str(inputs), "-o", str(tmp_path / "out"), "--scheduler", "127.0.0.1:9"]
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        assert cli.main(command) == 2
    assert "no Dask scheduler answers at 127.0.0.1:9" in capsys.readouterr().err


def test_workers_without_a_run_help_with_those_of_others(tmp_path: Path) -> None:
    jobs = [Job(name, "clip.mp4", str(tmp_path)) for name in ("a", "b")]
    idle = Idle(jobs)
    assert list(idle.to_help(2)) == []
    assert [(job.name, number) for job, number in idle.to_help(5)] == [("a", 1), ("b", 1), ("a", 2)]
    assert list(idle.to_help(5)) == []
    idle.ended("a")
    assert [(job.name, number) for job, number in idle.to_help(3)] == [("b", 2)]
    idle.ended("b")
    assert list(idle.to_help(5)) == []


def test_a_batch_that_is_killed_leaves_no_stray_run(inputs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "mvrecon", "batch", str(inputs / "one.mp4"), "-o", str(out)]
    batch = subprocess.Popen([*command, *FRAMES_ONLY], start_new_session=True)
    lock = out / "one.mvrecon/store/frames"
    while not list(lock.glob("*.lock")):
        assert batch.poll() is None
        time.sleep(0.01)
    batch.kill()
    batch.wait()
    deadline = time.monotonic() + PATIENCE_S
    while is_alive(batch.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert cli.main([*command[3:], *FRAMES_ONLY]) == 0
    assert rows(out)["one"]["state"] == "done"


def is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
