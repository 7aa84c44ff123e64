"""What the doctor finds missing, and the command that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvrecon import doctor
from mvrecon.cli import main
from mvrecon.doctor import MissingLibraryError, examine, require_system_libraries

LIBRARY, PACKAGE = "libGL.so.1", "libgl1"


@pytest.fixture
def without_gl(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Linux on which one library cannot be loaded."""

    def load(library: str) -> None:
        if library == LIBRARY:
            raise OSError(library)

    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(doctor.ctypes, "CDLL", load)


@pytest.mark.usefixtures("without_gl")
def test_a_missing_library_is_told_with_its_package(tmp_path: Path) -> None:
    assert doctor.missing_packages() == [PACKAGE]
    with pytest.raises(MissingLibraryError, match=f"apt-get install -y {PACKAGE}$"):
        require_system_libraries()
    problems = [check.what for check in examine(tmp_path) if not check.good]
    assert f"system libraries for Open3D: apt-get install -y {PACKAGE}" in problems


@pytest.mark.usefixtures("without_gl")
def test_a_problem_is_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 1
    assert f"PROBLEM system libraries for Open3D: apt-get install -y {PACKAGE}" in (
        capsys.readouterr().out
    )


def test_what_is_good_is_told_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "missing_packages", list)
    monkeypatch.setattr(doctor, "MIN_MEMORY_GIB", 0.0)
    monkeypatch.setattr(doctor, "MIN_DISK_GIB", 0.0)
    checks = list(examine(tmp_path))
    assert all(check.good for check in checks)
    assert any(check.what.startswith("torch 2") for check in checks)


def test_little_room_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MIN_DISK_GIB", 1e9)
    problems = [check.what for check in examine(tmp_path) if not check.good]
    assert any(f"free below {tmp_path}" in what for what in problems)
