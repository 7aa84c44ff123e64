"""When the runner works, and when it does not have to."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from mvrecon.engine import lock
from mvrecon.engine.stage import StageContext, Summary
from tests.engine import toy

TEXT = "one\ntwo\nthree"


@pytest.fixture(autouse=True)
def _forget_calls() -> None:
    toy.calls.clear()


def ran() -> list[str]:
    """The stages (not items) that ran since the last call."""
    stages = [call for call in toy.calls if "/" not in call]
    toy.calls.clear()
    return stages


def digests(folder: Path, **options: dict) -> dict[str, str]:
    results = toy.make_runner(folder, **options).run("join")
    return {name: artifact.digest for name, artifact in results.items()}


def test_unchanged_input_runs_nothing_again(tmp_path: Path) -> None:
    toy.make_runner(tmp_path, TEXT).run("join")
    assert ran() == ["lines", "shout", "join"]
    assert (tmp_path / "run/joined.txt").read_text() == "ONE!,TWO!,THREE!"
    toy.make_runner(tmp_path).run("join")
    assert ran() == []


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"lines": {"strip": True}}, ["lines"]),  # same output: nothing after it reruns
        ({"shout": {"mark": "?"}}, ["shout", "join"]),
        ({"join": {"separator": ";"}}, ["join"]),
        ({"shout": {"pause_s": 0.001}}, []),
    ],
)
def test_a_changed_option_reruns_what_depends_on_it(
    tmp_path: Path, option: dict, expected: list[str]
) -> None:
    toy.make_runner(tmp_path, TEXT).run("join")
    ran()
    toy.make_runner(tmp_path, **option).run("join")
    assert ran() == expected


def test_going_back_to_an_old_option_is_a_hit(tmp_path: Path) -> None:
    toy.make_runner(tmp_path, TEXT).run("join")
    toy.make_runner(tmp_path, shout={"mark": "?"}).run("join")
    ran()
    toy.make_runner(tmp_path).run("join")
    assert ran() == []
    assert (tmp_path / "run/joined.txt").read_text() == "ONE!,TWO!,THREE!"


def test_one_changed_input_byte_reruns_everything(tmp_path: Path) -> None:
    toy.make_runner(tmp_path, TEXT).run("join")
    ran()
    toy.make_runner(tmp_path, TEXT.replace("two", "twp")).run("join")
    assert ran() == ["lines", "shout", "join"]


def test_a_renamed_input_is_a_hit(tmp_path: Path) -> None:
    first = toy.make_runner(tmp_path, TEXT)
    first.run("join")
    ran()
    moved = tmp_path / "other.txt"
    first.raw_input.rename(moved)
    first.raw_input = moved
    first.run("join")
    assert ran() == []


def test_workers_are_not_in_the_key_and_do_not_change_the_result(tmp_path: Path) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    one.mkdir()
    many.mkdir()
    text = "\n".join(f"line {number}" for number in range(40))
    toy.make_runner(one, text, workers=1).run("join")
    toy.make_runner(many, text, workers=4).run("join")
    assert digests(one) == digests(many)
    ran()
    toy.make_runner(one, workers=4).run("join")
    assert ran() == []


def test_upstream_rerun_with_identical_output_stops_there(tmp_path: Path) -> None:
    toy.make_runner(tmp_path, TEXT).run("join")
    ran()
    toy.make_runner(tmp_path).run("join", forced={"lines"})
    assert ran() == ["lines"]


def test_a_new_stage_version_reruns_it(tmp_path: Path) -> None:
    toy.make_runner(tmp_path, TEXT).run("join")
    ran()
    newer = dataclasses.replace(toy.SHOUT, version=2)
    toy.make_runner(tmp_path, stages=(toy.LINES, newer, toy.JOIN)).run("join")
    assert ran() == ["shout"]


def test_the_content_of_an_option_file_counts_and_its_path_does_not(tmp_path: Path) -> None:
    first, second = tmp_path / "first.bin", tmp_path / "second.bin"
    first.write_text("same")
    second.write_text("same")
    toy.make_runner(tmp_path, TEXT, lines={"dictionary": first}).run("lines")
    ran()
    toy.make_runner(tmp_path, lines={"dictionary": second}).run("lines")
    assert ran() == []
    second.write_text("diff")
    toy.make_runner(tmp_path, lines={"dictionary": second}).run("lines")
    assert ran() == ["lines"]


def test_until_stops_there(tmp_path: Path) -> None:
    toy.make_runner(tmp_path, TEXT).run("shout")
    assert ran() == ["lines", "shout"]


@pytest.mark.parametrize("kill_at", ["shouts/0.txt", "shouts/2.txt"])
def test_killed_run_resumes_to_the_same_result(tmp_path: Path, kill_at: str) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    whole.mkdir()
    toy.make_runner(whole, TEXT).run("join")
    (killed / "input.txt").write_text(TEXT)
    command = [sys.executable, "-m", "tests.engine.toy", str(killed), "0", kill_at]
    process = subprocess.run(command, check=False, capture_output=True)
    assert process.returncode == -9
    toy.calls.clear()
    status = toy.make_runner(killed).status()[1]
    assert status.state == "partial"
    assert status.items == (int(kill_at[7]), 3)
    assert digests(killed) == digests(whole)
    made = [call for call in toy.calls if call.startswith("shouts/")]
    assert made == [f"shouts/{number}.txt" for number in range(int(kill_at[7]), 3)]


def test_two_processes_on_one_run_directory_share_the_work(tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text(TEXT)
    command = [sys.executable, "-m", "tests.engine.toy", str(tmp_path), "0.3", ""]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(output.count("shout: running") for output in outputs) == 1
    assert (tmp_path / "run/joined.txt").read_text() == "ONE!,TWO!,THREE!"


def test_a_corrupt_item_is_named_and_only_it_is_rebuilt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = toy.make_runner(tmp_path, TEXT).run("join")
    (before["shout"].folder / "shouts/1.txt").write_text("XXX!")
    toy.calls.clear()
    after = toy.make_runner(tmp_path).run("join")
    assert toy.calls == ["shout", "shouts/1.txt"]
    assert after["shout"].digest == before["shout"].digest
    assert "shouts/1.txt" in caplog.text


def test_silent_corruption_is_found_when_the_item_is_read(tmp_path: Path) -> None:
    import os

    before = toy.make_runner(tmp_path, TEXT).run("join")
    item = before["shout"].folder / "shouts/1.txt"
    status = item.stat()
    item.write_text("XXX!")
    os.utime(item, ns=(status.st_atime_ns, status.st_mtime_ns))
    toy.make_runner(tmp_path, join={"separator": ";"}).run("join")
    assert (tmp_path / "run/joined.txt").read_text() == "ONE!;TWO!;THREE!"


def test_a_failing_stage_keeps_its_items_and_publishes_nothing(tmp_path: Path) -> None:
    def fail(context: StageContext[toy.ShoutConfig]) -> Summary:
        context.out.write_text("shouts/0.txt", "ONE!")
        raise ValueError("no")

    failing = dataclasses.replace(toy.SHOUT, run=fail)
    with pytest.raises(ValueError, match="no"):
        toy.make_runner(tmp_path, TEXT, stages=(toy.LINES, failing, toy.JOIN)).run("join")
    assert not (tmp_path / "run/joined.txt").exists()
    toy.calls.clear()
    toy.make_runner(tmp_path).run("join")
    assert "shouts/0.txt" not in toy.calls
    assert (tmp_path / "run/joined.txt").read_text() == "ONE!,TWO!,THREE!"


def test_status_and_reasons(tmp_path: Path) -> None:
    runner = toy.make_runner(tmp_path, TEXT)
    assert [status.state for status in runner.status()] == ["missing"] * 3
    runner.run("join")
    assert [status.state for status in runner.status()] == ["cached"] * 3
    changed = toy.make_runner(tmp_path, shout={"mark": "?"}).status()
    assert [status.state for status in changed] == ["cached", "stale", "unknown"]
    assert changed[1].why == ["config.mark: ! → ?"]
    ran()


def test_the_reasons_for_which_a_stage_runs_are_told_to_who_asks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def reasons(forced: set[str], **options: dict) -> list[str]:
        caplog.clear()
        toy.make_runner(tmp_path, TEXT, **options).run("join", forced)
        return [message for message in caplog.messages if ": runs: " in message]

    caplog.set_level("DEBUG", "mvrecon")
    nothing = "there is no finished result"
    assert reasons(set()) == [f"{name}: runs: {nothing}" for name in ("lines", "shout", "join")]
    assert reasons(set()) == []
    assert reasons({"lines"}) == ["lines: runs: asked for, although its result is there"]
    assert reasons(set(), join={"separator": ";"}) == ["join: runs: config.separator: , → ;"]


def test_summary_is_stored_with_the_result(tmp_path: Path) -> None:
    results = toy.make_runner(tmp_path, TEXT).run("join")
    assert results["lines"].read_summary() == {"numbers": {"lines": 3}, "warnings": []}
    assert results["shout"].read_summary()["warnings"] == ["loud"]


def test_clean_spares_what_another_process_works_on(tmp_path: Path) -> None:
    runner = toy.make_runner(tmp_path, TEXT)
    artifact = runner.run("join")["shout"]
    with lock.exclusive(artifact.folder.with_name(f"{artifact.folder.name}.lock"), lambda: None):
        assert runner.store.prune("shout", keep=set()) == 0
    assert artifact.folder.is_dir()
    assert runner.store.prune("shout", keep=set()) > 0
    assert not artifact.folder.exists()
