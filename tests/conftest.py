"""Fixtures that every room's tests may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

# Threads that spin while they wait starve each other where cores are few or busy: seconds
# become minutes. Read when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a worker a core already.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data to run on, where there is any; the test is skipped where there is none."""
    root = Path(os.environ.get("MVRECON_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"no real data at {root} (set MVRECON_SHARED_DATA)")
    return root
