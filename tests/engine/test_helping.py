"""Several processes on one run make its items together, and outlive each other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mvrecon.engine.claims import Claims
from tests.engine import toy

LINES = [f"line {number}" for number in range(12)]
PAUSE_S = 0.25


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.engine.toy", str(folder), str(PAUSE_S), ""]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def made_by(words: str) -> list[str]:
    return re.findall(r"made (\S+)", words)


def until_it_makes_items(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    line = process.stderr.readline()
    while "made" not in line:
        line = process.stderr.readline()
    return line


@pytest.fixture
def wanted(tmp_path: Path) -> str:
    (tmp_path / "whole").mkdir()
    return toy.make_runner(tmp_path / "whole", "\n".join(LINES)).run("join")["join"].digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "input.txt").write_text("\n".join(LINES))
    return folder


def check(folder: Path, wanted: str) -> None:
    assert toy.make_runner(folder).run("join")["join"].digest == wanted
    assert not list((folder / "run/store").rglob("*.partial"))
    assert not list((folder / "run/store").rglob("journal*"))


@pytest.mark.parametrize("number", [2, 4])
def test_each_item_is_made_once_by_one_of_them(folder: Path, wanted: str, number: int) -> None:
    processes = [start(folder) for _ in range(number)]
    made = [made_by(process.communicate(timeout=60)[1]) for process in processes]
    assert [process.returncode for process in processes] == [0] * number
    assert sorted(name for names in made for name in names) == sorted(
        f"shouts/{place}.txt" for place in range(len(LINES))
    )
    assert sum(bool(names) for names in made) > 1
    check(folder, wanted)


@pytest.mark.parametrize("victim", ["first", "helper"])
def test_who_is_killed_loses_its_item_only(folder: Path, wanted: str, victim: str) -> None:
    first = start(folder)
    words = {"first": until_it_makes_items(first)}
    helper = start(folder)
    words["helper"] = until_it_makes_items(helper)
    processes = {"first": first, "helper": helper}
    processes[victim].kill()
    for name, process in processes.items():
        words[name] += process.communicate(timeout=60)[1]
        assert process.returncode == (-9 if name == victim else 0)
    made = made_by("".join(words.values()))
    # One may have been killed after it had made an item and before it said so.
    assert len(made) == len(set(made)) >= len(LINES) - 1
    check(folder, wanted)


def test_a_claim_is_seen_by_other_processes_and_ends_with_its_block(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mvrecon.engine.claims import Claims\n"
        "with Claims(Path(sys.argv[1])) as c, c.of(sys.argv[2]) as mine: print(mine)"
    )

    def elsewhere(name: str) -> str:
        command = [sys.executable, "-c", code, str(tmp_path / "claims"), name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    with Claims(tmp_path / "claims") as claims:
        with claims.of("a") as is_ours:
            assert is_ours
            assert (elsewhere("a"), elsewhere("b")) == ("False", "True")
        assert elsewhere("a") == "True"
