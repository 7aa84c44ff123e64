"""Batches beside each other, workers and schedulers that die: the same results, nothing lost."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mvrecon import cli
from mvrecon.engine.store import Store
from tests import media

UNTIL_FLOW = ("--until", "flow", "--frames.max_size=128", "--flow.model=dis")
# Far above what anything here takes.
PATIENCE_S = 240


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name, step in (("one", 3), ("two", 4)):
        media.write_video(folder / f"{name}.mp4", media.pan(range(0, 20 * step, step)))
    return folder


def command(videos: Path, out: Path, *more: str) -> list[str]:
    return ["batch", str(videos), "-o", str(out), *UNTIL_FLOW, *more]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mvrecon", *arguments], stderr=subprocess.PIPE, text=True
    )


def digests(out: Path) -> dict[str, list[str]]:
    found = {}
    for run_dir in sorted(out.glob("*.mvrecon")):
        results = [Store(run_dir / "store").latest(stage) for stage in ("frames", "flow")]
        found[run_dir.name] = [result.digest for result in results if result]
    return found


def states(out: Path) -> set[str]:
    with (out / "batch.csv").open() as file:
        return {row["state"] for row in csv.DictReader(file)}


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_at_flow(out: Path) -> bool:
    return any(out.glob("*.mvrecon/store/flow/*.partial/expected.json"))


def left_over(out: Path) -> list[Path]:
    return [*out.rglob(".writing-*"), *out.rglob("*.partial")]


@pytest.fixture
def wanted(videos: Path, tmp_path: Path) -> dict[str, list[str]]:
    out = tmp_path / "whole"
    assert cli.main(command(videos, out, "--alone", "--workers=1")) == 0
    return digests(out)


def test_two_batches_on_one_folder(
    videos: Path, tmp_path: Path, wanted: dict[str, list[str]]
) -> None:
    out = tmp_path / "out"
    batches = [start(*command(videos, out)) for _ in range(2)]
    for batch in batches:
        assert batch.wait(PATIENCE_S) == 0
    assert digests(out) == wanted
    assert states(out) == {"done"}
    assert not left_over(out)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2", "4"])
@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_threads_executors_and_helpers_give_the_same_bytes(
    videos: Path, tmp_path: Path, wanted: dict[str, list[str]], executor: str, workers: str
) -> None:
    out = tmp_path / "out"
    more = ("--executor", executor, "--jobs=3", f"--workers={workers}")
    assert cli.main(command(videos, out, *more)) == 0
    assert digests(out) == wanted
    assert not left_over(out)


@pytest.mark.slow
def test_a_killed_batch_goes_on(videos: Path, tmp_path: Path, wanted: dict[str, list[str]]) -> None:
    out = tmp_path / "out"
    batch = start(*command(videos, out, "--jobs=2"))
    wait_for(lambda: is_at_flow(out))
    batch.kill()
    batch.wait()
    assert cli.main(command(videos, out)) == 0
    assert digests(out) == wanted
    assert not left_over(out)


class Cluster:
    """A Dask scheduler and a worker, in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[str]] = []
        self.address = ""

    def start(self) -> str:
        """Start both; the scheduler's address."""
        common = {"stderr": subprocess.PIPE, "text": True, "cwd": self._folder}
        options = ("--host=127.0.0.1", "--port=0", "--dashboard-address=127.0.0.1:0")
        dask = (sys.executable, "-m", "distributed.cli.dask_scheduler", *options)
        self.scheduler = subprocess.Popen(dask, **common)
        self.address = self._told(self.scheduler, r"Scheduler at:\s+(tcp://\S+)")
        options = ("--nthreads=1", "--no-dashboard", "--death-timeout=60")
        dask = (sys.executable, "-m", "distributed.cli.dask_worker", self.address, *options)
        self.worker = subprocess.Popen(dask, **common, start_new_session=True)
        self._processes += [self.scheduler, self.worker]
        return self.address

    @staticmethod
    def _told(process: subprocess.Popen[str], pattern: str) -> str:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError("it ended")

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("distributed")
    cluster = Cluster(tmp_path)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.mark.slow
def test_a_scheduler_that_dies_is_told_and_the_batch_goes_on_with_another(
    videos: Path, tmp_path: Path, wanted: dict[str, list[str]], cluster: Cluster
) -> None:
    out = tmp_path / "out"
    batch = start(*command(videos, out, "--scheduler", cluster.address))
    wait_for(lambda: is_at_flow(out))
    cluster.scheduler.kill()
    words = batch.communicate(timeout=PATIENCE_S)[1]
    assert batch.returncode == 1
    assert "the Dask scheduler was lost. Run the same batch again" in words
    assert "Traceback" not in words
    assert cli.main(command(videos, out, "--scheduler", cluster.start())) == 0
    assert digests(out) == wanted
    assert states(out) == {"done"}
    assert not left_over(out)


@pytest.mark.slow
def test_a_worker_that_dies_under_a_run_loses_nothing(
    videos: Path, tmp_path: Path, wanted: dict[str, list[str]], cluster: Cluster
) -> None:
    out = tmp_path / "out"
    batch = start(*command(videos, out, "--scheduler", cluster.address))
    wait_for(lambda: is_at_flow(out))
    # The nanny starts another worker in the place of the one that is killed.
    nanny = cluster.worker.pid
    listing = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in listing.stdout.splitlines()[1:]]
    for child, parent in pairs:
        if parent == str(nanny):
            os.kill(int(child), signal.SIGKILL)
    words = batch.communicate(timeout=PATIENCE_S)[1]
    assert batch.returncode == 0, words
    assert digests(out) == wanted
    assert states(out) == {"done"}
    assert not left_over(out)


def test_what_travels_is_small() -> None:
    from mvrecon.batch.jobs import Job, Outcome

    job = Job("one", "/videos/one.mp4", "/out", UNTIL_FLOW)
    outcome = Outcome("one", 0, "", 1.0, 1.0, 1, "0" * 64)
    assert all(len(json.dumps(vars(one))) < 1000 for one in (job, outcome))
