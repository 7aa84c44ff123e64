"""What the command line tells, and where: words on standard error, results on standard output."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mvrecon.cli import main
from tests import media
from tests.conftest import REPOSITORY


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return media.write_video(tmp_path / "clip.mp4", media.pan(range(0, 60, 3)))


def told(clip: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[list[str], str]:
    """The lines of words, and the results."""
    run_dir = str(clip.parent / "run")
    assert main(["run", str(clip), "-o", run_dir, "--until", "frames", *options]) == 0
    output = capsys.readouterr()
    return output.err.splitlines(), output.out


def test_a_run_tells_as_much_as_is_asked_for(
    clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = f"{clip.parent / 'run' / 'report.html'}\n"
    words, results = told(clip, capsys)
    assert words[0] == "frames: running"
    assert any(line.startswith("frames: done in ") for line in words)
    assert results == report
    assert told(clip, capsys) == (["frames: cached"], report)
    assert told(clip, capsys, "-q") == ([], report)

    words, _ = told(clip, capsys, "-v", "--frames.jpeg_quality=90")
    assert words[0].startswith("frames: key ")
    assert '"jpeg_quality":90' in words[0]
    assert words[1].startswith("frames: runs: config.jpeg_quality: ")
    assert words[1].endswith(" → 90")
    assert words[2] == "frames: running"


def test_quiet_and_verbose_exclude_each_other(
    clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(clip), "-q", "-v"]) == 2
    assert "not allowed with" in capsys.readouterr().err


def test_warnings_are_told_to_who_wants_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = media.write_images(tmp_path / "images", media.pan(range(0, 80, 8)))
    (folder / "004.png").write_bytes(b"not an image")
    words, _ = told(folder, capsys, "--quiet")
    assert words
    assert all(line.startswith("frames: warning: ") for line in words)
    assert any("004.png" in line for line in words)


def test_a_command_leaves_logging_as_it_was(clip: Path) -> None:
    log = logging.getLogger("mvrecon")
    before = log.level, list(log.handlers)
    assert main(["run", str(clip), "-o", str(clip.parent / "run"), "-n", "-v"]) == 0
    assert (log.level, log.handlers) == before


def test_a_program_that_uses_the_library_sees_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.engine.toy import make_runner\n"
        "print(make_runner(Path(sys.argv[1]), 'one').run('join')['shout'].read_summary())"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert "'warnings': ['loud']" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_a_reader_that_has_had_enough_is_no_bug():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "mvrecon", "models"]
    found = subprocess.run(
        command, cwd=REPOSITORY, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (found.returncode, found.stderr) == (141, "")
