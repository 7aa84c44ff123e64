"""A folder that cannot be written ends a run with one line and changes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

CLIP = REPOSITORY / "sample_data" / "clip.mp4"
# Mounted in a namespace of its own: root may write whatever the permissions are.
SCRIPT = """
mount -t tmpfs tmpfs "$1" && mkdir "$1/run" && mount -o remount,ro "$1" || exit 77
exec "$2" -m mvrecon run "$3" -o "$1/run"
"""
NOT_ALLOWED = 77


def test_a_read_only_folder(tmp_path: Path) -> None:
    arguments = ["sh", "-c", SCRIPT, "sh", str(tmp_path), sys.executable, str(CLIP)]
    try:
        done = subprocess.run(
            ["unshare", "-rm", *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if done.returncode == NOT_ALLOWED or "unshare" in done.stderr:
        pytest.skip("no mount namespace may be made here")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Read-only file system" in done.stderr
    assert "Choose another place with -o DIR" in done.stderr
