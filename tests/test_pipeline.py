"""The real stages under the real engine, on a few small frames of the sample clip."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mvrecon import cli
from mvrecon.commands.pipelines import PIPELINES, RUN
from mvrecon.config import build_configs, load_preset
from mvrecon.engine.partial import MANIFEST
from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.engine.runner import Runner
from mvrecon.run_dir import RunRecord
from stages.pipeline import PIPELINE
from tests.conftest import REPOSITORY
from tests.network import no_network

CLIP = REPOSITORY / "sample_data" / "clip.mp4"
SMALL = [
    "--frames.max_size=320",
    "--frames.end_s=1.2",
    "--depth.max_size=160",
    "--depth.sweep.max_hypotheses=48",
    "--surface.mesh.max_faces=5000",
    # Such small maps are poor, and remedies would be tried.
    "--mend=none",
]
STAGES = [stage.name for stage in PIPELINE]
NETWORK_LOG = "network.log"


def run(clip: Path, run_dir: Path, *options: str) -> int:
    return cli.main(["run", str(clip), "-o", str(run_dir), *SMALL, *options])


def digests(run_dir: Path) -> dict[str, str]:
    """Digest of the newest result of each stage."""
    found = {}
    for stage in STAGES:
        folder = run_dir / "store" / stage
        key = (folder / "latest").read_text()
        found[stage] = json.loads((folder / key / MANIFEST).read_text())["digest"]
    return found


def make_runner(run_dir: Path, options: dict[str, dict], workers: int = 2) -> Runner:
    record = RunRecord.load(run_dir)
    configs = build_configs(PIPELINES[RUN].config_classes, [record.options, options])
    return Runner(PIPELINE, run_dir, record.raw_input, configs, workers)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run directory, made without a network; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("finished")
    with no_network(folder / NETWORK_LOG):
        assert run(CLIP, folder / "run") == 0
    return folder / "run"


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "run", symlinks=True)
    return tmp_path / "run"


def test_a_run_leaves_the_files_that_others_rely_on(finished: Path) -> None:
    for name in ("mesh.ply", "mesh.glb", "cloud.ply", "transforms.json", "report.html"):
        assert (finished / name).stat().st_size > 0
    rows = (finished / "frames.csv").read_text().splitlines()
    assert rows[0] == "index,name,source,timestamp_s,posed,reason"
    posed = [row.split(",")[1] for row in rows[1:] if row.split(",")[4] == "1"]
    poses = np.loadtxt(finished / "trajectory.txt")
    assert poses.shape == (len(posed), 8)
    assert [path.stem for path in sorted((finished / "images").iterdir())] == posed
    assert [path.stem for path in sorted((finished / "depth").iterdir())] == posed
    with np.load(finished / "depth" / f"{posed[0]}.npz") as depth:
        assert depth["depth"].shape == depth["confidence"].shape == (120, 160)
        assert depth["K"].shape == (3, 3)
        assert depth["world_from_cam"].shape == (4, 4)
    assert {path.stem for path in (finished / "colmap").iterdir()} >= {
        "cameras",
        "images",
        "points3D",
    }


def test_nothing_asks_for_the_network(finished: Path) -> None:
    assert not (finished.parent / NETWORK_LOG).exists()


def ask_for_the_network() -> None:
    socket.create_connection(("127.0.0.1", 9), timeout=1)


def test_who_asks_for_the_network_is_found_out(tmp_path: Path) -> None:
    log = tmp_path / NETWORK_LOG
    with no_network(log):
        for count, ask in enumerate((ask_for_the_network, ask_in_a_child(tmp_path)), start=1):
            with pytest.raises(OSError, match="forbids the network"):
                ask()
            assert len(log.read_text().splitlines()) == count


def ask_in_a_child(folder: Path) -> Callable[[], None]:
    return lambda: run_isolated(ask_for_the_network, (), folder / "log", "toy")


def test_a_second_run_does_nothing(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report_written = (finished / "report.html").stat().st_mtime_ns
    assert run(CLIP, finished) == 0
    output = capsys.readouterr().err
    assert [line for line in output.splitlines() if line.endswith(": cached")] == [
        f"{stage}: cached" for stage in STAGES
    ]
    assert (finished / "report.html").stat().st_mtime_ns == report_written


@pytest.mark.parametrize(
    ("stage", "options"),
    [
        ("frames", {"jpeg_quality": 90}),
        ("flow", {"max_size": 448}),
        ("pose", {"tracks": {"per_frame": 400}}),
        ("depth", {"neighbors": 3}),
        ("fusion", {"model": "none"}),
        ("surface", {"mesh": {"max_faces": 4000}}),
    ],
)
def test_a_changed_option_makes_its_stage_stale_and_none_before_it(
    finished: Path, stage: str, options: dict
) -> None:
    states = [status.state for status in make_runner(finished, {stage: options}).status()]
    place = STAGES.index(stage)
    later = ["unknown"] * (len(STAGES) - place - 1)
    assert states == ["cached"] * place + ["stale", *later]


def test_options_of_a_model_that_is_not_chosen_do_not_count(finished: Path) -> None:
    others = {"dis.preset": "fast", "raft.updates": 3, "raft.precision": "bf16"}
    states = {status.state for status in make_runner(finished, {"flow": others}).status()}
    assert states == {"cached"}


def test_workers_do_not_count(finished: Path) -> None:
    states = {status.state for status in make_runner(finished, {}, workers=7).status()}
    assert states == {"cached"}


def test_a_changed_input_byte_counts(copied: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    data = bytearray(CLIP.read_bytes())
    data[len(data) // 2] ^= 1
    clip.write_bytes(data)
    runner = make_runner(copied, {})
    runner.raw_input = clip
    assert runner.status()[0].state == "stale"


def test_each_stage_can_be_rerun_alone_to_the_same_result(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(copied)
    for stage in STAGES:
        assert cli.main(["stage", stage, str(copied), "--force"]) == 0
        assert capsys.readouterr().err.count(": running") == 1
        assert digests(copied) == before, stage


@pytest.mark.parametrize("stage", ["flow", "fusion"])
def test_killed_in_the_middle_it_resumes_to_the_same_result(
    finished: Path, tmp_path: Path, stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    if stage == "fusion":  # what stands before it need not run again
        shutil.copytree(finished, run_dir, symlinks=True)
        shutil.rmtree(run_dir / "store" / "fusion")
    killed_with = kill_while_running(run_dir, stage)
    assert killed_with >= 1
    assert run(CLIP, run_dir) == 0
    assert digests(run_dir) == digests(finished)


def test_interrupted_it_says_how_to_go_on(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    # A background shell starts programs with interrupts ignored; a handler here undoes it there.
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = start(run_dir, "--workers=1")
    signal.signal(signal.SIGINT, earlier)
    while not list((run_dir / "store" / "flow").glob("*.partial/flow/*.npz")):
        assert process.poll() is None, "it ended before it could be interrupted"
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Traceback" not in error
    assert f"go on with: mvrecon run {CLIP}" in error


def test_clean_keeps_the_newest_result_of_each_stage(copied: Path) -> None:
    before = digests(copied)
    assert cli.main(["stage", "surface", str(copied), "--surface.mesh.max_faces", "3000"]) == 0
    assert cli.main(["clean", str(copied)]) == 0
    assert len([path for path in (copied / "store/surface").iterdir() if path.is_dir()]) == 1
    after = digests(copied)
    assert after.pop("surface") != before.pop("surface")
    assert after == before
    states = {status.name: status.state for status in make_runner(copied, {}).status()}
    assert states.pop("texture") == "stale"  # its surface is another
    assert set(states.values()) == {"cached"}


def kill_while_running(run_dir: Path, stage: str) -> int:
    """Start a run, `kill -9` it once the stage has an item; how many items it had then."""
    pattern = {"flow": "flow/*.npz", "fusion": "depth/*.npz"}[stage]
    process = start(run_dir, "--workers=1")
    folder = run_dir / "store" / stage
    deadline = time.monotonic() + 120
    while not (items := list(folder.glob(f"*.partial/{pattern}"))):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(folder.glob(f"*/{MANIFEST}")), "it was killed too late"
    return len(items)


def start(run_dir: Path, *options: str) -> subprocess.Popen[str]:
    command: Sequence[str] = [
        sys.executable, "-m", "mvrecon", "run", str(CLIP), "-o", str(run_dir), *SMALL,
    ]  # fmt: skip
    return subprocess.Popen(
        [*command, *options], stderr=subprocess.PIPE, text=True, env={**os.environ}
    )


def test_two_processes_on_one_run_directory_share_the_work(finished: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    processes = [start(run_dir, "--until=flow") for _ in range(2)]
    outputs = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sum(output.count("flow: running") for output in outputs) == 1
    latest = {stage: (run_dir / "store" / stage / "latest").read_text() for stage in STAGES[:2]}
    for stage, key in latest.items():
        manifest = json.loads((run_dir / "store" / stage / key / MANIFEST).read_text())
        assert manifest["digest"] == digests(finished)[stage]


def test_a_corrupt_item_is_named_and_rebuilt(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(copied)
    item = next((copied / "store" / "flow").glob("*/flow/*.npz"))
    item.write_bytes(b"rubbish")
    assert run(CLIP, copied) == 0
    error = capsys.readouterr().err
    assert item.name in error
    assert [line for line in error.splitlines() if line.endswith(": running")] == ["flow: running"]
    assert digests(copied) == before


def abort_in_pycolmap(*_: object) -> None:
    import pycolmap

    pycolmap.logging.fatal("provoked by a test")


def test_a_native_abort_in_pycolmap_is_an_error_of_the_pose_stage(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stages.pose.mapping.solve.verify", abort_in_pycolmap)
    assert cli.main(["stage", "pose", str(copied), "--force"]) == 1
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert "stage pose was ended by its native code (SIGABRT" in error
    assert "provoked by a test" in error
    assert (copied / "mesh.ply").exists(), "what was there is kept"


def test_presets_are_valid() -> None:
    classes = {stage.name: stage.config for stage in PIPELINE}
    for name in ("default", "fast", "quality"):
        build_configs(classes, [load_preset(name)])
