"""`run`, `stage`, `status`, `explain`, `report`, `clean`, on a pipeline of toy stages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mvrecon.run_dir import RECORD
from tests.commands.conftest import Toy

RECORD_COMMANDS = ("status", "report", "clean")


def states(printed: str) -> dict[str, str]:
    return dict(line.split()[:2] for line in printed.splitlines())


def test_run_makes_the_result_and_names_the_report(toy: Toy) -> None:
    code, printed, _ = toy.run()
    assert code == 0
    assert (toy.run_dir / "joined.txt").read_text() == "A!,B!"
    assert printed.splitlines() == [str(toy.run_dir / "report.html")]
    assert (toy.run_dir / "report.html").stat().st_size > 0


def test_options_reach_their_stage_and_are_kept_for_later_commands(toy: Toy) -> None:
    assert toy.run("--shout.mark", "?", "--join.separator=;")[0] == 0
    assert (toy.run_dir / "joined.txt").read_text() == "A?;B?"
    assert json.loads((toy.run_dir / RECORD).read_text())["options"]["shout"]["mark"] == "?"
    assert toy("stage", "join", toy.run_dir, "--force")[0] == 0
    assert (toy.run_dir / "joined.txt").read_text() == "A?;B?"


def test_a_dry_run_says_what_would_run_and_why(toy: Toy) -> None:
    code, printed, _ = toy.run("--dry-run")
    assert code == 0 and not toy.run_dir.exists()
    assert states(printed)["lines"] == "missing"
    toy.run()
    _, printed, _ = toy.run("-n", "--shout.mark=?", "--rerun", "lines")
    assert states(printed) == {"lines": "cached", "shout": "stale", "join": "unknown"}
    assert "will rerun: asked for" in printed.splitlines()[0]
    assert "mark" in printed.splitlines()[1]
    assert "depends on what runs before it" in printed.splitlines()[2]


@pytest.mark.parametrize(
    ("options", "rerun"),
    [
        (["--rerun-all"], ["lines", "shout", "join"]),
        (["--rerun-from", "shout"], ["shout", "join"]),
        (["--rerun", "lines", "--rerun", "join"], ["lines", "join"]),
    ],
)
def test_stages_are_run_again_where_asked(toy: Toy, options: list[str], rerun: list[str]) -> None:
    toy.run()
    _, printed, _ = toy.run("-n", *options)
    asked = [line.split()[0] for line in printed.splitlines() if "asked for" in line]
    assert asked == rerun


def test_run_until_a_stage(toy: Toy) -> None:
    assert toy.run("--until", "shout")[0] == 0
    assert not (toy.run_dir / "joined.txt").exists()
    _, printed, _ = toy("status", toy.run_dir)
    assert states(printed) == {"lines": "cached", "shout": "cached", "join": "missing"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--shout.marc", "?"], "did you mean '--shout.mark'"),
        (["--join.separator"], "expected one argument"),
        (["--shout.pause_s", "long"], "--shout.pause_s 'long' is not accepted"),
        (["--until", "sing"], "invalid choice: 'sing'"),
        (["--workers", "0"], "not a whole number above 0"),
        (["--preset", "nowhere.toml"], "no preset"),
    ],
)
def test_wrong_options_are_told_in_one_line(toy: Toy, options: list[str], told: str) -> None:
    code, printed, errors = toy.run(*options)
    assert (code, printed) == (2, "")
    assert told in errors and len(errors.splitlines()) == 1
    assert not toy.run_dir.exists()


def test_a_missing_input_is_told(toy: Toy) -> None:
    toy.text.unlink()
    code, _, errors = toy.run()
    assert code == 3 and "no such file or folder" in errors


def test_stage_names_the_command_that_makes_what_it_needs(toy: Toy) -> None:
    toy.run("--until", "lines")
    code, _, errors = toy("stage", "join", toy.run_dir)
    assert code == 2
    assert "stage join needs shout, which is missing" in errors
    assert f"mvrecon run {toy.text} -o {toy.run_dir} --until shout" in errors


def test_stage_takes_options_of_its_own(toy: Toy) -> None:
    toy.run()
    assert toy("stage", "join", toy.run_dir, "--join.separator", " ")[0] == 0
    assert (toy.run_dir / "joined.txt").read_text() == "A! B!"


def test_status_tells_costs_of_what_is_there(toy: Toy) -> None:
    toy.run()
    code, printed, _ = toy("status", toy.run_dir)
    assert code == 0
    assert set(states(printed).values()) == {"cached"}
    assert all(line.endswith("MiB") for line in printed.splitlines())


def test_explain_names_the_part_of_the_key_that_changed(toy: Toy) -> None:
    toy.run("--until", "shout")
    assert toy("explain", toy.run_dir, "lines")[1] == "lines: cached, nothing of its key changed\n"
    assert "no earlier result to compare with" in toy("explain", toy.run_dir, "join")[1]
    toy.text.write_text("c")
    code, printed, _ = toy("explain", toy.run_dir, "lines")
    assert code == 0 and "input" in printed
    assert "depends on lines, which has to run first" in toy("explain", toy.run_dir, "shout")[1]
    assert toy("explain", toy.run_dir, "sing")[0] == 2


def test_clean_keeps_the_newest_of_each_stage(toy: Toy) -> None:
    toy.run()
    toy.run("--shout.mark=?")
    results = toy.run_dir / "store" / "shout"
    count = len([path for path in results.iterdir() if path.is_dir()])
    code, printed, _ = toy("clean", toy.run_dir)
    assert code == 0 and printed.startswith("freed 0.0 MiB")
    assert len([path for path in results.iterdir() if path.is_dir()]) == count - 1
    assert states(toy("status", toy.run_dir)[1])["shout"] == "cached"


def test_report_is_written_again(toy: Toy) -> None:
    toy.run()
    report: Path = toy.run_dir / "report.html"
    report.write_text("spoilt")
    code, printed, _ = toy("report", toy.run_dir)
    assert (code, printed) == (0, f"{report}\n")
    assert "spoilt" not in report.read_text() and "loud" in report.read_text()


@pytest.mark.parametrize("command", RECORD_COMMANDS)
def test_what_is_no_run_directory_is_told(toy: Toy, command: str) -> None:
    code, _, errors = toy(command, toy.folder)
    assert code == 2
    assert "is not a run directory" in errors and "mvrecon run INPUT" in errors
