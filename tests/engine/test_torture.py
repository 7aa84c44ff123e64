"""Killed anywhere, a pipeline resumes to the same result and computes nothing twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LEAST_KILLS = 30


def test_a_run_that_is_killed_anywhere_resumes_to_the_same_result(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.engine.torture", str(tmp_path / "t")]
    done = subprocess.run(
        [*command, "--every", "13", "--random", "8"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] >= LEAST_KILLS
    assert found["faults"] == {}
